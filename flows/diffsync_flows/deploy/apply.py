"""Bringing Prefect up to date with the YAML file: first what the file asks for, then what is in it no more."""

from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import DeploymentResponse

from diffsync_flows.config.config import Config
from diffsync_flows.deploy.automations import automate, left_automations, remove
from diffsync_flows.deploy.deployments import Change, are_running, declared, deploy, left, pause


@dataclass(frozen=True)
class Left:
    """What Prefect has of a project, and its file has not any more."""

    deployments: dict[str, DeploymentResponse]
    automations: dict[str, UUID]

    @property
    def at_work(self) -> list[str]:
        """What would change if it went: what was paused before does not."""
        return [*are_running(self.deployments), *self.automations]


async def find_left(config: Config) -> Left:
    async with get_client() as client:
        return Left(await left(client, config), await left_automations(client, config))


async def bring(config: Config, directory: str) -> list[Change]:
    """Create or update what the file asks for; what left it stays as it is."""
    async with get_client() as client:
        return await deploy(client, list(declared(config, directory))) + await automate(client, config)


async def put_away(left: Left) -> list[Change]:
    """Pause the deployments, and remove the automations."""
    async with get_client() as client:
        return await pause(client, left.deployments) + await remove(client, left.automations)
