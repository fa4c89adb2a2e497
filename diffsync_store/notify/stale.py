"""Syncs whose two sides have not been equal for too long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from diffsync_store.notify.event import Event
from diffsync_store.project import SyncContext, format_duration


def stale_syncs(context: SyncContext[Any], *, link: str = "", now: datetime | None = None) -> Iterator[Event]:
    """Yield the event of each sync that has not been in sync for longer than its `stale_after`.

    A sync that has never been in sync counts from the first call of this function. As long as it stays stale, it is the same event.
    """
    now = now or datetime.now(UTC)
    for name, declared in context.project.syncs.items():
        if declared.stale_after is None:
            continue
        found = context.in_sync().watch(declared.source, declared.target, now)
        if now - found.at > timedelta(seconds=declared.stale_after):
            yield _event(name, found.at, now, link, is_known=found.is_known)


def _event(name: str, since: datetime, now: datetime, link: str, *, is_known: bool) -> Event:
    duration = format_duration((now - since) // timedelta(minutes=1) * 60)
    when = f"{since:%Y-%m-%d %H:%M} UTC, {duration} ago"
    reason = f"Last in sync: {when}." if is_known else f"Never in sync since it was first looked at, {when}."
    return Event("stale", name, since.isoformat(), (name,), reason=reason, link=link)
