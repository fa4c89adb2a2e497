"""What the YAML file asks of Prefect: a deployment for each step of each sync, made or brought up to date.

    load/ADAPTER    diff/SYNC    sync/SYNC    reconcile/SYNC    housekeeping/housekeeping

A deployment's version is a digest of what the file says of it: where it is the same, nothing is touched, and what a person
has changed in the UI stays. What is not in the file any more is paused, and keeps its runs. Two files live side by side in
one Prefect by their `project`: the deployments of another one are never touched, nor those of anybody else.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from diffsync_flows.config.config import Config
from diffsync_flows.config.schema import PROJECT, Schedule, SyncEntry
from diffsync_flows.diff import diff
from diffsync_flows.housekeeping import housekeeping
from diffsync_flows.load import load
from diffsync_flows.reconcile import reconcile
from diffsync_flows.reporting.run_metadata import PROJECT_TAG, TAG
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.prefect_client import PAGE
from diffsync_flows.sync import sync

ROOT = Path(__file__).parents[3]
LEFT = "not-in-the-file"
"""The tag of a deployment that was paused because it is not in the file any more."""
HEARTBEAT_SECONDS = 30
FLOWS: dict[str, Flow[..., Any]] = {
    "load": load,
    "diff": diff,
    "sync": sync,
    "reconcile": reconcile,
    "housekeeping": housekeeping,
}
STRATEGIES = {"enqueue": ConcurrencyLimitStrategy.ENQUEUE, "skip": ConcurrencyLimitStrategy.CANCEL_NEW}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment as the file has it."""

    flow: str
    name: str
    description: str
    work_pool: str
    project: str = PROJECT
    directory: str = str(ROOT)
    """Where the flows stand on the workers' hosts."""
    parameters: dict[str, Any] = field(default_factory=dict)
    schedule: Schedule | None = None
    overlap: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.flow}/{self.name}"

    @property
    def tags(self) -> list[str]:
        return [TAG, f"{PROJECT_TAG}{self.project}"]

    def content(self) -> dict[str, Any]:
        """What Prefect is told, but for the name."""
        limit = ConcurrencyLimitConfig(limit=1, collision_strategy=STRATEGIES[self.overlap]) if self.overlap else None
        schedules = [self.schedule] if self.schedule else []
        schema = parameter_schema(FLOWS[self.flow].fn).model_dump_for_openapi()
        return {
            "description": self.description,
            "work_pool_name": self.work_pool,
            "work_queue_name": "default",
            "parameters": self.parameters,
            "tags": self.tags,
            "entrypoint": f"diffsync_flows.{self.flow}.{self.flow}",
            "path": self.directory,
            "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": self.directory}}],
            "parameter_openapi_schema": {name: part for name, part in schema.items() if part or name != "definitions"},
            "enforce_parameter_schema": True,
            "job_variables": {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}},
            "schedules": [
                DeploymentScheduleCreate(schedule=each.of_prefect(), active=each.active) for each in schedules
            ],
            "concurrency_limit": limit.limit if limit else None,
            "concurrency_options": ConcurrencyOptions(collision_strategy=limit.collision_strategy) if limit else None,
        }

    @property
    def version(self) -> str:
        """Changes with everything that Prefect is told, and with nothing else."""
        content = {name: _plain(value) for name, value in self.content().items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Change:
    """What was done to a deployment, a work pool or an automation."""

    name: str
    done: str
    """`created`, `updated`, `unchanged` or `paused`."""
    what: str = ""


def declared(config: Config, directory: str = str(ROOT)) -> Iterator[Deployment]:
    """The deployments that a file asks for.

    Args:
        config: the file.
        directory: where the workers have the flows.
    """
    project = config.declared.project
    make = partial(Deployment, project=project, directory=directory)
    for name, adapter in config.adapters.items():
        yield make(
            flow="load",
            name=name,
            description=_described(f"Load the records of {name} into a store.", adapter.description),
            work_pool=adapter.work_pool or f"{project}-load",
            parameters={"adapter": name},
            schedule=adapter.schedule,
        )
    for name, entry in config.syncs.items():
        yield from (make(name=name, parameters={"sync_name": name}, **step) for step in _steps(entry, project))
    told = config.declared.housekeeping
    yield make(
        flow="housekeeping",
        name="housekeeping" if project == PROJECT else project,
        description="Drop the stores and the saved diffs that are past their retention, and nothing that is in use.",
        work_pool=told.work_pool or f"{project}-reconcile",
        schedule=told.schedule,
    )


def _steps(entry: SyncEntry, project: str) -> Iterator[dict[str, Any]]:
    way, pools = f"{entry.source} → {entry.target}", entry.work_pools
    yield {
        "flow": "diff",
        "description": _described(f"Save what has to change, {way}.", entry.description),
        "work_pool": pools.diff or f"{project}-diff",
    }
    yield {
        "flow": "sync",
        "description": _described(f"Apply a saved diff, {way}.", entry.description),
        "work_pool": pools.sync or f"{project}-sync",
    }
    yield {
        "flow": "reconcile",
        "description": _described(f"Load both sides, diff them, sync the difference, {way}.", entry.description),
        "work_pool": pools.reconcile or f"{project}-reconcile",
        "schedule": entry.schedule,
        "overlap": entry.overlap,
    }


async def deploy(client: PrefectClient, wanted: Sequence[Deployment]) -> list[Change]:
    """Bring the server up to date with what a file asks for; what was done, in its order.

    Raises:
        UserError: a deployment of the same name is another project's, or somebody else's; nothing was changed.
    """
    there = {each.full_name: await _find(client, each.full_name) for each in wanted}
    foreign = [found for each in wanted if (found := _foreign(each, there[each.full_name]))]
    if foreign:
        raise UserError("\n".join(foreign))
    changes = [await _ensure_pool(client, pool) for pool in sorted({each.work_pool for each in wanted})]
    return changes + [await _ensure(client, each, there[each.full_name]) for each in wanted]


async def _find(client: PrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _foreign(wanted: Deployment, there: DeploymentResponse | None) -> str:
    """Why a deployment is not this file's to change; empty where it is."""
    if there is None or project_of(there) == wanted.project:
        return ""
    owner = f"of the project {project_of(there)!r}" if project_of(there) else "of somebody else: it has no tag diffsync"
    remedy = "give the adapter or the sync another name"
    if project_of(there):
        remedy += f", or say project: {project_of(there)} in the file if it is the same"
    return f"Prefect has a deployment {wanted.full_name} {owner}. Nothing was changed; {remedy}."


def project_of(deployment: DeploymentResponse) -> str:
    """Whose it is; empty where it is none of these deployments."""
    if TAG not in deployment.tags:
        return ""
    marks = [tag.removeprefix(PROJECT_TAG) for tag in deployment.tags if tag.startswith(PROJECT_TAG)]
    return marks[0] if marks else PROJECT


async def _ensure_pool(client: PrefectClient, name: str) -> Change:
    try:
        await client.read_work_pool(name)
        return Change(f"work pool {name}", "unchanged")
    except ObjectNotFound:
        template = await get_default_base_job_template_for_infrastructure_type("process")
        await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template or {}))
        return Change(f"work pool {name}", "created")


async def _ensure(client: PrefectClient, deployment: Deployment, there: DeploymentResponse | None) -> Change:
    is_same = there is not None and there.version == deployment.version and LEFT not in there.tags
    if not is_same:
        flow_id = await client.create_flow_from_name(deployment.flow)
        await client.create_deployment(
            flow_id, deployment.name, version=deployment.version, paused=False, **deployment.content()
        )
    done = "unchanged" if is_same else "updated" if there else "created"
    paused = " (paused by hand)" if there and is_same and there.paused else ""
    return Change(deployment.full_name, done, _told(deployment.schedule) + paused)


async def left(client: PrefectClient, config: Config) -> dict[str, DeploymentResponse]:
    """The project's deployments of these flows that are not in the file any more, by name."""
    names = {each.full_name for each in declared(config)}
    found = {}
    for deployment in await _all(client):
        if project_of(deployment) != config.declared.project:
            continue
        flow = (await client.read_flow(deployment.flow_id)).name
        if flow in FLOWS and (name := f"{flow}/{deployment.name}") not in names:
            found[name] = deployment
    return found


def are_running(deployments: Mapping[str, DeploymentResponse]) -> list[str]:
    """Those that have not been paused yet."""
    return [name for name, deployment in deployments.items() if LEFT not in deployment.tags]


async def pause(client: PrefectClient, deployments: Mapping[str, DeploymentResponse]) -> list[Change]:
    """Pause deployments that left the file; each is told, also one that was paused before."""
    changes = []
    for name, deployment in deployments.items():
        is_new = LEFT not in deployment.tags
        if is_new:
            update = DeploymentUpdate(paused=True, tags=[*deployment.tags, LEFT])
            await client.update_deployment(deployment.id, update)
        changes.append(Change(name, "paused" if is_new else "unchanged", "not in the file any more"))
    return changes


async def _all(client: PrefectClient) -> list[DeploymentResponse]:
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    found: list[DeploymentResponse] = []
    while page := await client.read_deployments(deployment_filter=ours, limit=PAGE, offset=len(found)):
        found += page
    return found


def _described(what: str, more: str) -> str:
    return f"{what}\n\n{more}" if more else what


def _told(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    when = f"cron {schedule.cron} {schedule.timezone}" if schedule.cron else f"every {schedule.interval} s"
    return when if schedule.active else f"{when}, not active"


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
