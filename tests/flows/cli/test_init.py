"""`diffsync-flows init` writes a project that works, and never overwrites a file."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from diffsync_flows.cli import app
from tests.conftest import demand
from tests.servers import RedisServer

NAMES = {"syncs.yaml", "my_adapters.py", "vlans.csv", "prefect.yaml", ".env.example"}


def init(*words: str) -> Result:
    return CliRunner().invoke(app, ["init", *words])


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def variables(folder: Path) -> dict[str, str]:
    """Return the variables of .env.example as a shell reads them."""
    words = [line for line in (folder / ".env.example").read_text("utf-8").splitlines() if line[:1] not in {"", "#"}]
    return dict(shlex.split(word)[0].split("=", 1) for word in words)


@pytest.mark.slow
def test_the_new_project_passes_check_with_its_environment_file(tmp_path: Path) -> None:
    folder = tmp_path / "a new & odd folder"
    done = init(str(folder))
    assert done.exit_code == 0, done.output
    assert set(content(folder)) == NAMES
    with demand(lambda: RedisServer("valkey")) as redis:
        environment = {**os.environ, **variables(folder), "REDIS_URL": redis.url}
        environment.pop("PREFECT_API_URL")
        command = [sys.executable, "-m", "diffsync_flows", "check"]
        checked = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=200
        )
    assert (checked.returncode, checked.stdout) == (0, f"{folder}/syncs.yaml: OK (2 adapters, 1 sync)\n"), (
        checked.stderr
    )


def test_the_prefect_yaml_matches_the_syncs_yaml(tmp_path: Path) -> None:
    init(str(tmp_path / "new"))
    printed = CliRunner().invoke(app, ["prefect-yaml", "--file", str(tmp_path / "new" / "syncs.yaml")])
    assert printed.stdout == content(tmp_path / "new")["prefect.yaml"]


def test_the_next_commands_are_printed(tmp_path: Path) -> None:
    lines = init(str(tmp_path / "new")).stdout.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["cd", "diffsync-flows", "diffsync-flows"]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_file_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", "utf-8")
    done = init(str(tmp_path))
    assert done.exit_code == 1
    assert done.stderr.startswith(f"{tmp_path} already has {name}. Nothing was written.")
    assert content(tmp_path) == {name: "mine"}


def test_a_dangling_symlink_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "vlans.csv").symlink_to(tmp_path / "elsewhere")
    assert init(str(tmp_path)).exit_code == 1
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "syncs.yaml").exists()


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    done = init(str(tmp_path / "file" / "new"))
    assert (done.exit_code, done.stderr) == (1, f"{tmp_path}/file/new cannot be written: Not a directory\n")
