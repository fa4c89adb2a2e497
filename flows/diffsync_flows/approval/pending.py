"""Find the flow runs that are suspended until a person decides about their diff."""

from collections.abc import Iterator, Sequence
from itertools import count

from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateName, FlowRunFilterTags
from prefect.client.schemas.sorting import FlowRunSort

from diffsync_flows.prefect_api import PAGE
from diffsync_flows.reporting.run_metadata import PROJECT_TAG, TAG
from diffsync_flows.runtime.states import SUSPENDED
from diffsync_store.diffs import DiffRecord

OVERRIDES = ("allow", "select", "exclude")
"""Parameters of a sync by which it applies more or less than the whole diff within the guards."""


def pending_runs(record: DiffRecord, project: str) -> list[FlowRun]:
    """Return the project's flow runs that wait for a decision about a diff."""
    return [run for run in suspended_runs(project) if run.parameters.get("diff_id") == record.diff_id]


def pending_diff_ids() -> frozenset[str]:
    """Return the ids of the diffs that wait for a decision, in any project: projects may share a Redis."""
    return frozenset(str(run.parameters["diff_id"]) for run in suspended_runs() if "diff_id" in run.parameters)


def run_options(runs: Sequence[FlowRun]) -> dict[str, Sequence[object]]:
    """Return the overrides with which the runs were started, for the person who decides."""
    return {
        f"{run.name}: {name}": run.parameters[name] for run in runs for name in OVERRIDES if run.parameters.get(name)
    }


def suspended_runs(project: str = "") -> Iterator[FlowRun]:
    """Yield the flow runs that wait for a decision, of one project or of all."""
    tags = [TAG, f"{PROJECT_TAG}{project}"] if project else [TAG]
    suspended = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[SUSPENDED])),
        tags=FlowRunFilterTags(all_=tags),
    )
    with get_client(sync_client=True) as client:
        for offset in count(0, PAGE):
            runs = client.read_flow_runs(flow_run_filter=suspended, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset)
            yield from runs
            if len(runs) < PAGE:
                return
