"""Deployments in Prefect: create, update and pause them.

A deployment is updated only if its version differs from the file's, so that edits in Prefect's UI are kept. A deployment that the
file no longer declares is paused, and keeps its runs. Files with different `project` names can share one Prefect: a deployment
of another project, or without the tag `diffsync`, is never changed.
"""

from collections.abc import Mapping, Sequence

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import DeploymentSort
from prefect.exceptions import ObjectNotFound

from diffsync_flows.config.config import Config
from diffsync_flows.config.schema import Schedule
from diffsync_flows.deploy.change import CREATED, PAUSED, UNCHANGED, UPDATED, Change
from diffsync_flows.deploy.deployment import FLOWS, Deployment, declared_deployments
from diffsync_flows.deploy.work_pools import create_work_pools
from diffsync_flows.prefect_api import PAGE
from diffsync_flows.reporting.run_metadata import PROJECT_TAG, TAG
from diffsync_store.project import PROJECT, UserError, format_duration

RETIRED_TAG = "removed-from-file"
"""The tag of a deployment that was paused because the file no longer declares it."""


async def create_or_update(client: PrefectClient, declared: Sequence[Deployment]) -> list[Change]:
    """Create or update work pools and deployments.

    Raises:
        UserError: A deployment of the same name belongs to another project, or has no tag `diffsync`; nothing was changed.
    """
    existing = {each.full_name: await _find(client, each.full_name) for each in declared}
    conflicts = [conflict for each in declared if (conflict := _conflict(each, existing[each.full_name]))]
    if conflicts:
        raise UserError("\n".join(conflicts))
    changes = await create_work_pools(client, (each.work_pool for each in declared))
    return changes + [await _create_or_update(client, each, existing[each.full_name]) for each in declared]


async def _find(client: PrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _conflict(declared: Deployment, existing: DeploymentResponse | None) -> str:
    """Return why the existing deployment must not be changed; empty if it may be changed."""
    if existing is None or project_of(existing) == declared.project:
        return ""
    owner, remedy = "it does not have the tag diffsync", "Rename the adapter or the sync"
    if project := project_of(existing):
        owner = f"it belongs to the project {project!r}"
        remedy += f", or set `project: {project}` in the file if it is the same project"
    return f"Prefect already has a deployment {declared.full_name}, and {owner}. Nothing was changed. {remedy}."


def project_of(deployment: DeploymentResponse) -> str:
    """Return the project of a deployment; empty if no file declared it."""
    if TAG not in deployment.tags:
        return ""
    projects = [tag.removeprefix(PROJECT_TAG) for tag in deployment.tags if tag.startswith(PROJECT_TAG)]
    return projects[0] if projects else PROJECT


async def _create_or_update(client: PrefectClient, declared: Deployment, existing: DeploymentResponse | None) -> Change:
    detail = _describe(declared.schedule)
    if existing and existing.version == declared.version and RETIRED_TAG not in existing.tags:
        paused = " (paused in Prefect)" if existing.paused else ""
        return Change(declared.full_name, UNCHANGED, detail + paused)
    flow_id = await client.create_flow_from_name(declared.flow)
    await client.create_deployment(flow_id, declared.name, version=declared.version, paused=False, **declared.content())
    return Change(declared.full_name, UPDATED if existing else CREATED, detail)


async def find_undeclared_deployments(client: PrefectClient, config: Config) -> dict[str, DeploymentResponse]:
    """Return the project's deployments of these flows that the file no longer declares, by name."""
    declared = {each.full_name for each in declared_deployments(config)}
    found = {}
    for deployment in await _all(client):
        if project_of(deployment) != config.declared.project:
            continue
        flow = (await client.read_flow(deployment.flow_id)).name
        if flow in FLOWS and (name := f"{flow}/{deployment.name}") not in declared:
            found[name] = deployment
    return found


def is_retired(deployment: DeploymentResponse) -> bool:
    return RETIRED_TAG in deployment.tags


async def pause(client: PrefectClient, deployments: Mapping[str, DeploymentResponse]) -> list[Change]:
    """Pause deployments that the file no longer declares."""
    changes = []
    for name, deployment in deployments.items():
        if not is_retired(deployment):
            update = DeploymentUpdate(paused=True, tags=[*deployment.tags, RETIRED_TAG])
            await client.update_deployment(deployment.id, update)
        action = UNCHANGED if is_retired(deployment) else PAUSED
        changes.append(Change(name, action, "no longer in the file"))
    return changes


async def _all(client: PrefectClient) -> list[DeploymentResponse]:
    of_diffsync = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    order = (
        DeploymentSort.CREATED_DESC
    )  # deployments of several flows share a name, so that pages in its order may overlap
    found: list[DeploymentResponse] = []
    while page := await client.read_deployments(
        deployment_filter=of_diffsync, sort=order, limit=PAGE, offset=len(found)
    ):
        found += page
    return found


def _describe(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    times = (
        f"cron {schedule.cron} {schedule.timezone}"
        if schedule.cron
        else f"every {format_duration(schedule.interval or 0)}"
    )
    return times if schedule.active else f"{times}, inactive"
