"""Find the flow runs that wait: suspended until a person decides about their diff, or scheduled for a window."""

from collections.abc import Iterator, Sequence
from itertools import count

from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort

from diffsync_flows.prefect_api import PAGE
from diffsync_flows.reporting.run_metadata import PROJECT_TAG, TAG
from diffsync_flows.runtime.states import OUTCOME_TAG, SUSPENDED, Outcome
from diffsync_store.diffs import DiffRecord

RESUMING = "Resuming"
"""Prefect's name for the state of a run that was suspended and begins again."""
OVERRIDES = ("allow", "select", "exclude")
"""Parameters of a sync by which it applies more or less than the whole diff within the guards."""


def pending_runs(record: DiffRecord, project: str) -> list[FlowRun]:
    """Return the project's flow runs that wait for a decision about a diff."""
    return [run for run in suspended_runs(project) if run.parameters.get("diff_id") == record.diff_id]


def active_runs(record: DiffRecord, project: str) -> list[FlowRun]:
    """Return the project's flow runs that apply a diff, or that somebody has just resumed."""
    at_work = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
    resumed = FlowRunFilterState(name=FlowRunFilterStateName(any_=[RESUMING]))
    found = {run.id: run for state in (resumed, at_work) for run in _runs(state, project)}
    return [
        run
        for run in found.values()
        if run.parameters.get("diff_id") == record.diff_id and not run.parameters.get("dry_run")
    ]


def pending_diff_ids() -> frozenset[str]:
    """Return the ids of the diffs that wait for a decision or for a window, in any project: projects may share a Redis."""
    waiting = (*suspended_runs(), *scheduled_runs())
    return frozenset(str(run.parameters["diff_id"]) for run in waiting if "diff_id" in run.parameters)


def run_options(runs: Sequence[FlowRun]) -> dict[str, Sequence[object]]:
    """Return the overrides with which the runs were started, for the person who decides."""
    return {
        f"{run.name}: {name}": run.parameters[name] for run in runs for name in OVERRIDES if run.parameters.get(name)
    }


def suspended_runs(project: str = "") -> Iterator[FlowRun]:
    """Yield the flow runs that wait for a decision, of one project or of all."""
    return _runs(FlowRunFilterState(name=FlowRunFilterStateName(any_=[SUSPENDED])), project)


def scheduled_runs(project: str = "") -> Iterator[FlowRun]:
    """Yield the flow runs that are approved and wait for a window, of one project or of all."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    return _runs(state, project, f"{OUTCOME_TAG}{Outcome.WAITS_FOR_WINDOW}")


def _runs(state: FlowRunFilterState, project: str, *tags: str) -> Iterator[FlowRun]:
    all_tags = [TAG, *([f"{PROJECT_TAG}{project}"] if project else []), *tags]
    chosen = FlowRunFilter(state=state, tags=FlowRunFilterTags(all_=all_tags))
    with get_client(sync_client=True) as client:
        for offset in count(0, PAGE):
            runs = client.read_flow_runs(flow_run_filter=chosen, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset)
            yield from runs
            if len(runs) < PAGE:
                return
