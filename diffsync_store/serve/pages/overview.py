"""The first page: syncs with their newest diffs, and adapters with their newest loads."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from diffsync_store.project import SyncContext, SyncEntry
from diffsync_store.runs import find_waiting
from diffsync_store.serve.pages.status import Status, status_of
from diffsync_store.serve.running import RunStatus
from diffsync_store.serve.services import Services
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import target_lease
from diffsync_store.store.redis.diffs.record import DiffRecord

_RECORDS = 500
"""Newest records that the page looks at."""
_DIFFS = 5
"""Diffs that it shows of each sync."""
_LOADS = 3
"""Loads that it shows of each adapter."""


@dataclass(frozen=True)
class ShownDiff:
    """A saved diff in the list of its sync."""

    record: DiffRecord
    status: Status


@dataclass(frozen=True)
class ShownSync:
    """A declared sync."""

    name: str
    declared: SyncEntry
    lease: str
    diffs: list[ShownDiff]
    equal_at: datetime | None
    """When the source was loaded that the target last equalled; None if it never did."""


def show_overview(services: Services, runs: Iterable[RunStatus]) -> dict[str, Any]:
    """Return what the page shows.

    Args:
        services: the services of the server.
        runs: the runs that were started here.
    """
    context = services.context
    by_pair: dict[tuple[str, str], list[DiffRecord]] = defaultdict(list)
    for record in islice(context.diffs().list(), _RECORDS):
        by_pair[record.source_name, record.target_name].append(record)
    loads: dict[str, list[StoreRecord]] = defaultdict(list)
    for load in islice(context.stores().list(), _RECORDS):
        loads[load.name].append(load)
    syncs = [_sync(context, name, entry, by_pair) for name, entry in context.project.syncs.items()]
    adapters = {name: loads.get(name, [])[:_LOADS] for name in context.project.declared.adapters}
    waiting = [(each, services.protection.holders(each.role)) for each in find_waiting(context)]
    scheduled = {run.diff_id: run for run in runs if run.waits_until is not None}
    return {"syncs": syncs, "adapters": adapters, "waiting": waiting, "runs_that_wait": scheduled}


def _sync(
    context: SyncContext[Any], name: str, entry: SyncEntry, by_pair: dict[tuple[str, str], list[DiffRecord]]
) -> ShownSync:
    holder = context.leases().holder(target_lease(entry.target))
    diffs = context.diffs()
    shown = [
        ShownDiff(record, status_of(diffs.from_record(record), entry))
        for record in by_pair[entry.source, entry.target][:_DIFFS]
    ]
    equal_at = context.in_sync().read(entry.source, entry.target)
    return ShownSync(name, entry, str(holder) if holder else "", shown, equal_at)
