"""Run loads, diffs and applications in threads of the server."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from diffsync_store.diffs import SavedDiff
from diffsync_store.exceptions import LeaseHeld, RehearsalRefused
from diffsync_store.lifecycle import opened
from diffsync_store.notify import Notifier, approval_waits, sync_ended, sync_failed
from diffsync_store.printable import with_notes
from diffsync_store.project import EXPECTED_ERRORS, SyncContext, UserError
from diffsync_store.result import SyncResult
from diffsync_store.runs import (
    LEASE_SECONDS,
    OpenWindow,
    Plan,
    SyncRequest,
    WindowClosed,
    apply_saved,
    approved_request,
    drop_stores,
    find_refused,
    find_sync,
    make_plan,
    must_rehearse,
    needs_approval,
    new_id,
    open_source,
    open_target,
    open_undoable,
    parse_operations,
    rehearse_first,
    rehearse_now,
    renew_diff,
    wait_for_lease,
)
from diffsync_store.serve.running.comparison import load_and_compare, load_and_undo
from diffsync_store.serve.running.runner import RunState, RunStatus, Start
from diffsync_store.serve.running.window_waits import WindowWaits
from diffsync_store.store.redis import Lease

MAX_RUNS = 1000
"""Runs that are remembered. Their results stay with the diffs."""
_THREADS = 4
_LEASE_WAIT = 60.0
_COUNTS = (
    "created",
    "updated",
    "deleted",
    "moved",
    "skipped",
    "failed",
    "blocked",
    "conflicts",
    "suppressed",
    "waiting",
    "ignored",
    "unknown",
)
_log = logging.getLogger(__name__)


class LibraryRunner:
    """Runs in threads of this process. Threads may share it.

    A run that a stopped server has interrupted is started again by a person: the journal of its diff knows what was done.

    Args:
        context: the project; the caller closes it after `close`.
        trust_journal: whether the store keeps every write, as an embedded one does.
    """

    def __init__(self, context: SyncContext[Any], *, trust_journal: bool = False) -> None:
        self._context = context
        self._more: dict[str, Any] = {"trust_journal": True} if trust_journal else {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="run")
        self._runs: OrderedDict[str, RunStatus] = OrderedDict()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._notifier = Notifier(context)
        self._waits = WindowWaits(partial(renew_diff, context))

    def resume(self, diff_id: str, *, is_approved: bool, by: str, comment: str) -> list[RunStatus]:
        """Apply an approved diff; nothing waits for a rejection."""
        if not is_approved:
            self._end_waiting(diff_id, f"{by} rejected the diff.")
            return []
        return [self.start(Start("apply", "", diff_id, waits_for_window=True), by=by)]

    def start(self, start: Start, *, by: str) -> RunStatus:
        """Start a run in a thread.

        Raises:
            UserError: a run of the diff is not finished, the diff cannot be applied now, or the kind is unknown here.
            WindowClosed: no window of the sync is open, and the run has no reason and does not wait.
        """
        if start.kind == "plan":
            self._context.project.sync(start.sync_name)
            start = replace(start, diff_id=start.diff_id or new_id(start.sync_name))
            return self._submit(start, by, self._plan)
        if start.kind == "undo":
            saved = open_undoable(self._context, start.diff_id)
            start = replace(start, sync_name=find_sync(self._context.project, saved.record)[0])
            return self._submit(start, by, partial(self._undo, saved))
        if start.kind not in {"apply", "retry-rejected", "dry-run"}:
            raise UserError(f"This server cannot start {start.kind!r}.")
        plan = self._checked_plan(start)
        start = replace(start, sync_name=plan.sync_name)
        if start.kind == "dry-run":
            return self._submit(start, by, partial(self._dry_run, start))
        window = OpenWindow(plan.sync_name, plan.declared, self._request(start))
        is_waiting = start.waits_for_window and window.is_closed and window.next_opening is not None
        if not is_waiting:
            window.require()
        self._end_waiting(start.diff_id, f"{by} has started another run of the diff.")
        return self._submit(start, by, partial(self._apply, start), window if is_waiting else None)

    def runs(self) -> list[RunStatus]:
        """Return the runs of this process, the newest first."""
        with self._lock:
            return list(reversed(self._runs.values()))

    def close(self) -> None:
        """Stop after the running calls, and wait for the threads."""
        self._stopping.set()
        for run_id in self._waits.close():
            message = "The server stopped before the window opened. Start the run again."
            self._update(run_id, state="stopped", message=message, waits_until=None, ended=_now())
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _checked_plan(self, start: Start) -> Plan:
        plan = make_plan(self._context, self._request(start))
        if start.kind == "dry-run":
            return plan
        if plan.refusal:
            raise UserError(plan.refusal)
        if plan.needs_approval and not plan.is_approved and not plan.applies_unasked:
            raise UserError(f"The diff {start.diff_id} needs an approval, and nobody has approved it as it is now.")
        return plan

    def _request(self, start: Start) -> SyncRequest:
        """Return what a run applies: what the approval covers. Who starts a run cannot allow more."""
        saved = self._context.diffs().open(start.diff_id)
        select = parse_operations(saved, start.select)
        request = approved_request(saved, select=select, retry_rejected=start.kind == "retry-rejected")
        return replace(request, outside_window=start.outside_window)

    def _end_waiting(self, diff_id: str, message: str) -> None:
        """End the runs of a diff that wait for a window."""
        for run in self.runs():
            if run.diff_id == diff_id and self._waits.drop(run.run_id):
                self._update(run.run_id, state="stopped", message=message, waits_until=None, ended=_now())

    def _submit(
        self, start: Start, by: str, run: Callable[[RunStatus], None], window: OpenWindow | None = None
    ) -> RunStatus:
        """Run it in a thread, when the window is open if one is given."""
        status = RunStatus(new_id("run"), start.kind, start.sync_name, start.diff_id, by)
        if window is not None:
            status = replace(status, message=window.waits, waits_until=window.next_opening)
        with self._lock:
            busy = next((each for each in self._runs.values() if _is_busy_with(each, start)), None)
            if busy is not None:
                raise UserError(
                    f"The run {busy.run_id} by {busy.by} works on the diff {busy.diff_id}. Wait until it has ended."
                )
            self._runs[status.run_id] = status
            while len(self._runs) > MAX_RUNS and next(iter(self._runs.values())).has_ended:
                self._runs.popitem(last=False)
        if window is None:
            self._launch(status, run)
        else:
            self._waits.add(status.run_id, window, partial(self._launch, status, run))
        return status

    def _launch(self, status: RunStatus, run: Callable[[RunStatus], None]) -> None:
        try:
            self._pool.submit(self._run, status.run_id, run)
        except RuntimeError:
            self._update(status.run_id, state="stopped", message="The server stops.", ended=_now())
            raise UserError("The server stops. Start the run again when it is up.") from None

    def _run(self, run_id: str, run: Callable[[RunStatus], None]) -> None:
        status = self._update(run_id, state="running", message="", waits_until=None, started=_now())
        secrets = self._context.project.secrets
        try:
            with secrets.redacted_errors():
                run(status)
        except WindowClosed as closed:
            self._update(run_id, state="stopped", message=str(closed), ended=_now())
        except RehearsalRefused as refused:
            self._end(run_id, SyncResult(stopped=str(refused)))
            self._notify_end(status, SyncResult(stopped=str(refused)))
        except Exception as error:  # noqa: BLE001  # the status of the run has it
            text = str(error) if isinstance(error, EXPECTED_ERRORS) else f"{type(error).__name__}: {error}"
            message = secrets.redact(with_notes(error, text))
            _log.warning("The run %s failed: %s", run_id, message)
            if status.kind != "dry-run":
                link = self._notifier.link_to(status.diff_id)
                self._notifier.send(sync_failed(status.sync_name, status.diff_id, message, link=link))
            self._update(run_id, state="failed", message=message, ended=_now())

    def _apply(self, start: Start, status: RunStatus) -> None:
        request = self._request(start)
        with (
            open_target(self._context, status.diff_id) as (saved, target),
            self._lease(target.name, f"apply {status.diff_id}, by {status.by}") as lease,
        ):
            _, declared = find_sync(self._context.project, saved.record)
            rehearse_first(self._context, request)
            with open_source(self._context, saved.record) as source, opened(target):
                result = apply_saved(
                    self._context,
                    request,
                    saved,
                    source,
                    target,
                    lease=lease,
                    by=status.by,
                    require_approval=needs_approval(declared, saved.record, request.allow),
                    should_stop=self._stopping.is_set,
                    callback=self._watch(status.run_id),
                    **self._more,
                )
        if result.window_closed and self._waits_again(start, status, OpenWindow(start.sync_name, declared, request)):
            return
        self._end(status.run_id, result)
        self._notify_end(status, result)

    def _waits_again(self, start: Start, status: RunStatus, window: OpenWindow) -> bool:
        """Let the rest of a run wait for the next window; return whether one opens."""
        opening = window.next_opening
        if opening is None or self._stopping.is_set():
            return False
        self._update(status.run_id, state="waiting", message=window.rest_waits, waits_until=opening)
        self._waits.add(status.run_id, window, partial(self._launch, status, partial(self._apply, start)))
        return True

    def _notify_end(self, status: RunStatus, result: SyncResult) -> None:
        record, link = self._context.diffs().open(status.diff_id).record, self._notifier.link_to(status.diff_id)
        event = sync_ended(status.sync_name, record, result.counts(), stopped=result.stopped, link=link)
        self._notifier.send(event)

    def _lease(self, target: str, reason: str) -> Lease:
        leases, pause = self._context.leases(), self._stopping.wait
        return wait_for_lease(leases, target, reason, seconds=_LEASE_WAIT, ttl=LEASE_SECONDS, pause=pause)

    def _dry_run(self, start: Start, status: RunStatus) -> None:
        request = self._request(start)
        plan = make_plan(self._context, request)
        found = self._rehearsed(plan, request, keeps=False)
        self._end(status.run_id, plan.result, plan.refusal or f"Dry run: nothing was changed.{found}")

    def _plan(self, status: RunStatus) -> None:
        load_and_compare(self._context, status.sync_name, status.diff_id, self._watch(status.run_id))
        request = SyncRequest(status.diff_id)
        plan = make_plan(self._context, request)
        found = self._rehearsed(plan, request, keeps=True)
        self._end(status.run_id, plan.result, plan.refusal or f"Saved the diff {status.diff_id}.{found}")
        if plan.needs_approval and plan.has_changes and not plan.refusal:
            link = self._notifier.link_to(status.diff_id)
            event = approval_waits(plan.sync_name, plan.saved.record, checksum=plan.saved.checksum(), link=link)
            self._notifier.send(event)

    def _rehearsed(self, plan: Plan, request: SyncRequest, *, keeps: bool) -> str:
        """Rehearse a diff if its sync does; return what was found.

        Args:
            plan: the plan of the diff.
            request: what is rehearsed of it.
            keeps: keep what was found with the diff, for those who decide about it.
        """
        if plan.refusal or not must_rehearse(self._context, plan.saved, request):
            return ""
        run = rehearse_first if keeps else rehearse_now
        try:
            with self._lease(plan.saved.record.target_name, f"rehearsal of diff {request.diff_id}"):
                found = run(self._context, request)
        except LeaseHeld as held:
            return f" Not rehearsed: {held}"
        number = len(find_refused(plan.saved, request, found)) if found is not None else 0
        return f" The target would refuse {number:,} {'operation' if number == 1 else 'operations'}." if number else ""

    def _undo(self, saved: SavedDiff, status: RunStatus) -> None:
        undo_id = new_id("undo")
        load_and_undo(self._context, saved, undo_id)
        plan = make_plan(self._context, SyncRequest(undo_id))
        if not plan.saved.record.operations:
            plan.saved.drop()
            drop_stores(self._context, plan.target.store_id)
            self._end(status.run_id, plan.result, "Nothing is left to undo.")
            return
        self._update(status.run_id, link=f"/diffs/{undo_id}")
        self._end(status.run_id, plan.result, plan.refusal or f"Saved the undo {undo_id}.")

    def _watch(self, run_id: str) -> Callable[[str, int, int], None]:
        def watch(_stage: str, done: int, total: int) -> None:
            self._update(run_id, done=done, total=total)

        return watch

    def _end(self, run_id: str, result: SyncResult, message: str = "") -> None:
        counts = {name: count for name in _COUNTS if (count := getattr(result, name))}
        state: RunState = "stopped" if result.stopped else "done"
        canary = f"Canary: {result.canary.text}." if result.canary is not None else ""
        text = message or result.stopped or result.applied_before or canary
        self._update(run_id, state=state, message=text, counts=counts, ended=_now())

    def _update(self, run_id: str, **changes: Any) -> RunStatus:
        with self._lock:
            self._runs[run_id] = replace(self._runs[run_id], **changes)
            return self._runs[run_id]


def _is_busy_with(run: RunStatus, start: Start) -> bool:
    return not run.has_ended and run.diff_id == start.diff_id and "dry-run" not in {run.kind, start.kind}


def _now() -> datetime:
    return datetime.now(UTC)
