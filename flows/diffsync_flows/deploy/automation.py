"""The automations that the YAML file declares. With them, Prefect's server does what the process of a run cannot do:

- mark a run as crashed when its process is gone,
- restart a crashed run,
- end a sync whose approval timed out,
- start the next step of a chain.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from diffsync_flows.config.config import Config
from diffsync_flows.deploy.deployment import HEARTBEAT_SECONDS
from diffsync_flows.reporting.events import DIFF_SAVED, PROJECT_LABEL, RECONCILE_LABEL, STORE_LOADED
from diffsync_flows.reporting.run_metadata import PROJECT_TAG
from diffsync_flows.runtime.retries import MAX_RESTARTS
from diffsync_flows.runtime.states import CANCELLED, COMPLETED, CRASHED, FAILED, SUSPENDED
from diffsync_store.project import PROJECT

CRASHED_AFTER_SECONDS = 3 * HEARTBEAT_SECONDS
RESTART_AFTER_SECONDS = 15
"""A worker reports the end of a process twice, some seconds apart. The second report must not end the next attempt."""

ALIVE = ("heartbeat", SUSPENDED, "Scheduled", "Cancelling", COMPLETED, FAILED, CANCELLED, CRASHED)
"""Events that keep a run from being marked as crashed. A suspended run waits for an approval, a scheduled one for a window, and
both have no process; a run that is being cancelled must not be restarted.
"""
NEVER_RESUMED = [f"The flow was {state.lower()} and never resumed." for state in ("paused", SUSPENDED, CANCELLED)]
"""Prefect's messages for a run that was not resumed in time."""


def name_prefix(project: str) -> str:
    """Return the prefix of the names of a project's automations."""
    return "diffsync: " if project == PROJECT else f"diffsync {project}: "


def declared_automations(config: Config, deployment_ids: Mapping[str, UUID]) -> dict[str, AutomationCore]:
    """Return the automations that a file declares, by name.

    Args:
        config: The file.
        deployment_ids: Ids of the deployments that `chained_deployments` names.
    """
    project = config.declared.project
    declared = [_crash_lost_runs(project), _restart_crashed_runs(project), _end_unapproved_syncs(project)]
    declared += _chains(config, deployment_ids)
    prefix = name_prefix(project)
    return {(name := f"{prefix}{each.name}"): each.model_copy(update={"name": name}) for each in declared}


def chained_deployments(config: Config) -> Iterator[str]:
    """Yield the names of the deployments that the chains of a file start."""
    for name, sync in config.syncs.items():
        if sync.chain.diff_after_load:
            yield f"diff/{name}"
        if sync.chain.sync_after_diff:
            yield f"sync/{name}"


def _on_run_event(
    project: str,
    *,
    expect: Iterable[str],
    after: Iterable[str] = (),
    within: int = 0,
    labels: Mapping[str, list[str]] = MappingProxyType({}),
) -> EventTrigger:
    """Return a trigger for an event of a project's run.

    With `after`, it fires if none of the expected events follows one of `after` within this many seconds.
    """
    return EventTrigger(
        after={f"prefect.flow-run.{event}" for event in after},
        expect={f"prefect.flow-run.{event}" for event in expect},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"], **labels}),
        match_related=ResourceSpecification(
            {"prefect.resource.id": [f"prefect.tag.{PROJECT_TAG}{project}"], "prefect.resource.role": ["tag"]}
        ),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive if after else Posture.Reactive,
        threshold=1,
        within=timedelta(seconds=within),
    )


def _crash_lost_runs(project: str) -> AutomationCore:
    return AutomationCore(
        name="mark lost runs as crashed",
        description=f"Marks a run as crashed if it sends no heartbeat for {CRASHED_AFTER_SECONDS} seconds",
        trigger=_on_run_event(project, after=["heartbeat"], expect=ALIVE, within=CRASHED_AFTER_SECONDS),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="No heartbeat: the process or its worker is gone. A restarted run continues where this one stopped.",
            )
        ],
    )


def _restart_crashed_runs(project: str) -> AutomationCore:
    return AutomationCore(
        name="restart crashed runs",
        description=f"Restarts a crashed run, up to {MAX_RESTARTS} times; a sync continues where it stopped",
        trigger=_on_run_event(
            project,
            after=[CRASHED],
            expect=["AwaitingRetry", "Scheduled", "Pending", "Running", CANCELLED],
            within=RESTART_AFTER_SECONDS,
            labels={"prefect.run-count": [str(count) for count in range(1, MAX_RESTARTS + 1)]},
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                name="AwaitingRetry",
                message="The process ended; the run continues where it stopped.",
            )
        ],
    )


def _end_unapproved_syncs(project: str) -> AutomationCore:
    return AutomationCore(
        name="end syncs whose approval timed out",
        description="Says in the state of a run that nobody decided before its approval timeout",
        trigger=_on_run_event(project, expect=[FAILED], labels={"prefect.state-message": NEVER_RESUMED}),
        actions=[
            ChangeFlowRunState(
                state=StateType.FAILED,
                name=FAILED,
                message="Nobody approved the diff in time; nothing was applied. To apply it, start the sync again with the same "
                "diff_id. Approve it there, or beforehand: diffsync-flows approve DIFF_ID --by NAME",
                force=True,
            )
        ],
    )


def _chains(config: Config, deployment_ids: Mapping[str, UUID]) -> Iterator[AutomationCore]:
    project = config.declared.project
    for name, sync in config.syncs.items():
        if sync.chain.diff_after_load:
            action = RunDeployment(
                source="selected",
                deployment_id=deployment_ids[f"diff/{name}"],
                parameters={"source_store_id": "{{ event.payload.store_id }}"},
            )
            yield _chain(f"run diff {name} after its load", STORE_LOADED, project, f"adapter.{sync.source}", action)
        if sync.chain.sync_after_diff:
            action = RunDeployment(
                source="selected",
                deployment_id=deployment_ids[f"sync/{name}"],
                parameters={"diff_id": "{{ event.payload.diff_id }}"},
            )
            yield _chain(f"run sync {name} after its diff", DIFF_SAVED, project, f"sync.{name}", action)


def _chain(name: str, event: str, project: str, related: str, action: RunDeployment) -> AutomationCore:
    return AutomationCore(
        name=name,
        description=f"Runs on the event {event}",
        trigger=EventTrigger(
            expect={event},
            match=ResourceSpecification({RECONCILE_LABEL: "no", PROJECT_LABEL: project}),
            match_related=ResourceSpecification({"prefect.resource.id": [f"diffsync.{related}"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[action],
    )
