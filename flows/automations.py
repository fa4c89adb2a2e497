"""What Prefect does by itself, for runs that have no process which could: the dead, those that nobody has approved in time,
and a step that follows the one before it.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.config import Config
from flows.deployments import HEARTBEAT_SECONDS, TAG, Change
from flows.events import ALONE, LOADED, SAVED
from flows.retries import RESTARTS

PREFIX = "diffsync: "
DEAD_AFTER_SECONDS = 3 * HEARTBEAT_SECONDS
RESTART_AFTER_SECONDS = 15
"""A worker tells twice, some seconds apart, that a process has died: the second time must not end the next one."""

ENDED = (
    "Completed",
    "Partial",
    "AwaitingApproval",
    "Skipped",
    "Failed",
    "NotApproved",
    "Cancelled",
    "Rejected",
    "Crashed",
)
"""Names of states in which a run of these flows ends."""

ALIVE = ("heartbeat", "Suspended", *ENDED)
"""Suspended: a run that waits for an approval has no process that could give a sign of life."""

NEVER_RESUMED = ["The flow was paused and never resumed.", "The flow was suspended and never resumed."]
"""What Prefect says of a run when its time to be approved is over."""
OF_DIFFSYNC = ResourceSpecification({"prefect.resource.id": [f"prefect.tag.{TAG}"], "prefect.resource.role": ["tag"]})


async def automate(client: PrefectClient, config: Config) -> list[Change]:
    """Bring the server's automations up to date with the file; those of ours that it does not ask for are removed."""
    wanted = {each.name: each for each in [_dead_runs(), _restarts(), _not_approved(), *await _chains(client, config)]}
    there = {each.name: each for each in await client.read_automations() if each.name.startswith(PREFIX)}
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
    for name in there.keys() - wanted.keys():
        await client.delete_automation(there[name].id)
        changes.append(Change(name, "removed", "not in the file any more"))
    return changes


def _dead_runs() -> AutomationCore:
    return AutomationCore(
        name=f"{PREFIX}runs that died",
        description=f"A run that gives no sign of life for {DEAD_AFTER_SECONDS} seconds has crashed",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={f"prefect.flow-run.{state}" for state in ALIVE},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=OF_DIFFSYNC,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=DEAD_AFTER_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="No sign of life: its process or its worker is gone. Started again, it goes on where it stood.",
            )
        ],
    )


def _restarts() -> AutomationCore:
    return AutomationCore(
        name=f"{PREFIX}runs that died start again",
        description=f"A run that has crashed is started again, {RESTARTS} times at most; a sync goes on where it stood",
        trigger=EventTrigger(
            after={"prefect.flow-run.Crashed"},
            expect={f"prefect.flow-run.{state}" for state in ("AwaitingRetry", "Scheduled", "Pending", "Running")},
            match=ResourceSpecification(
                {
                    "prefect.resource.id": ["prefect.flow-run.*"],
                    "prefect.run-count": [str(count) for count in range(1, RESTARTS + 1)],
                }
            ),
            match_related=OF_DIFFSYNC,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=RESTART_AFTER_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                name="AwaitingRetry",
                message="Its process had ended: it goes on where it stood",
            )
        ],
    )


def _not_approved() -> AutomationCore:
    return AutomationCore(
        name=f"{PREFIX}syncs that nobody approved",
        description="A sync that has waited for an approval as long as it may ends as NotApproved",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed"},
            match=ResourceSpecification(
                {"prefect.resource.id": ["prefect.flow-run.*"], "prefect.state-message": NEVER_RESUMED}
            ),
            match_related=OF_DIFFSYNC,
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.FAILED,
                name="NotApproved",
                message="Nobody has approved the diff in time, and nothing was applied. It can still be: start the sync again "
                "with the same diff_id, and approve it there or before that: python -m flows approve DIFF_ID --by NAME",
                force=True,
            )
        ],
    )


async def _chains(client: PrefectClient, config: Config) -> list[AutomationCore]:
    found = []
    for name, sync in config.syncs.items():
        if sync.chain.diff_after_load:
            parameters = {"source_store_id": "{{ event.payload.store_id }}"}
            deployment = await _id_of(client, f"diff/{name}")
            related = f"diffsync.adapter.{sync.source}"
            found.append(_chain(f"diff {name} after its load", LOADED, related, deployment, parameters))
        if sync.chain.sync_after_diff:
            parameters = {"diff_id": "{{ event.payload.diff_id }}"}
            deployment = await _id_of(client, f"sync/{name}")
            found.append(_chain(f"sync {name} after its diff", SAVED, f"diffsync.sync.{name}", deployment, parameters))
    return found


def _chain(name: str, event: str, related: str, deployment: UUID, parameters: dict[str, Any]) -> AutomationCore:
    return AutomationCore(
        name=f"{PREFIX}{name}",
        description=f"Runs on the event {event}",
        trigger=EventTrigger(
            expect={event},
            match=ResourceSpecification(ALONE),
            match_related=ResourceSpecification({"prefect.resource.id": [related]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[RunDeployment(source="selected", deployment_id=deployment, parameters=parameters)],
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
