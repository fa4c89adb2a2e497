"""What Prefect does by itself, for runs that have no process which could: the dead, those that nobody has approved in time,
and a step that follows the one before it.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from diffsync_flows.config.config import Config
from diffsync_flows.config.schema import PROJECT, Chain
from diffsync_flows.deploy.deployments import HEARTBEAT_SECONDS, Change
from diffsync_flows.reporting.events import DIFF_SAVED, PROJECT_LABEL, RECONCILE_LABEL, STORE_LOADED
from diffsync_flows.reporting.run_metadata import PROJECT_TAG
from diffsync_flows.runtime.retries import MAX_RESTARTS
from diffsync_flows.runtime.states import SUSPENDED, EndState

DEAD_AFTER_SECONDS = 3 * HEARTBEAT_SECONDS
RESTART_AFTER_SECONDS = 15
"""A worker tells twice, some seconds apart, that a process has died: the second time must not end the next one."""

ALIVE = ("heartbeat", SUSPENDED, "Cancelling", *EndState)
"""Suspended: a run that waits for an approval has no process that could give a sign of life. Cancelling: what somebody has
cancelled is not started again.
"""

DEAD, STARTED_AGAIN = "runs that died", "runs that died start again"
DIFF_AFTER_LOAD, SYNC_AFTER_DIFF = "diff {} after its load", "sync {} after its diff"
APPROVAL_TIMED_OUT = "syncs that nobody approved"
NEVER_RESUMED = [f"The flow was {name} and never resumed." for name in ("paused", "suspended", "superseded")]
"""What Prefect says of a run when its time to be approved is over."""


def prefix_of(project: str) -> str:
    """With which the names of a project's automations begin."""
    return "diffsync: " if project == PROJECT else f"diffsync {project}: "


async def automate(client: PrefectClient, config: Config) -> list[Change]:
    """Bring the server's automations up to date with the file."""
    project, prefix = config.declared.project, prefix_of(config.declared.project)
    found = [_dead_runs(project), _restarts(project), _not_approved(project), *await _chains(client, config)]
    wanted = {f"{prefix}{each.name}": each.model_copy(update={"name": f"{prefix}{each.name}"}) for each in found}
    there = {each.name: each for each in await client.read_automations() if each.name.startswith(prefix)}
    changes = []
    for name, automation in wanted.items():
        if name not in there:
            await client.create_automation(automation)
            changes.append(Change(name, "created", automation.description))
        elif _content(there[name]) != _content(automation):
            await client.update_automation(there[name].id, automation)
            changes.append(Change(name, "updated", automation.description))
        else:
            changes.append(Change(name, "unchanged", automation.description))
    return changes


async def left_automations(client: PrefectClient, config: Config) -> dict[str, UUID]:
    """The project's automations that its file does not ask for any more, by name."""
    prefix = prefix_of(config.declared.project)
    chains = [name for sync, each in config.syncs.items() for name in _chain_names(sync, each.chain)]
    wanted = {f"{prefix}{name}" for name in (DEAD, STARTED_AGAIN, APPROVAL_TIMED_OUT, *chains)}
    return {
        each.name: each.id
        for each in await client.read_automations()
        if each.name.startswith(prefix) and each.name not in wanted
    }


async def remove(client: PrefectClient, automations: Mapping[str, UUID]) -> list[Change]:
    for automation_id in automations.values():
        await client.delete_automation(automation_id)
    return [Change(name, "removed", "not in the file any more") for name in automations]


def _of(project: str) -> ResourceSpecification:
    """Runs of a project's deployments, which have their tags."""
    return ResourceSpecification(
        {"prefect.resource.id": [f"prefect.tag.{PROJECT_TAG}{project}"], "prefect.resource.role": ["tag"]}
    )


def _when_runs(
    project: str,
    *,
    expect: Iterable[str],
    after: Iterable[str] = (),
    within: int = 0,
    labels: Mapping[str, list[str]] = MappingProxyType({}),
) -> EventTrigger:
    """When a run of a project comes into a state; or when it comes into none of them `within` seconds after another event."""
    return EventTrigger(
        after={f"prefect.flow-run.{event}" for event in after},
        expect={f"prefect.flow-run.{event}" for event in expect},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"], **labels}),
        match_related=_of(project),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive if after else Posture.Reactive,
        threshold=1,
        within=timedelta(seconds=within),
    )


def _dead_runs(project: str) -> AutomationCore:
    return AutomationCore(
        name=DEAD,
        description=f"A run that gives no sign of life for {DEAD_AFTER_SECONDS} seconds has crashed",
        trigger=_when_runs(project, after=["heartbeat"], expect=ALIVE, within=DEAD_AFTER_SECONDS),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="No sign of life: its process or its worker is gone. Started again, it goes on where it stood.",
            )
        ],
    )


def _restarts(project: str) -> AutomationCore:
    return AutomationCore(
        name=STARTED_AGAIN,
        description=f"A run that has crashed is started again, {MAX_RESTARTS} times at most; a sync goes on where it stood",
        trigger=_when_runs(
            project,
            after=[EndState.CRASHED],
            expect=["AwaitingRetry", "Scheduled", "Pending", "Running", EndState.CANCELLED],
            within=RESTART_AFTER_SECONDS,
            labels={"prefect.run-count": [str(count) for count in range(1, MAX_RESTARTS + 1)]},
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                name="AwaitingRetry",
                message="Its process had ended: it goes on where it stood",
            )
        ],
    )


def _not_approved(project: str) -> AutomationCore:
    return AutomationCore(
        name=APPROVAL_TIMED_OUT,
        description="A sync that has waited for an approval as long as it may ends as ApprovalTimedOut",
        trigger=_when_runs(project, expect=[EndState.FAILED], labels={"prefect.state-message": NEVER_RESUMED}),
        actions=[
            ChangeFlowRunState(
                state=StateType.FAILED,
                name=EndState.APPROVAL_TIMED_OUT,
                message="Nobody has approved the diff in time, and nothing was applied. It can still be: start the sync again "
                "with the same diff_id, and approve it there or before that: diffsync-flows approve DIFF_ID --by NAME",
                force=True,
            )
        ],
    )


async def _chains(client: PrefectClient, config: Config) -> list[AutomationCore]:
    project, found = config.declared.project, []
    for name, sync in config.syncs.items():
        if sync.chain.diff_after_load:
            action = RunDeployment(
                source="selected",
                deployment_id=await _id_of(client, f"diff/{name}"),
                parameters={"source_store_id": "{{ event.payload.store_id }}"},
            )
            found.append(_chain(DIFF_AFTER_LOAD.format(name), STORE_LOADED, project, f"adapter.{sync.source}", action))
        if sync.chain.sync_after_diff:
            action = RunDeployment(
                source="selected",
                deployment_id=await _id_of(client, f"sync/{name}"),
                parameters={"diff_id": "{{ event.payload.diff_id }}"},
            )
            found.append(_chain(SYNC_AFTER_DIFF.format(name), DIFF_SAVED, project, f"sync.{name}", action))
    return found


def _chain_names(sync: str, chain: Chain) -> list[str]:
    steps = ((chain.diff_after_load, DIFF_AFTER_LOAD), (chain.sync_after_diff, SYNC_AFTER_DIFF))
    return [name.format(sync) for is_chained, name in steps if is_chained]


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


async def _id_of(client: PrefectClient, name: str) -> UUID:
    return (await client.read_deployment_by_name(name)).id


def _content(automation: AutomationCore) -> Any:
    """What it is and does, without what the server adds."""
    content = automation.model_dump(mode="json", include={"name", "description", "trigger", "actions"})
    content["trigger"].pop("id", None)
    return {**content, "trigger": {name: _sorted(value) for name, value in content["trigger"].items()}}


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
