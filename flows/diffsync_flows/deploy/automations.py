"""Automations in Prefect: create, update and remove them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore

from diffsync_flows.config.config import Config
from diffsync_flows.deploy.automation import chained_deployments, declared_automations, name_prefix
from diffsync_flows.deploy.change import CREATED, REMOVED, UNCHANGED, UPDATED, Change


async def create_or_update_automations(client: PrefectClient, config: Config) -> list[Change]:
    """Create or update what the file declares; its deployments must exist."""
    deployment_ids = {name: (await client.read_deployment_by_name(name)).id for name in chained_deployments(config)}
    existing = await _existing(client, config)
    declared = declared_automations(config, deployment_ids)
    return [await _create_or_update(client, each, existing.get(name)) for name, each in declared.items()]


async def _create_or_update(client: PrefectClient, declared: AutomationCore, existing: Automation | None) -> Change:
    if existing is None:
        await client.create_automation(declared)
        return Change(declared.name, CREATED, declared.description)
    if _content(existing) == _content(declared):
        return Change(declared.name, UNCHANGED, declared.description)
    await client.update_automation(existing.id, declared)
    return Change(declared.name, UPDATED, declared.description)


async def find_undeclared_automations(client: PrefectClient, config: Config) -> dict[str, UUID]:
    """Return the project's automations that the file no longer declares, by name."""
    unknown = dict.fromkeys(chained_deployments(config), UUID(int=0))  # only the names are needed
    declared = declared_automations(config, unknown)
    return {name: each.id for name, each in (await _existing(client, config)).items() if name not in declared}


async def remove_automations(client: PrefectClient, automations: Mapping[str, UUID]) -> list[Change]:
    for automation_id in automations.values():
        await client.delete_automation(automation_id)
    return [Change(name, REMOVED, "no longer in the file") for name in automations]


async def _existing(client: PrefectClient, config: Config) -> dict[str, Automation]:
    prefix = name_prefix(config.declared.project)
    return {each.name: each for each in await client.read_automations() if each.name.startswith(prefix)}


def _content(automation: AutomationCore) -> Any:
    """Return the fields that the file declares, without those that the server adds."""
    content = automation.model_dump(mode="json", include={"name", "description", "trigger", "actions"})
    content["trigger"].pop("id", None)
    return {**content, "trigger": {name: _sorted(value) for name, value in content["trigger"].items()}}


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
