"""What the YAML file asks of Prefect: a deployment for each step of each sync, made or brought up to date.

    load/ADAPTER    diff/SYNC    sync/SYNC    reconcile/SYNC    housekeeping/housekeeping

A deployment's version is a digest of what the file says of it: where it is the same, nothing is touched, and what a person
has changed in the UI stays. What is not in the file any more is paused, and keeps its runs.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
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

from flows.config import Config
from flows.declarations import Schedule, SyncEntry
from flows.diff import diff
from flows.housekeeping import housekeeping
from flows.load import load
from flows.reconcile import reconcile
from flows.sync import sync

ROOT = Path(__file__).parents[1]
TAG = "diffsync"
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
PAGE = 200
STRATEGIES = {"enqueue": ConcurrencyLimitStrategy.ENQUEUE, "skip": ConcurrencyLimitStrategy.CANCEL_NEW}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment as the file has it."""

    flow: str
    name: str
    description: str
    work_pool: str
    parameters: dict[str, Any] = field(default_factory=dict)
    schedule: Schedule | None = None
    overlap: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.flow}/{self.name}"

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
            "tags": [TAG],
            "entrypoint": f"flows.{self.flow}.{self.flow}",
            "path": str(ROOT),
            "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
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


def declared(config: Config) -> Iterator[Deployment]:
    """The deployments that a file asks for."""
    for name, adapter in config.adapters.items():
        yield Deployment(
            flow="load",
            name=name,
            description=_described(f"Load the records of {name} into a store.", adapter.description),
            work_pool=adapter.work_pool,
            parameters={"adapter": name},
            schedule=adapter.schedule,
        )
    for name, entry in config.syncs.items():
        yield from _steps(name, entry)
    told = config.declared.housekeeping
    yield Deployment(
        flow="housekeeping",
        name="housekeeping",
        description="Drop the stores and the saved diffs that are past their retention, and nothing that is in use.",
        work_pool=told.work_pool,
        schedule=told.schedule,
    )


def _steps(name: str, entry: SyncEntry) -> Iterator[Deployment]:
    way = f"{entry.source} → {entry.target}"
    yield Deployment(
        flow="diff",
        name=name,
        description=_described(f"Save what has to change, {way}.", entry.description),
        work_pool=entry.work_pools.diff,
        parameters={"sync_name": name},
    )
    yield Deployment(
        flow="sync",
        name=name,
        description=_described(f"Apply a saved diff, {way}.", entry.description),
        work_pool=entry.work_pools.sync,
        parameters={"sync_name": name},
    )
    yield Deployment(
        flow="reconcile",
        name=name,
        description=_described(f"Load both sides, diff them, sync the difference, {way}.", entry.description),
        work_pool=entry.work_pools.reconcile,
        parameters={"sync_name": name},
        schedule=entry.schedule,
        overlap=entry.overlap,
    )


async def deploy(client: PrefectClient, config: Config) -> list[Change]:
    """Bring the server up to date with the file; what was done, in its order."""
    wanted = list(declared(config))
    changes = [await _ensure_pool(client, pool) for pool in sorted({each.work_pool for each in wanted})]
    changes += [await _ensure(client, deployment) for deployment in wanted]
    return changes + await _pause_others(client, {deployment.full_name for deployment in wanted})


async def _ensure_pool(client: PrefectClient, name: str) -> Change:
    try:
        await client.read_work_pool(name)
        return Change(f"work pool {name}", "unchanged")
    except ObjectNotFound:
        template = await get_default_base_job_template_for_infrastructure_type("process")
        await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template or {}))
        return Change(f"work pool {name}", "created")


async def _ensure(client: PrefectClient, deployment: Deployment) -> Change:
    there: DeploymentResponse | None
    try:
        there = await client.read_deployment_by_name(deployment.full_name)
    except ObjectNotFound:
        there = None
    is_same = there is not None and there.version == deployment.version and LEFT not in there.tags
    if not is_same:
        flow_id = await client.create_flow_from_name(deployment.flow)
        await client.create_deployment(
            flow_id, deployment.name, version=deployment.version, paused=False, **deployment.content()
        )
    done = "unchanged" if is_same else "updated" if there else "created"
    paused = " (paused by hand)" if there and is_same and there.paused else ""
    return Change(deployment.full_name, done, _told(deployment.schedule) + paused)


async def _pause_others(client: PrefectClient, names: set[str]) -> list[Change]:
    """Pause deployments of these flows that left the file."""
    changes = []
    for deployment in await _all(client):
        name = f"{(await client.read_flow(deployment.flow_id)).name}/{deployment.name}"
        if name in names or name.split("/", maxsplit=1)[0] not in FLOWS:
            continue
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
