"""The project file with the keys of Prefect. The only module that reads the environment.

store:
  url: ${REDIS_URL}
adapters:
  inventory:
    class: my_adapters:Inventory
    settings: {folder: /srv/inventory}
syncs:
  devices: {source: inventory, target: database}
"""

import os
from collections.abc import Mapping
from pathlib import Path

from diffsync_flows.config.schema import PrefectAdapterEntry, PrefectDeclarations, PrefectSyncEntry
from diffsync_flows.prefect_api import translated_api_errors
from diffsync_store.project import BaseProject, UserError

DEFAULT_CONFIG = "syncs.yaml"
SET_CONFIG = (
    "Set DIFFSYNC_CONFIG to the absolute path of the YAML file in the environment of the worker: a flow run starts in an "
    "empty folder."
)


class Config(BaseProject[PrefectSyncEntry]):
    """A project that also declares deployments, and may have its Redis URL in a Prefect block."""

    declarations = PrefectDeclarations

    declared: PrefectDeclarations
    adapters: Mapping[str, PrefectAdapterEntry]

    def __init__(self, path: Path, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__(path, environment)

    def _url_of_block(self, name: str) -> str:
        from diffsync_flows.blocks import DiffsyncStore

        try:
            with translated_api_errors():
                found = DiffsyncStore.load(name, _sync=True)  # type: ignore[call-arg]  # also in a flow that is async
        except ValueError as error:
            kind = DiffsyncStore._block_type_name
            message = f"cannot read the block {name!r} of the type {kind!r}: {error}"
            raise self.file.error(("store", "block"), message) from None
        assert isinstance(found, DiffsyncStore)  # noqa: S101  # for the type checker: it is not a coroutine
        return found.url.get_secret_value()


def read_config() -> Config:
    """Read the file that DIFFSYNC_CONFIG names, as a flow run does.

    Raises:
        UserError: The variable does not name a file.
        ConfigError: The file has errors.
    """
    named = os.environ.get("DIFFSYNC_CONFIG", "")
    path = Path(named or DEFAULT_CONFIG)
    if not path.is_absolute() and not path.exists():
        problem = f"DIFFSYNC_CONFIG={named} is not an absolute path" if named else "DIFFSYNC_CONFIG is not set"
        raise UserError(f"{problem}, and there is no {path} in {Path.cwd()}. {SET_CONFIG}")
    return Config(path)


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with changes, for a child process."""
    return {**os.environ, **changes}
