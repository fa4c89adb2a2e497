"""What people are notified of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from diffsync_store.diffs import DiffRecord
from diffsync_store.enum import StoreState
from diffsync_store.journal import Approval
from diffsync_store.project import EventName
from diffsync_store.store.record import StoreRecord

Kind = EventName | Literal["test"]
_APPLIED = ("deleted", "updated", "created", "moved")
_NOT_APPLIED = ("failed", "conflicts", "blocked", "unknown", "suppressed", "skipped")
_ACTIONS = ("delete", "update", "create")


@dataclass(frozen=True)
class Event:
    """Something that a person should know. It is the same event, which is sent once, if its kind and its `occurrence` are the same."""

    kind: Kind
    subject: str
    """The sync, or the adapter of a load."""
    occurrence: str
    """What tells it from other events of the kind, such as the id of the diff."""
    syncs: tuple[str, ...] = ()
    """The syncs that it concerns."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """The totals, in the order in which they are shown: deletes first."""
    reason: str = ""
    diff_id: str = ""
    store_id: str = ""
    link: str = ""
    """Where to look or to decide."""
    run: str = ""
    """The page of the flow run; empty without Prefect."""


def approval_waits(
    sync: str,
    record: DiffRecord,
    *,
    checksum: str,
    allow: Sequence[str] = (),
    approval: Approval | None = None,
    link: str = "",
    run: str = "",
) -> Event:
    """Return the event that a diff waits for a decision; one that asks about other operations, or another person, is another event.

    Args:
        sync: its name.
        record: the record of the diff.
        checksum: that of the diff.
        approval: the approval that it has, if rules ask for several people.
        allow: what the guards let through; all else that they suppress is counted as `suppressed`.
        link: where to decide.
        run: the page of the flow run.
    """
    counts = Counter(record.summary)
    for each in record.suppressions:
        if each.allowance not in allow:
            counts.subtract({each.action: (held := each.count_in(record.by_model)), "suppressed": -held})
    shown, occurrence = _ordered(counts, (*_ACTIONS, "suppressed")), " ".join((record.diff_id, checksum, *allow))
    if approval is not None and approval.checksum == checksum:
        occurrence += f" after {', '.join(sorted(approval.people))}"
    return Event("approval", sync, occurrence, (sync,), shown, diff_id=record.diff_id, link=link, run=run)


def sync_ended(
    sync: str, record: DiffRecord, counts: Mapping[str, int], *, stopped: str = "", link: str = "", run: str = ""
) -> Event | None:
    """Return the event of a sync that did not do all of its work; None if it did.

    Args:
        sync: its name.
        record: the record of its diff.
        counts: the operations by how they ended, as `SyncResult.counts` returns them.
        stopped: why it was stopped; empty if it was not.
        link: where to look.
        run: the page of the flow run.
    """
    shown = _ordered(counts, (*_APPLIED, *_NOT_APPLIED))
    if not stopped and not any(shown.get(name) for name in _NOT_APPLIED):
        return None
    kind: Kind = "stopped" if stopped else "partial"
    occurrence = f"{record.diff_id} {shown}"
    return Event(kind, sync, occurrence, (sync,), shown, stopped, record.diff_id, link=link, run=run)


def sync_failed(sync: str, diff_id: str, reason: str, *, link: str = "", run: str = "") -> Event:
    """Return the event of a sync that failed, or of its loads or its diff."""
    return Event("failed", sync, f"{diff_id} {reason}", (sync,), reason=reason, diff_id=diff_id, link=link, run=run)


def loaded(adapter: str, record: StoreRecord, syncs: tuple[str, ...], *, link: str = "", run: str = "") -> Event | None:
    """Return the event of a partial load; None if the load is complete."""
    if record.state is not StoreState.PARTIAL:
        return None
    counts = {"objects": sum(record.counts.values())}
    occurrence = f"{record.store_id} {record.generation}"
    return Event("partial_load", adapter, occurrence, syncs, counts, record.reason, "", record.store_id, link, run)


def load_failed(
    adapter: str, store_id: str, syncs: tuple[str, ...], reason: str, *, link: str = "", run: str = ""
) -> Event:
    """Return the event of a load that failed: its syncs cannot run."""
    occurrence = f"{store_id} {reason}"
    return Event("failed", adapter, occurrence, syncs, reason=reason, store_id=store_id, link=link, run=run)


def trial_message(name: str, occurrence: str) -> Event:
    """Return an event for a trial of an address."""
    return Event("test", name, occurrence, reason="This is a test: nothing has happened.")


def _ordered(counts: Mapping[str, int], names: tuple[str, ...]) -> dict[str, int]:
    return {name: counts[name] for name in names if counts.get(name, 0) > 0}
