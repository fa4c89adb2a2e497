"""Resume and start flow runs for the review page of `diffsync-store serve`."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.utilities.urls import url_for

from diffsync_flows.approval.answers import is_covered, resume
from diffsync_flows.approval.pending import active_runs, pending_runs
from diffsync_flows.approval.window_wait import end_scheduled
from diffsync_flows.config.config import Config
from diffsync_flows.prefect_api import translated_api_errors
from diffsync_flows.reporting.run_metadata import PROJECT_TAG
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.states import OUTCOME_TAG, Outcome
from diffsync_store.diffs import SavedDiff
from diffsync_store.project import UserError
from diffsync_store.runs import (
    OpenWindow,
    SyncRequest,
    approved_request,
    find_sync,
    needs_approval,
    new_id,
    open_undoable,
    parse_operations,
)
from diffsync_store.serve.running import Runner, RunState, RunStatus, Start

TAG = "diffsync-review-page"
"""Marks the runs that the page has started."""
_SHOWN = 50
_SOON = timedelta(minutes=1)
"""A run that begins within this time waits for a worker, not for a window."""
_FLAGS: dict[str, dict[str, bool]] = {
    "apply": {},
    "dry-run": {"dry_run": True},
    "retry-rejected": {"retry_rejected": True},
}
_STATES: dict[str, RunState] = {
    "COMPLETED": "done",
    "FAILED": "failed",
    "CRASHED": "failed",
    "CANCELLED": "stopped",
    "RUNNING": "running",
}


def prefect_runner(project_file: Path) -> Runner | None:
    """Return a runner for a project file; None if no Prefect server is configured here."""
    return PrefectRunner(Config(project_file)) if PREFECT_API_URL.value() else None


class PrefectRunner:
    """Runs of the deployments of a file. Threads may share it.

    Args:
        config: the file.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def resume(self, diff_id: str, *, is_approved: bool, by: str, comment: str) -> list[RunStatus]:
        """Resume the flow runs that wait for a decision about a diff, which is recorded already.

        Raises:
            UserError: The diff is approved and no run waits for it, Prefect refuses to resume one, or does not answer.
        """
        with translated_api_errors(), SyncContext(self._config) as context:
            saved = context.diffs().open(diff_id)
            waiting = pending_runs(saved.record, self._config.declared.project)
            runs = [run for run in waiting if not is_approved or is_covered(run, saved)]
            if not is_approved:
                end_scheduled(diff_id, self._config.declared.project, f"{by} rejected the diff: {comment}")
            resume(runs, is_approved=is_approved, by=by, comment=comment)
            if is_approved and not waiting:  # `diffsync-flows resume` may have been faster
                runs = active_runs(saved.record, self._config.declared.project)
        if is_approved and not waiting and not runs:
            raise UserError(
                "The approval is recorded, and no flow run waits for this diff. Start a run that applies it."
            )
        if waiting and not runs:
            raise UserError(f"The approval is recorded. {_still_waiting(waiting[0])}")
        if is_approved and not all(_covers(run, saved) for run in runs):
            raise UserError(
                "The run that waited continues without what guards suppress, because it was started without it. When it has ended, "
                "start a run that applies the diff: it applies what you have released."
            )
        name, _ = self._config.sync_between(saved.record.source_name, saved.record.target_name)
        return [_status(run, Start("apply", name, diff_id), by) for run in runs]

    def start(self, start: Start, *, by: str) -> RunStatus:
        """Start a run of a deployment. `plan` is a reconcile that changes nothing: it loads, compares and saves the diff.

        Raises:
            UserError: The deployment does not exist, or Prefect does not answer.
        """
        if start.kind == "plan":
            self._config.sync(start.sync_name)
            return self._run(f"reconcile/{start.sync_name}", {"dry_run": True}, start, by)
        if start.kind == "undo":
            return self._undo(start, by)
        with SyncContext(self._config) as context:
            saved = context.diffs().open(start.diff_id)
            name, _ = find_sync(self._config, saved.record)
            approved = approved_request(saved, select=parse_operations(saved, start.select))
            begins = self._begins(start, saved, approved)
        parameters = {"diff_id": start.diff_id, **_FLAGS[start.kind], **_overrides(approved)}
        if start.outside_window:
            parameters["outside_window"] = f"{start.outside_window} (given by {by} on the review page)"
        return self._run(f"sync/{name}", parameters, Start(start.kind, name, start.diff_id), by, begins)

    def runs(self) -> list[RunStatus]:
        """Return the runs that the page has started, the newest first."""
        tags = [TAG, f"{PROJECT_TAG}{self._config.declared.project}"]
        with translated_api_errors(), get_client(sync_client=True) as client:
            found = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=tags)),
                sort=FlowRunSort.EXPECTED_START_TIME_DESC,
                limit=_SHOWN,
            )
        return [_status(run, _start_of(run), "") for run in found]

    def close(self) -> None:
        """Do nothing: the runs are on workers."""

    def _undo(self, start: Start, by: str) -> RunStatus:
        with SyncContext(self._config) as context:
            saved = open_undoable(context, start.diff_id)
            name, _ = find_sync(self._config, saved.record)
        parameters = {"diff_id": start.diff_id, "undo_id": new_id("undo")}
        return self._run(f"undo/{name}", parameters, Start("undo", name, start.diff_id), by)

    def _begins(self, start: Start, saved: SavedDiff, approved: SyncRequest) -> datetime | None:
        """Return when a run begins; None for at once.

        A run that asks a person begins at once, and waits for the window when it is approved.

        Raises:
            WindowClosed: no window of the sync is open, and the run has no reason and does not wait.
        """
        name, declared = find_sync(self._config, saved.record)
        window = OpenWindow(name, declared, replace(approved, outside_window=start.outside_window))
        approval = saved.journal().approval()
        is_approved = approval is not None and not approval.is_rejected
        asks = needs_approval(declared, saved.record, approved.allow) and not is_approved
        if start.kind == "dry-run" or asks or not window.is_closed:
            return None
        if not start.waits_for_window:
            window.require()
        return window.next_opening

    def _run(
        self, deployment: str, parameters: dict[str, Any], start: Start, by: str, begins: datetime | None = None
    ) -> RunStatus:
        tags = [TAG, f"{PROJECT_TAG}{self._config.declared.project}"]
        if begins is not None:
            tags.append(f"{OUTCOME_TAG}{Outcome.WAITS_FOR_WINDOW}")
        with translated_api_errors():
            try:
                run = run_deployment(
                    deployment,
                    parameters=parameters,
                    scheduled_time=begins,
                    timeout=0,
                    as_subflow=False,
                    tags=tags,
                )
            except ObjectNotFound:
                raise UserError(
                    f"Prefect has no deployment {deployment}. Run `diffsync-flows deploy` with the file that declares it."
                ) from None
        return _status(cast("FlowRun", run), start, by)  # it is a coroutine only in an event loop


def _still_waiting(run: FlowRun) -> str:
    """Return why a run goes on waiting that was started with more than the approval covers."""
    given = ", ".join(f"{name} {value}" for name in ("allow", "select") for value in run.parameters.get(name) or ())
    more = f" (it was started with {given})" if given else ""
    return (
        f"The run {run.name} still waits, because the approval does not cover all that it applies{more}. Decide on its page: "
        f"{url_for(run)}"
    )


def _covers(run: FlowRun, saved: SavedDiff) -> bool:
    """Whether a run releases all that the approval of its diff releases."""
    return set(approved_request(saved).allow) <= set(run.parameters.get("allow") or ())


def _overrides(approved: SyncRequest) -> dict[str, Any]:
    """Return the parameters of a run that applies what was approved, and no more."""
    found = {"allow": list(approved.allow), "select": [asdict(each) for each in approved.select]}
    return {name: values for name, values in found.items() if values}


def _status(run: FlowRun, start: Start, by: str) -> RunStatus:
    state = run.state
    is_saved = start.kind == "undo" and state is not None and state.is_completed()
    return RunStatus(
        str(run.id),
        start.kind,
        start.sync_name,
        start.diff_id,
        by,
        _STATES.get(state.type.value, "waiting") if state else "waiting",
        message=": ".join(filter(None, (state.name, state.message))) if state else "",
        link=f"/diffs/{run.parameters['undo_id']}" if is_saved else url_for(run) or "",
        waits_until=_waits_until(run),
        started=run.start_time,
        ended=run.end_time,
    )


def _waits_until(run: FlowRun) -> datetime | None:
    """Return when a run begins, if that is later."""
    until = run.state.state_details.scheduled_time if run.state and run.state.is_scheduled() else None
    return until if until is not None and until > datetime.now(UTC) + _SOON else None


def _start_of(run: FlowRun) -> Start:
    """Return what a run was started for, from its parameters."""
    parameters = run.parameters
    if "diff_id" not in parameters:
        return Start("plan", str(parameters.get("sync_name") or ""))
    if "undo_id" in parameters:
        return Start("undo", str(parameters.get("sync_name") or ""), str(parameters["diff_id"]))
    kinds = (kind for kind, flags in _FLAGS.items() if flags and all(parameters.get(name) for name in flags))
    return Start(next(kinds, "apply"), str(parameters.get("sync_name") or ""), str(parameters["diff_id"]))  # type: ignore[arg-type]
