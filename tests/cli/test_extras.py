"""A command that cannot start: a package of an extra is missing, or Ctrl-C comes first. One line says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

PROGRAM = """
import sys
sys.modules[sys.argv.pop(1)] = None
from diffsync_store.cli import main
main()
"""

INTERRUPTED = """
import importlib.abc, sys
from importlib import import_module
class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[2]:
            raise KeyboardInterrupt
main = import_module(sys.argv[1]).main
sys.meta_path.insert(0, Interrupt())
main()
"""


class Without(CommandLine):
    """Runs its commands as if the package that comes first were not installed."""

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-c", PROGRAM, *words]


def without(folder: Path, package: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "syncs.yaml").write_text("project: a\n", "utf-8")
    return Without(folder).run(package, *words, code=1)


@pytest.mark.parametrize("package", ["authlib", "itsdangerous", "jinja2", "starlette", "uvicorn"])
def test_the_review_page_without_a_package_says_what_to_install(tmp_path: Path, package: str) -> None:
    done = without(tmp_path, package, "serve")
    assert done.stderr == f"This command needs the package {package}: pip install 'diffsync-store[serve]'\n"


def test_a_token_without_the_packages_of_the_page_says_what_to_install(tmp_path: Path) -> None:
    done = without(tmp_path, "starlette", "token", "ci", "--role", "read")
    assert done.stderr == "This command needs the package starlette: pip install 'diffsync-store[serve]'\n"


@pytest.mark.parametrize(
    ("package", "system", "extra"),
    [
        ("sqlalchemy", "sqlite:///a.db", "sql"),
        ("httpx", "http://127.0.0.1:9/", "rest"),
        ("tenacity", "http://127.0.0.1:9/", "rest"),
    ],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_init_without_a_package_says_what_to_install(
    tmp_path: Path, package: str, system: str, extra: str, side: str
) -> None:
    (tmp_path / "data").mkdir()
    sides = {"source": "data", "target": "data"} | {side: system}
    done = without(tmp_path, package, "init", "new", "--source", sides["source"], "--target", sides["target"], "--yes")
    assert done.stderr.endswith(f": pip install 'diffsync-store[{extra}]'\n")
    assert package in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("package", "slow"),
    [("diffsync_store.cli", "diffsync_store.cli.commands"), ("diffsync_flows.__main__", "diffsync_flows.cli")],
)
def test_ctrl_c_while_a_command_starts_is_one_line(package: str, slow: str) -> None:
    words = [sys.executable, "-c", INTERRUPTED, package, slow]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode, done.stderr) == (1, "Interrupted. Nothing was changed.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_flows_commands_whose_output_is_not_written_end_in_one_line() -> None:
    words = [sys.executable, "-m", "diffsync_flows", "schema"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=200)
    assert (done.returncode, done.stderr) == (1, "The output cannot be written: No space left on device\n")
