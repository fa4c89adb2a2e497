from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from diffsync_store.project import ConfigError, Project, find_faults

Read = Callable[..., Project]
Faults = Callable[..., list[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "syncs.yaml"


@pytest.fixture
def read(path: Path) -> Read:
    """Write a file and read it."""

    def read(content: str, **environment: str) -> Project:
        path.write_text(dedent(content), "utf-8")
        return Project(path, environment)

    return read


@pytest.fixture
def faults(path: Path, read: Read) -> Faults:
    """Write a file and return the lines of its faults, without the path."""

    def faults(content: str, **environment: str) -> list[str]:
        try:
            found = [*find_faults(read(content, **environment))]
        except ConfigError as error:
            found = [*error.faults]
        return [str(fault).removeprefix(f"{path}:").removeprefix(" ") for fault in found]

    return faults
