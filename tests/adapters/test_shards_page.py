"""The page about shards: its file and its adapter run."""

import re
import runpy
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from diffsync_store import LocalStore
from diffsync_store.project import Project, find_problems
from tests.adapters.running import applied
from tests.adapters.sharding import require_same_as_whole
from tests.cli.conftest import CommandLine
from tests.servers import is_gone, wait_until

PAGE = Path(__file__).parents[2] / "docs/how-to/shards.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in re.findall(
        r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_the_file_of_the_page_runs_and_its_shards_have_each_record_once(folder: Path) -> None:
    project = Project(folder / "syncs.yaml", {"DATABASE_URL": f"sqlite:///{folder}/inventory.db"})
    assert list(find_problems(project)) == []
    with closing(sqlite3.connect(folder / "inventory.db")) as connection:
        connection.executescript((folder / "tables.sql").read_text("utf-8"))
    assert applied(project, "inventory") == (5, 0, 0, 0)
    names = {"branches": ["eu", "us"], "inventory": ["europe", "elsewhere"]}
    for adapter, shards in names.items():
        found = require_same_as_whole(lambda adapter=adapter: project.make_adapter(adapter, LocalStore()))  # type: ignore[misc]
        assert [list(found), [len(shard) for shard in found.values()]] == [shards, [2, 3]]


def test_the_adapter_of_the_page_loads_its_shards(folder: Path) -> None:
    controllers = runpy.run_path(str(folder / "my_adapters.py"))["Controllers"]
    assert list(require_same_as_whole(controllers)) == ["eu", "us"]


@pytest.mark.slow
def test_the_command_of_the_page_loads_the_shards(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "inventory.db")) as connection:
        connection.executescript((folder / "tables.sql").read_text("utf-8"))
    command = CommandLine(folder, {"DATABASE_URL": f"sqlite:///{folder}/inventory.db"})
    try:
        assert "Applied: 5 created." in command.run("apply", "inventory", "--yes").stdout
        (folder / "branches/us/devices.csv").unlink()
        (folder / "branches/eu/sites.csv").write_text("name,region\n", "utf-8")
        shown = " ".join(command.run("plan", "inventory").stdout.split())
        assert "the load of the shard us failed: FileNotFoundError: No file fits '*/devices.csv'" in shown
        assert "Plan: 0 to create, 0 to update, 0 to delete, 4 suppressed." in shown
    finally:
        wait_until(lambda: all(map(is_gone, command.servers())), 100, "no server is left behind")
