"""The deployments that the YAML file declares: one for each step of each sync.

    load/ADAPTER    load-shard/ADAPTER    diff/SYNC    sync/SYNC    undo/SYNC    reconcile/SYNC    housekeeping/housekeeping

The entrypoint is a module path: a worker needs this package installed, and no checkout. Prefect's process worker starts each
run in an empty folder, so paths in a worker's environment must be absolute.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prefect import Flow
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.utilities.callables import parameter_schema

from diffsync_flows.config.config import Config
from diffsync_flows.config.schema import PrefectSyncEntry, Schedule
from diffsync_flows.deploy.description import describe_step, describe_sync
from diffsync_flows.diff import diff
from diffsync_flows.housekeeping import housekeeping
from diffsync_flows.load import load
from diffsync_flows.load_shard import load_shard
from diffsync_flows.reconcile import reconcile
from diffsync_flows.reporting.run_metadata import PROJECT_TAG, TAG
from diffsync_flows.runtime.parameters import without_empty_defaults
from diffsync_flows.sync import sync
from diffsync_flows.undo import undo
from diffsync_store.project import PROJECT

HEARTBEAT_SECONDS = 30
FLOWS: dict[str, Flow[..., Any]] = {
    "load": load,
    "load-shard": load_shard,
    "diff": diff,
    "sync": sync,
    "undo": undo,
    "reconcile": reconcile,
    "housekeeping": housekeeping,
}
STRATEGIES = {"enqueue": ConcurrencyLimitStrategy.ENQUEUE, "skip": ConcurrencyLimitStrategy.CANCEL_NEW}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment as the file declares it."""

    flow: str
    name: str
    description: str
    work_pool: str
    project: str = PROJECT
    parameters: dict[str, Any] = field(default_factory=dict)
    schedule: Schedule | None = None
    overlap: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.flow}/{self.name}"

    @property
    def tags(self) -> list[str]:
        return [TAG, f"{PROJECT_TAG}{self.project}"]

    @property
    def entrypoint(self) -> str:
        module = self.flow.replace("-", "_")
        return f"diffsync_flows.{module}.{module}"

    def content(self) -> dict[str, Any]:
        """Return all fields for Prefect's API, except the name."""
        limit = ConcurrencyLimitConfig(limit=1, collision_strategy=STRATEGIES[self.overlap]) if self.overlap else None
        schedules = [self.schedule] if self.schedule else []
        schema = without_empty_defaults(parameter_schema(FLOWS[self.flow].fn).model_dump_for_openapi())
        return {
            "description": self.description,
            "work_pool_name": self.work_pool,
            "work_queue_name": "default",
            "parameters": self.parameters,
            "tags": self.tags,
            "entrypoint": self.entrypoint,
            "pull_steps": [],
            "parameter_openapi_schema": {name: part for name, part in schema.items() if part or name != "definitions"},
            "enforce_parameter_schema": True,
            "job_variables": {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}},
            "schedules": [
                DeploymentScheduleCreate(schedule=each.to_prefect(), active=each.active) for each in schedules
            ],
            "concurrency_limit": limit.limit if limit else None,
            "concurrency_options": ConcurrencyOptions(collision_strategy=limit.collision_strategy) if limit else None,
        }

    @property
    def version(self) -> str:
        """Digest of the content; a deployment with an equal version needs no update."""
        content = {name: _plain(value) for name, value in self.content().items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


def declared_deployments(config: Config) -> Iterator[Deployment]:
    """Yield the deployments that a file declares."""
    project = config.declared.project
    make = partial(Deployment, project=project)
    for name, adapter in config.adapters.items():
        of_adapter = partial(make, name=name, work_pool=_load_pool(config, name), parameters={"adapter": name})
        step = f"Load the records of {name} into a store."
        yield of_adapter(flow="load", description=describe_step(step, adapter.description), schedule=adapter.schedule)
        if config.has_shards(name):
            step = f"Load one shard of {name}. Started by load/{name}."
            yield of_adapter(flow="load-shard", description=describe_step(step, adapter.description))
    for name, entry in config.syncs.items():
        together = next(iter(config.declared.named_pools(name).values()), "") if entry.steps == "together" else ""
        steps = _steps(entry, project, together, _load_pool(config, entry.target), config.secrets.redact)
        yield from (make(name=name, parameters={"sync_name": name}, **step) for step in steps)
    housekeeping_entry = config.declared.housekeeping
    yield make(
        flow="housekeeping",
        name="housekeeping" if project == PROJECT else project,
        description="Delete the stores and saved diffs that are past their retention and not in use.",
        work_pool=housekeeping_entry.work_pool or f"{project}-reconcile",
        schedule=housekeeping_entry.schedule,
    )


def _load_pool(config: Config, adapter: str) -> str:
    """Return the work pool whose workers load an adapter."""
    declared = config.adapters.get(adapter)
    return (declared.work_pool if declared else None) or f"{config.declared.project}-load"


def _steps(
    entry: PrefectSyncEntry, project: str, together: str, load_pool: str, redact: Callable[[str], str]
) -> Iterator[dict[str, Any]]:
    """Yield the steps of a sync.

    Args:
        entry: The sync.
        project: The project of the file.
        together: The work pool that the file names for all steps; empty if it names none.
        load_pool: The work pool whose workers load the target.
        redact: Removes the secrets of the file.
    """
    direction, pools = f"{entry.source} → {entry.target}", entry.work_pools
    yield {
        "flow": "diff",
        "description": describe_step(f"Compare two stores and save the diff, {direction}.", entry.description),
        "work_pool": pools.diff or f"{project}-diff",
    }
    yield {
        "flow": "sync",
        "description": describe_sync(f"Apply a saved diff, {direction}.", entry, redact),
        "work_pool": pools.sync or f"{project}-sync",
    }
    step = f"Save a diff that takes back what the syncs of a saved diff have changed in {entry.target}, {direction}."
    yield {"flow": "undo", "description": describe_step(step, entry.description), "work_pool": load_pool}
    yield {
        "flow": "reconcile",
        "description": describe_sync(f"Load both sides, diff them and sync, {direction}.", entry, redact),
        "work_pool": pools.reconcile or together or f"{project}-reconcile",
        "schedule": entry.schedule,
        "overlap": entry.overlap,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
