"""Notify people of how runs end, as `notify` in the file says. Nothing of this fails a run."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from prefect import get_run_logger, runtime
from prefect.exceptions import Pause
from prefect.utilities.urls import url_for

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.events import is_step
from diffsync_flows.reporting.notification_block import NotificationBlockChannel
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import error_message
from diffsync_flows.runtime.superseded_runs import abort_if_superseded
from diffsync_store import ObjectStoreException, StoreRecord
from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.notify import (
    Notifier,
    approval_waits,
    load_failed,
    loaded,
    stale_syncs,
    sync_ended,
    sync_failed,
)
from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.runs import SyncRequest, find_sync


class RunNotifications:
    """The notifications of one flow run. Threads may share it.

    Args:
        context: The project.
    """

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        secrets, log = context.project.secrets, get_run_logger()
        self._notifier = Notifier(context, lambda name: NotificationBlockChannel(name, secrets), log.warning)

    def approval(self, saved: SavedDiff, sync: str, request: SyncRequest) -> None:
        """Notify that a diff waits for a decision."""
        link, run = self._links(request.diff_id)
        checksum, allow = saved.checksum(), request.allow
        approval = saved.journal().approval() if saved.record.operation_rules else None
        event = approval_waits(
            sync, saved.record, checksum=checksum, allow=allow, approval=approval, link=link, run=run
        )
        self._notifier.send(event)

    def sync_end(
        self, sync: str, record: DiffRecord, request: SyncRequest, counts: Mapping[str, int], stopped: str
    ) -> None:
        """Notify of a sync that did not do all of its work. What the request left out was left out on purpose."""
        link, run = self._links(request.diff_id)
        shown = counts if request.is_whole_diff else {**counts, "suppressed": 0}
        self._notifier.send(sync_ended(sync, record, shown, stopped=stopped, link=link, run=run))

    def load_end(self, adapter: str, record: StoreRecord) -> None:
        """Notify of a partial load."""
        link, run = self._links()
        syncs = self._context.project.syncs_of(adapter)
        self._notifier.send(loaded(adapter, record, syncs, link=link, run=run))

    @contextmanager
    def load_failure(self, adapter: str, store_id: str) -> Iterator[None]:
        """Notify of an error of the body, which loads an adapter. A reconcile notifies of the errors of its steps itself."""
        if is_step():
            yield
            return
        try:
            yield
        except Exception as error:
            reason = self._reason(error)
            link, run = self._links()
            syncs = self._context.project.syncs_of(adapter)
            self._notifier.send(load_failed(adapter, store_id, syncs, reason, link=link, run=run))
            raise

    @contextmanager
    def sync_failure(self, sync: str, diff_id: str) -> Iterator[None]:
        """Notify of an error of the body, which makes or applies a diff. Without the name of the sync, the diff knows it."""
        try:
            yield
        except Exception as error:
            reason = self._reason(error)
            link, run = self._links()
            self._notifier.send(sync_failed(sync or self._sync_of(diff_id), diff_id, reason, link=link, run=run))
            raise

    def diff_failure(self, sync: str, diff_id: str) -> AbstractContextManager[None]:
        """Notify of an error of the body, which makes a diff, unless it is a step of a reconcile."""
        return nullcontext() if is_step() else self.sync_failure(sync, diff_id)

    def stale_syncs(self) -> None:
        """Notify of each sync that was not in sync for longer than its `stale_after`."""
        with best_effort("Cannot look for stale syncs", ObjectStoreException):
            for event in stale_syncs(self._context, link=self._notifier.link_to()):
                self._notifier.send(event)

    @contextmanager
    def stale_check(self) -> Iterator[None]:
        """Notify of stale syncs when the body has ended, failed or waits for a person."""
        try:
            yield
        except (Exception, Pause):
            self.stale_syncs()
            raise
        self.stale_syncs()

    def _reason(self, error: Exception) -> str:
        abort_if_superseded()
        kind = "" if isinstance(error, EXPECTED_ERRORS) else f"{type(error).__name__}: "
        return f"{kind}{error_message(error)}"

    def _sync_of(self, diff_id: str) -> str:
        with suppress(*EXPECTED_ERRORS):
            name, _ = find_sync(self._context.project, self._context.diffs().open(diff_id).record)
            return name
        return f"the sync of diff {diff_id}"

    def _links(self, diff_id: str = "") -> tuple[str, str]:
        """Return where to look or to decide, and the page of this flow run if it is another one."""
        run = self._run_page()
        page = self._notifier.link_to(diff_id)
        return (page, run) if page else (run, "")

    def _run_page(self) -> str:
        run_id, base = runtime.flow_run.id, self._context.project.declared.prefect_ui
        return f"{base}/runs/flow-run/{run_id}" if base else url_for("flow-run", run_id) or ""
