"""One system as the file declares it: secrets become variables."""

from __future__ import annotations

from pathlib import Path

from diffsync_store.cli.init.system import System
from diffsync_store.project.draft import Side
from diffsync_store.redaction import redact_url_passwords


def draft_side(side: str, system: System, other: System, folder: Path) -> Side:
    """Return a system as an adapter of the file.

    Args:
        side: `source` or `target`.
        system: the system.
        other: the other system.
        folder: the folder of the file.
    """
    address = system.address
    settings, variables, values = dict(system.discovery.settings), dict[str, str](), dict[str, str]()
    if system.token:
        variables[f"{side.upper()}_TOKEN"], values[f"{side.upper()}_TOKEN"] = "its API token", system.token
        settings["token"] = f"${{{side.upper()}_TOKEN}}"
    if address.type == "sql" and not settings["url"].startswith("sqlite"):
        variables[f"{side.upper()}_URL"] = redact_url_passwords(settings["url"])
        values[f"{side.upper()}_URL"] = settings["url"]
        settings["url"] = f"${{{side.upper()}_URL}}"
    if address.type == "files":
        settings["folder"] = _relative(Path(settings["folder"]).expanduser().absolute(), folder)
    if address.type == "sql" and not system.names():
        settings["create_tables"] = True
    name = address.type if address.type != other.address.type else side
    return Side(name, address.type, settings, variables, values)


def _relative(path: Path, folder: Path) -> str:
    """Return a path as the file is to have it: a relative one starts at the folder of the file."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
