"""Real device types in two states, and the example that reads them."""

import tarfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from diffsync_store.adapters.files import FilesAdapter

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "device_types" / "syncs.yaml"
DATA = Path(__file__).parent / "data" / "device-types.tar.xz"
YEARS = ("2024", "2025")


def unpack(folder: Path) -> Path:
    """Unpack the libraries into `folder/2024` and `folder/2025`."""
    with tarfile.open(DATA) as archive:
        archive.extractall(folder, filter="data")
    return folder


def declared() -> dict[str, Any]:
    """The content of the example's file."""
    found: dict[str, Any] = YAML(typ="safe").load(EXAMPLE)
    return found


def library(folder: Path) -> FilesAdapter:
    """The example's source; `folder` has the folder `device-types`."""
    project = declared()
    records = project["adapters"]["library"]["records"]
    return FilesAdapter({"folder": folder / "device-types"}, project["models"], records, name="library")
