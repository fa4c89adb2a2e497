"""Apply the YAML file to Prefect: first what the file declares, then what it no longer declares."""

from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import DeploymentResponse

from diffsync_flows.config.config import Config
from diffsync_flows.deploy.automations import (
    create_or_update_automations,
    find_undeclared_automations,
    remove_automations,
)
from diffsync_flows.deploy.change import Change
from diffsync_flows.deploy.deployment import declared_deployments
from diffsync_flows.deploy.deployments import create_or_update, find_undeclared_deployments, is_retired, pause


@dataclass(frozen=True)
class Undeclared:
    """Objects of a project in Prefect that the file no longer declares."""

    deployments: dict[str, DeploymentResponse]
    automations: dict[str, UUID]

    @property
    def active(self) -> list[str]:
        """Names of the objects that `retire` would change."""
        return [
            *(name for name, deployment in self.deployments.items() if not is_retired(deployment)),
            *self.automations,
        ]


async def find_undeclared(config: Config) -> Undeclared:
    async with get_client() as client:
        return Undeclared(
            await find_undeclared_deployments(client, config), await find_undeclared_automations(client, config)
        )


async def apply(config: Config) -> list[Change]:
    """Create or update what the file declares; change nothing else."""
    async with get_client() as client:
        changes = await create_or_update(client, list(declared_deployments(config)))
        return changes + await create_or_update_automations(client, config)


async def retire(undeclared: Undeclared) -> list[Change]:
    """Pause the deployments, and remove the automations."""
    async with get_client() as client:
        changes = await pause(client, undeclared.deployments)
        return changes + await remove_automations(client, undeclared.automations)
