"""Run the steps of a reconcile in its own process, as tasks of its run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from prefect import get_run_logger

from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import format_counts
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ended_steps import has_ended, note_ended
from diffsync_flows.runtime.error_handling import error_message
from diffsync_flows.runtime.states import Outcome
from diffsync_flows.runtime.threads import run_at_once
from diffsync_flows.steps.diffing import run_diff
from diffsync_flows.steps.load_ending import load_ending, load_title
from diffsync_flows.steps.loading import run_load
from diffsync_flows.steps.separate import SeparateSteps
from diffsync_flows.steps.step_end import StepEnd, StepFailed
from diffsync_flows.steps.syncing import dry_run_sync, run_sync
from diffsync_store import ObjectStoreException, StoreNotFound, StoreRecord
from diffsync_store.diffs import DiffRecord
from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.runs import SyncRequest, can_load_at_once, needs_approval
from diffsync_store.transient import is_transient


class TogetherSteps:
    """The steps of a reconcile, in this process.

    When the run is started again, a load and a diff that have ended are not repeated, and a sync continues where it stopped.

    Args:
        context: The project.
        sync_name: Name of the sync.
        ids: Ids of the stores and the diff, by the parameters of the flow `diff`.
        outside_window: Why the diff is applied outside of the windows of the sync; empty if it waits for them.
    """

    def __init__(self, context: SyncContext, sync_name: str, ids: Mapping[str, str], outside_window: str = "") -> None:
        self._context = context
        self._sync_name = sync_name
        self._declared = context.project.sync(sync_name)
        self._ids = ids
        self._outside_window = outside_window

    def load(self) -> list[StepEnd]:
        """Load both sides: at the same time if their adapters allow it.

        Raises:
            StepFailed: A load failed.
        """
        names = {self._declared.source: "source_store_id", self._declared.target: "target_store_id"}
        loads = [partial(self._load, name, self._ids[side]) for name, side in names.items()]
        with library_log(self._context.project.secrets.redact):
            ended = run_at_once(loads) if can_load_at_once(self._context, names) else [load() for load in loads]
        if failures := [each for each in ended if isinstance(each, StepFailed)]:
            raise StepFailed("; ".join(map(str, failures))) from failures[0]
        return [each for each in ended if isinstance(each, StepEnd)]

    def diff(self) -> list[StepEnd]:
        """Save the diff of the two stores.

        Raises:
            StepFailed: The diff failed.
        """
        diff_id, source, target = (self._ids[name] for name in ("diff_id", "source_store_id", "target_store_id"))
        with _step(f"diff {self._sync_name}"):
            if has_ended("diff", self._sync_name, diff_id):
                record = self._context.diffs().open(diff_id).record
                get_run_logger().info("Diff %s was saved before this run was started again", diff_id)
            else:
                record = run_diff(self._context, source, target, diff_id, self._sync_name)
                note_ended("diff", self._sync_name, diff_id)
        return [StepEnd(f"diff {_subject(record)}", Outcome.COMPLETE)]

    def sync(self, record: DiffRecord, *, dry_run: bool) -> list[StepEnd]:
        """Apply the diff; if a person has to approve it, that is a run of its own, so that this one need not wait.

        Raises:
            StepFailed: The sync failed.
        """
        separate = SeparateSteps(self._sync_name, self._declared, self._ids, self._outside_window)
        if not dry_run and needs_approval(self._declared, record):
            return separate.sync(record, dry_run=dry_run)
        request = SyncRequest(record.diff_id, self._sync_name, outside_window=self._outside_window)
        with _step(f"sync {self._sync_name}"):
            ended = dry_run_sync(self._context, request) if dry_run else run_sync(self._context, request, asks=False)
        if ended.must_ask:
            return separate.sync(record, dry_run=False)
        return [StepEnd(f"sync {_subject(record)}", ended.outcome, ended.message)]

    def _load(self, adapter: str, store_id: str) -> StepEnd | StepFailed:
        try:
            with _step(f"load {adapter}"):
                if before := self._loaded_before(adapter, store_id):  # a sync may have changed the store since then
                    title = f"{adapter} · before this run was started again"
                    return StepEnd(f"load {title}", load_ending(before).outcome)
                record, ending = run_load(self._context, adapter, store_id)
                note_ended("load", adapter, store_id)
        except StepFailed as failure:
            return failure
        return StepEnd(f"load {load_title(adapter, record)}", ending.outcome)

    def _loaded_before(self, adapter: str, store_id: str) -> StoreRecord | None:
        """Return the record of a store that an earlier process of this run has loaded and reported; None otherwise."""
        if not has_ended("load", adapter, store_id):
            return None
        try:
            with self._context.open_store(store_id) as store:
                record = store.record()
        except StoreNotFound:
            return None
        get_run_logger().info("Store %s was loaded before this run was started again", store_id)
        return record


def _subject(record: DiffRecord) -> str:
    return f"{record.source_name} → {record.target_name} · {format_counts(record.summary)}"


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Name the step in an error of the body.

    Raises:
        StepFailed: The body failed. An unreachable Redis fails the whole run, so its error passes.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ObjectStoreException) and is_transient(error):
            raise
        message = error_message(error)
        if not isinstance(error, EXPECTED_ERRORS):
            get_run_logger().error("%s failed", name, exc_info=True)
            message = f"{type(error).__name__}: {message}"
        raise StepFailed(f"{name!r} failed: {message}") from error
