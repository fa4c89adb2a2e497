"""Events of the flows. Every field is always there: a trigger whose template asks for one that is not fails.

| event | resource | related | fields |
| --- | --- | --- | --- |
| `diffsync.store.loaded` | `diffsync.store.STORE_ID` | `diffsync.adapter.NAME` | store_id, adapter, state (complete, partial), objects |
| `diffsync.diff.saved` | `diffsync.diff.DIFF_ID` | `diffsync.sync.NAME`, `diffsync.adapter.NAME` of both sides | diff_id, sync_name, source_store_id, target_store_id, operations, create, update, delete, suppressed, needs_approval |
| `diffsync.diff.empty` | the same, where a diff has no operations | | |
| `diffsync.sync.ended` | as of a diff | as of a diff | diff_id, sync_name, state, created, updated, deleted, moved, skipped, failed, blocked, conflicts, suppressed, unknown, done_before |

Each resource has the label `diffsync.reconcile`: `yes` where a reconcile has started the step, and takes the next one itself,
else `no`, as for a sync that asks for an approval, which goes on by itself; and the label `diffsync.project`, the project of the YAML file.

A sync ends as `complete`; as `partial`, where not all was applied; as `stopped`, by its circuit breaker; as `refused`, by a
change limits; as `rejected`, by a person; as `superseded`, where a newer diff counts before anybody has decided; as `cancelled`; or as
`failed`, also where there is no such diff: then nobody knows its adapters, and none are related. One that waits for an
approval has not ended, nor has one that leaves the question to another run, and a dry run is none. One whose process is
killed tells nothing: Prefect's own event `prefect.flow-run.Crashed` does, which the automation for dead runs brings about.

What a run has applied is in `created`, `updated`, `deleted` and `moved`; what one before it has, in `done_before`. `skipped`
are operations that the adapter's models have left alone, in this run or before: the target has not got them.
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

STORE_LOADED = "diffsync.store.loaded"
DIFF_SAVED = "diffsync.diff.saved"
DIFF_EMPTY = "diffsync.diff.empty"
SYNC_ENDED = "diffsync.sync.ended"
RECONCILE_LABEL, PROJECT_LABEL = "diffsync.reconcile", "diffsync.project"
"""Labels of an event's resource."""

NOTHING: Mapping[str, int] = MappingProxyType({})
NOT_APPLIED = ("skipped", "failed", "blocked", "conflicts", "suppressed", "unknown")
OUTCOMES = ("created", "updated", "deleted", "moved", *NOT_APPLIED, "done_before")


def store_loaded(adapter: str, record: StoreRecord) -> None:
    """A load has ended as complete or partial."""
    payload = {
        "store_id": record.store_id,
        "adapter": adapter,
        "state": record.state.value,
        "objects": sum(record.counts.values()),
    }
    _emit(
        STORE_LOADED,
        f"store.{record.store_id}",
        record.store_id,
        [f"adapter.{adapter}"],
        payload,
        is_child=is_child_run(),
    )


def diff_saved(record: DiffRecord, sync_name: str, sync: PrefectSyncEntry) -> None:
    """A diff was saved."""
    payload: dict[str, Any] = {
        "diff_id": record.diff_id,
        "sync_name": sync_name,
        "source_store_id": record.source_store_id,
        "target_store_id": record.target_store_id,
        "operations": record.operations,
        **{action: record.summary.get(action, 0) for action in ("create", "update", "delete")},
        "suppressed": count_suppressed(record),
        "needs_approval": sync.needs_approval(record.summary),
    }
    _of_diff(
        DIFF_SAVED if record.operations else DIFF_EMPTY,
        record.diff_id,
        record,
        sync_name,
        payload,
        is_child=is_child_run(),
    )


def count_suppressed(record: DiffRecord) -> int:
    """Operations of a diff that are suppressed."""
    return sum(suppression.count_in(record.by_model) for suppression in record.suppressions)


def is_child_run() -> bool:
    """Whether a reconcile has started this run."""
    return bool(runtime.flow_run.parent_flow_run_id)


@dataclass
class SyncEnd:
    """A run of a sync, that tells how it ends."""

    diff_id: str
    sync_name: str
    record: DiffRecord | None = None
    """Of the diff, once it is known."""
    is_child: bool = field(default_factory=is_child_run)
    """Whether a reconcile has started it."""

    def ended(self, state: str, counts: Mapping[str, int] = NOTHING) -> None:
        """It has ended, in one of the states above."""
        payload = {"diff_id": self.diff_id, "sync_name": self.sync_name, "state": state, **outcomes(counts)}
        _of_diff(SYNC_ENDED, self.diff_id, self.record, self.sync_name, payload, is_child=self.is_child)


def outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    """All counts of a sync, those that are 0 too."""
    return {name: counts.get(name, 0) for name in OUTCOMES}


@contextmanager
def report_failure(diff_id: str, sync_name: str) -> Iterator[SyncEnd]:
    """Tell of a sync that ends in the body by an exception."""
    syncing = SyncEnd(diff_id, sync_name)
    try:
        yield syncing
    except ChangeLimitExceeded:
        abort_if_superseded()
        syncing.ended("refused")
        raise
    except TerminationSignal:
        abort_if_superseded()
        if is_cancelled():
            syncing.ended("cancelled")
        raise
    except Exception:
        abort_if_superseded()
        syncing.ended("failed")
        raise


def _of_diff(
    event: str,
    diff_id: str,
    record: DiffRecord | None,
    sync_name: str,
    payload: dict[str, Any],
    *,
    is_child: bool,
) -> None:
    related = [f"sync.{sync_name}"] if sync_name else []
    if record is not None:
        related += [f"adapter.{record.source_name}", f"adapter.{record.target_name}"]
    _emit(event, f"diff.{diff_id}", diff_id, related, payload, is_child=is_child)


def _emit(
    event: str,
    resource: str,
    name: str,
    related: Iterable[str],
    payload: dict[str, Any],
    *,
    is_child: bool,
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
