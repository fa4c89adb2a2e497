"""The Lua that runs inside Redis, in files of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diffsync_store.store.redis.scripts.source import read_source
from tests.conftest import ROOT

FOLDER = ROOT / "diffsync_store/store/redis/scripts"
FILES = sorted(path.relative_to(FOLDER / "lua").with_suffix("").as_posix() for path in (FOLDER / "lua").rglob("*.lua"))


@pytest.mark.parametrize("name", FILES)
def test_every_file_includes_only_files_that_exist_and_each_once(name: str) -> None:
    source = read_source(name)
    assert "-- include" not in source
    functions = re.findall(r"^local function (\w+)", source, re.MULTILINE)
    assert len(functions) == len(set(functions))


def test_what_is_included_comes_before_what_includes_it() -> None:
    source = read_source("store/write")
    assert (
        source.index("function stamp(") < source.index("function admit(") < source.index("KEYS: record, counts, schema")
    )


def test_every_file_is_a_script_or_is_included() -> None:
    programs = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
    scripts = set(re.findall(r'Script\("([\w/]+)"\)', programs))
    included = {name for file in FILES for name in re.findall(r"^-- include (\S+)$", lua(file), re.MULTILINE)}
    assert scripts | included == set(FILES)


def lua(name: str) -> str:
    return Path(FOLDER / f"lua/{name}.lua").read_text("utf-8")
