from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from diffsync_store.project import ConfigError, Project, find_problems

Read = Callable[..., Project]
Problems = Callable[..., list[str]]


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
def problems(path: Path, read: Read) -> Problems:
    """Write a file and return the lines of its problems, without the path."""

    def problems(content: str, **environment: str) -> list[str]:
        try:
            found = [*find_problems(read(content, **environment))]
        except ConfigError as error:
            found = [*error.problems]
        return [str(problem).removeprefix(f"{path}:").removeprefix(" ") for problem in found]

    return problems
