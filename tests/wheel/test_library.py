"""The content of the wheel, and the library installed without extras."""

import zipfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pytest

from tests.wheel.conftest import ROOT, Environment

PROGRAM = """
from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.store.local import LocalStore

class Site(DiffSyncModel):
    _modelname, _identifiers = "site", ("name",)
    name: str

class Sites(Adapter):
    site, top_level = Site, ["site"]

source, target = Sites(), Sites(internal_storage_engine=LocalStore())
source.add(Site(name="nyc"))
source.sync_to(target)
print(target.get("site", "nyc"), sorted(name for name in ("prefect", "redis", "typer") if name in __import__("sys").modules))
"""


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in zipfile.ZipFile(wheel).namelist()]


@pytest.fixture(scope="module")
def library_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("library_only") / "venv", wheel)


def test_the_wheel_holds_both_packages_and_nothing_else(names: list[PurePosixPath]) -> None:
    assert {path.parts[0] for path in names if not path.parts[0].endswith(".dist-info")} == {
        "diffsync_flows",
        "diffsync_store",
    }


def test_the_wheel_holds_every_file_of_both_packages(names: list[PurePosixPath]) -> None:
    kinds = {".py", ".typed", ".lua", ".yaml", ".csv"}
    sources = {
        PurePosixPath(path.relative_to(folder.parent))
        for folder in (ROOT / "diffsync_store", ROOT / "flows" / "diffsync_flows")
        for path in folder.rglob("*")
        if path.suffix in kinds or path.parent.name == "templates"
    }
    assert sources - {path for path in sources if "__pycache__" in path.parts} <= set(names)


def test_the_wheel_has_its_licence(names: list[PurePosixPath]) -> None:
    assert [path for path in names if path.parts[-2:] == ("licenses", "LICENSE")]


def test_the_library_works_without_any_extra(library_only: Environment, tmp_path: Path) -> None:
    done = library_only.run("python", "-c", PROGRAM, cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["nyc []"]), done.stderr


@pytest.mark.parametrize(("command", "extra"), [("diffsync-store", "cli"), ("diffsync-flows", "flows")])
def test_a_command_without_its_extra_says_how_to_install_it(
    library_only: Environment, tmp_path: Path, command: str, extra: str
) -> None:
    done = library_only.run(command, "--version", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{command} needs the package ")
    assert done.stderr.endswith(f": pip install 'diffsync-store[{extra}]'\n")


def test_the_command_of_the_library_prints_its_version(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", wheel, "[cli]")
    done = environment.run("diffsync-store", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"diffsync-store {version('diffsync-store')}\n"), done.stderr
