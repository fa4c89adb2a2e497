"""A small project that works: two adapters, the YAML file, and the files for Prefect and the shell."""

import os
import re
import shlex
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from diffsync_flows.config.config import Config
from diffsync_flows.deploy.deployment import declared_deployments
from diffsync_flows.deploy.prefect_yaml import prefect_yaml_text
from diffsync_store.project import UserError

SYNCS, ADAPTERS, PREFECT, ENVIRONMENT, DATA = (
    "syncs.yaml",
    "my_adapters.py",
    "prefect.yaml",
    ".env.example",
    "vlans.csv",
)

IN_FOLDER = re.compile(r"FOLDER(\S*)")


def project_files(folder: Path) -> dict[str, str]:
    """Return the text of each file, by name.

    Args:
        folder: Folder of the files; absolute, because a flow run starts in another folder.
    """
    syncs = _template("syncs.yaml")
    return {
        SYNCS: syncs,
        ADAPTERS: _template("my_adapters.py"),
        DATA: _template("vlans.csv"),
        **prefect_files(syncs),
        ENVIRONMENT: IN_FOLDER.sub(lambda found: shlex.quote(f"{folder}{found[1]}"), _template("env")),
    }


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files; nothing is written if one of them exists.

    Raises:
        UserError: A file exists, or the folder cannot be written.
    """
    existing = [name for name in texts if os.path.lexists(folder / name)]
    if existing:
        raise UserError(
            f"{folder} already has {', '.join(existing)}. Nothing was written. Give an empty folder: diffsync-flows init FOLDER"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be written: {error.strerror}") from error


def prefect_files(syncs: str) -> dict[str, str]:
    """Return the texts of the files that Prefect reads, by name; `diffsync-store init` writes them too.

    Args:
        syncs: The text of the YAML file.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / SYNCS
        file.write_text(syncs, "utf-8")
        return {PREFECT: prefect_yaml_text(declared_deployments(Config(file)), SYNCS)}


def _template(name: str) -> str:
    return files("diffsync_flows.scaffold").joinpath("templates", name).read_text("utf-8")
