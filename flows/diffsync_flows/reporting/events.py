"""Events of the flows. Every event has all of its fields, because a trigger whose template names a missing field fails.

| event | resource | related | fields |
| --- | --- | --- | --- |
| `diffsync.store.loaded` | `diffsync.store.STORE_ID` | `diffsync.adapter.NAME` | store_id, adapter, state (complete, partial), objects |
| `diffsync.diff.saved` | `diffsync.diff.DIFF_ID` | `diffsync.sync.NAME`, `diffsync.adapter.NAME` of both sides | diff_id, sync_name, source_store_id, target_store_id, operations, create, update, delete, suppressed, needs_approval, undoes |
| `diffsync.diff.empty` | the same, for a diff without operations | | |
| `diffsync.sync.ended` | as of a diff | as of a diff | diff_id, sync_name, state, created, updated, deleted, moved, skipped, failed, blocked, conflicts, suppressed, waiting, ignored, unknown, done_before |

Each resource has two labels. `diffsync.project` is the project of the YAML file. `diffsync.reconcile` is `yes` if a
reconcile started the step and takes the next one itself, else `no`. It is also `no` for a sync that asks for approval, and
`yes` for the load and the diff of an undo, so that no chain applies an undo: a person takes the next step.

The `state` of a sync:

| state | meaning |
| --- | --- |
| `complete` | All operations were applied. |
| `partial` | Some operations were not applied. |
| `stopped` | Too many operations failed, so the sync stopped. |
| `refused` | The diff exceeds the change limits. |
| `rejected` | A person rejected the diff. |
| `skipped` | The target is locked for maintenance, or no window of the sync is open; nothing was applied. |
| `superseded` | The sync waited for approval or for a window, and a newer diff replaced its diff. |
| `cancelled` | The run was cancelled. |
| `failed` | Anything else. If the diff does not exist, its adapters are unknown and no adapter is related. |

There is no event while a sync waits for approval or for a window, when its changes already wait for approval in another run, after a dry
run, and when its process is killed. For a killed process, Prefect emits `prefect.flow-run.Crashed`, caused by the automation for dead runs.

`created`, `updated`, `deleted` and `moved` count what this run applied; `done_before` counts what earlier runs applied.
`skipped` counts operations that the adapter's models left alone, in this run or before: the target does not have them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from prefect import runtime
from prefect.events import emit_event
from prefect.exceptions import TerminationSignal

from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.reporting.run_metadata import project_of_run
from diffsync_flows.runtime.cancellation import is_cancelled
from diffsync_flows.runtime.superseded_runs import abort_if_superseded
from diffsync_store import ChangeLimitExceeded, StoreRecord
from diffsync_store.diffs import DiffRecord
from diffsync_store.runs import needs_approval

STORE_LOADED = "diffsync.store.loaded"
DIFF_SAVED = "diffsync.diff.saved"
DIFF_EMPTY = "diffsync.diff.empty"
SYNC_ENDED = "diffsync.sync.ended"
RECONCILE = "reconcile"
"""Name of the flow that may run all steps itself."""
UNDO = "undo"
"""Name of the flow that loads a target and saves an undo."""
RECONCILE_LABEL, PROJECT_LABEL = "diffsync.reconcile", "diffsync.project"

NOTHING: Mapping[str, int] = MappingProxyType({})
NOT_APPLIED = ("skipped", "failed", "blocked", "conflicts", "suppressed", "waiting", "unknown")
OUTCOMES = ("created", "updated", "deleted", "moved", *NOT_APPLIED, "ignored", "done_before")


def store_loaded(adapter: str, record: StoreRecord) -> None:
    """Emit the event of a complete or partial load."""
    payload = {
        "store_id": record.store_id,
        "adapter": adapter,
        "state": record.state.value,
        "objects": sum(record.counts.values()),
    }
    related = [f"adapter.{adapter}"]
    _emit(STORE_LOADED, f"store.{record.store_id}", record.store_id, related, payload, is_child=_is_unchained())


def diff_saved(record: DiffRecord, sync_name: str, sync: PrefectSyncEntry) -> None:
    """Emit the event of a saved diff."""
    payload: dict[str, Any] = {
        "diff_id": record.diff_id,
        "sync_name": sync_name,
        "source_store_id": record.source_store_id,
        "target_store_id": record.target_store_id,
        "operations": record.operations,
        **{action: record.summary.get(action, 0) for action in ("create", "update", "delete")},
        "suppressed": count_suppressed(record),
        "needs_approval": needs_approval(sync, record),
        "undoes": record.undoes,
    }
    event = DIFF_SAVED if record.operations else DIFF_EMPTY
    _emit_of_diff(event, record.diff_id, record, sync_name, payload, is_child=_is_unchained())


def count_suppressed(record: DiffRecord) -> int:
    """Count the operations of a diff that the guards suppress."""
    return sum(each.count_in(record.by_model) for each in record.suppressions)


def is_step() -> bool:
    """Return whether a reconcile takes the next step: it started this run, or it is this run."""
    return runtime.flow_run.flow_name == RECONCILE or bool(runtime.flow_run.parent_flow_run_id)


def _is_unchained() -> bool:
    """Return whether no chain takes the next step: a reconcile takes it, or a person after an undo."""
    return is_step() or runtime.flow_run.flow_name == UNDO


@dataclass
class SyncEnd:
    """The event of the end of a sync; filled in during the run."""

    diff_id: str
    sync_name: str
    record: DiffRecord | None = None
    """Record of the diff; None until it is known."""
    is_child: bool = field(default_factory=is_step)

    def emit(self, state: str, counts: Mapping[str, int] = NOTHING) -> None:
        """Emit the event, with one of the states above."""
        payload = {"diff_id": self.diff_id, "sync_name": self.sync_name, "state": state, **outcomes(counts)}
        _emit_of_diff(SYNC_ENDED, self.diff_id, self.record, self.sync_name, payload, is_child=self.is_child)


def outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    """Return all counts of a sync, including those that are 0."""
    return {name: counts.get(name, 0) for name in OUTCOMES}


@contextmanager
def report_failure(diff_id: str, sync_name: str) -> Iterator[SyncEnd]:
    """Emit the end of a sync if the body raises."""
    end = SyncEnd(diff_id, sync_name)
    try:
        yield end
    except ChangeLimitExceeded:
        abort_if_superseded()
        end.emit("refused")
        raise
    except TerminationSignal:
        abort_if_superseded()
        if is_cancelled():
            end.emit("cancelled")
        raise
    except Exception:
        abort_if_superseded()
        end.emit("failed")
        raise


def _emit_of_diff(
    event: str, diff_id: str, record: DiffRecord | None, sync_name: str, payload: dict[str, Any], *, is_child: bool
) -> None:
    related = [f"sync.{sync_name}"] if sync_name else []
    if record is not None:
        related += [f"adapter.{record.source_name}", f"adapter.{record.target_name}"]
    _emit(event, f"diff.{diff_id}", diff_id, related, payload, is_child=is_child)


def _emit(
    event: str, resource: str, name: str, related: Iterable[str], payload: dict[str, Any], *, is_child: bool
) -> None:
    emit_event(
        event,
        resource={
            "prefect.resource.id": f"diffsync.{resource}",
            "prefect.resource.name": name,
            RECONCILE_LABEL: "yes" if is_child else "no",
            PROJECT_LABEL: project_of_run(),
        },
        related=[
            {"prefect.resource.id": f"diffsync.{each}", "prefect.resource.role": each.split(".", 1)[0]}
            for each in related
        ],
        payload=payload,
    )
