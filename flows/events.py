"""Events of the flows. Every field is always there: a trigger whose template asks for one that is not fails.

| event | resource | related |
| --- | --- | --- |
| `diffsync.store.loaded` | `diffsync.store.STORE_ID` | `diffsync.adapter.NAME` |
| `diffsync.diff.saved` | `diffsync.diff.DIFF_ID` | `diffsync.sync.NAME` |
| `diffsync.diff.empty` | the same, where a diff has no operations | |
| `diffsync.sync.ended` | `diffsync.diff.DIFF_ID` | `diffsync.sync.NAME` |
"""

from collections.abc import Mapping
from typing import Any

from prefect.events import emit_event

from diffsync_store import StoreRecord
from diffsync_store.store.redis_diffs import DiffRecord
from flows.declarations import SyncEntry

LOADED = "diffsync.store.loaded"
SAVED = "diffsync.diff.saved"
EMPTY = "diffsync.diff.empty"
ENDED = "diffsync.sync.ended"
OUTCOMES = ("created", "updated", "deleted", "moved", "failed", "blocked", "conflicts", "held", "unknown")


def store_loaded(adapter: str, record: StoreRecord) -> None:
    """A load has ended as complete or partial."""
    payload = {
        "store_id": record.store_id,
        "adapter": adapter,
        "state": record.state.value,
        "objects": sum(record.counts.values()),
    }
    _emit(LOADED, f"store.{record.store_id}", record.store_id, f"adapter.{adapter}", payload)


def diff_saved(record: DiffRecord, sync_name: str, sync: SyncEntry) -> None:
    """A diff was saved."""
    payload: dict[str, Any] = {
        "diff_id": record.diff_id,
        "sync_name": sync_name,
        "source_store_id": record.source_store_id,
        "target_store_id": record.target_store_id,
        "operations": record.operations,
        **{action: record.summary.get(action, 0) for action in ("create", "update", "delete")},
        "held": held_in(record),
        "needs_approval": sync.needs_approval(record.summary),
    }
    name = SAVED if record.operations else EMPTY
    _emit(name, f"diff.{record.diff_id}", record.diff_id, f"sync.{sync_name}", payload)


def held_in(record: DiffRecord) -> int:
    """Operations of a diff that are held."""
    return sum(record.by_model.get(hold.model, {}).get(hold.action, 0) for hold in record.holds)


def sync_ended(record: DiffRecord, sync_name: str, state: str, counts: Mapping[str, int]) -> None:
    """A sync has ended: `state` is complete, partial or stopped."""
    payload: dict[str, Any] = {"diff_id": record.diff_id, "sync_name": sync_name, "state": state}
    payload |= {name: counts.get(name, 0) for name in OUTCOMES}
    _emit(ENDED, f"diff.{record.diff_id}", record.diff_id, f"sync.{sync_name}", payload)


def _emit(event: str, resource: str, name: str, related: str, payload: dict[str, Any]) -> None:
    kind = related.split(".", 1)[0]
    emit_event(
        event,
        resource={"prefect.resource.id": f"diffsync.{resource}", "prefect.resource.name": name},
        related=[{"prefect.resource.id": f"diffsync.{related}", "prefect.resource.role": kind}],
        payload=payload,
    )
