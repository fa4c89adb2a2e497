"""The work pools that the deployments of a file use."""

from collections.abc import Iterable

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from diffsync_flows.deploy.change import CREATED, UNCHANGED, WORK_POOL, Change


async def create_work_pools(client: PrefectClient, names: Iterable[str]) -> list[Change]:
    """Create missing work pools with the type process; existing ones keep their type."""
    return [await _create(client, name) for name in sorted(set(names))]


async def _create(client: PrefectClient, name: str) -> Change:
    try:
        await client.read_work_pool(name)
        return Change(name, UNCHANGED, kind=WORK_POOL)
    except ObjectNotFound:
        template = await get_default_base_job_template_for_infrastructure_type("process")
        await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template or {}))
        return Change(name, CREATED, kind=WORK_POOL)
