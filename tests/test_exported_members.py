import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import diffsync_store

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", diffsync_store.__all__)
def test_every_exported_name_exists_and_says_what_it_is(name: str) -> None:
    member = getattr(diffsync_store, name)
    docstring = vars(member).get("__doc__") if isinstance(member, type) else member.__doc__
    assert isinstance(member, str) or (docstring or "").strip()


def test_each_name_is_exported_once() -> None:
    assert len(diffsync_store.__all__) == len(set(diffsync_store.__all__))


def test_everything_public_at_the_top_is_exported() -> None:
    """Modules that were imported on the way are no names of ours."""
    names = {
        name
        for name, value in vars(diffsync_store).items()
        if getattr(value, "__module__", "").startswith("diffsync_store")
    }
    assert {name for name in names if not name.startswith("_")} <= set(diffsync_store.__all__)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[PurePosixPath]:
    folder = tmp_path_factory.mktemp("wheel")
    command: list[str | Path] = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("*.whl")
    return [PurePosixPath(name) for name in zipfile.ZipFile(file).namelist()]


def test_the_wheel_holds_both_packages_and_nothing_else(wheel: list[PurePosixPath]) -> None:
    assert {path.parts[0] for path in wheel if not path.parts[0].endswith(".dist-info")} == {
        "diffsync_flows",
        "diffsync_store",
    }


def test_the_wheel_holds_the_whole_library(wheel: list[PurePosixPath]) -> None:
    sources = {PurePosixPath(path.relative_to(ROOT)) for path in (ROOT / "diffsync_store").rglob("*.py")}
    assert sources <= set(wheel)
    assert PurePosixPath("diffsync_store/py.typed") in wheel


def test_the_wheel_brings_its_licence(wheel: list[PurePosixPath]) -> None:
    assert [path for path in wheel if path.parts[-2:] == ("licenses", "LICENSE")]
