"""Ready adapters in an environment that has the wheel with their extras, and no class of a user."""

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from airports.demo.ports import free_port
from tests.wheel.conftest import ROOT, Environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILE = """
models:
  vlan: {identifiers: {number: int}, attributes: {name: str}}
adapters:
  sheet: {type: files, settings: {folder: .}, records: {vlan: {from: vlans.csv}}}
  inventory: {type: sql, settings: {url: "sqlite:///inventory.db"}, records: {vlan: {from: vlans}}}
  api: {type: rest, settings: {url: "http://127.0.0.1:9"}, records: {vlan: {}}}
syncs:
  vlans: {source: sheet, target: inventory}
"""


def test_files_go_to_a_database_with_two_commands(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", wheel, "[cli,embedded,sql]")
    (tmp_path / "syncs.yaml").write_text(FILE, "utf-8")
    (tmp_path / "vlans.csv").write_text("number,name\n10,users\n20,voice\n", "utf-8")
    with closing(sqlite3.connect(tmp_path / "inventory.db")) as database:
        database.executescript("CREATE TABLE vlans (number INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}

    for expected in ("Plan: 2 to create", "No changes"):
        planned = environment.run("diffsync-store", "plan", "vlans", cwd=tmp_path, **home)
        assert expected in planned.stdout, planned.stderr
        applied = environment.run("diffsync-store", "apply", "vlans", "--yes", cwd=tmp_path, **home)
        assert applied.returncode == 0, applied.stderr
    with closing(sqlite3.connect(tmp_path / "inventory.db")) as database:
        assert list(database.execute("SELECT * FROM vlans")) == [(10, "users"), (20, "voice")]

    checked = environment.run("diffsync-store", "check", cwd=tmp_path, **home)
    assert checked.returncode == 1
    assert "pip install 'diffsync-store[rest]'" in checked.stdout + checked.stderr


def test_the_example_of_python_functions_runs_with_the_installed_command(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", wheel, "[cli]")
    page = (ROOT / "docs/adapters/python.md").read_text("utf-8")
    for name, content in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content, "utf-8")
    variables = {"HOME": str(tmp_path), "CONTROLLER_URL": "http://controller"}
    found = environment.run("diffsync-store", "check", cwd=tmp_path, **variables)
    assert found.returncode == 1
    assert "add its folder to PYTHONPATH" in found.stderr

    assert "`export PYTHONPATH=$PWD`" in page
    found = environment.run(
        "diffsync-store", "preview", "controller", cwd=tmp_path, **variables, PYTHONPATH=str(tmp_path)
    )
    assert (found.returncode, found.stdout.count('model: "X1"')) == (0, 2), found.stderr


def test_the_review_page_starts_without_prefect(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", wheel, "[serve]")
    (tmp_path / "syncs.yaml").write_text(FILE.partition("adapters:")[0], "utf-8")
    with subprocess.Popen(
        [environment.bin / "diffsync-store", "serve", "--port", str(free_port())],
        cwd=tmp_path,
        env=environment.variables | {"HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr
        lines = []
        for line in running.stderr:
            lines.append(line)
            if "Press Ctrl-C to stop." in line:
                running.terminate()
        assert any("Press Ctrl-C to stop." in line for line in lines), "".join(lines)
        assert any("The library runs the syncs, not prefect" in line for line in lines), "".join(lines)
