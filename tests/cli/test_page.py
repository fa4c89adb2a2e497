"""docs/plan-and-apply.md: its project runs, and each command prints what the page shows."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs/plan-and-apply.md").read_text("utf-8")
_DIFF_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def keys_of(command: str) -> set[str]:
    """Return the keys of a JSON document that the page lists."""
    table = PAGE[PAGE.index(f"`{command}`:\n") :].split("\n\n")[1]
    return {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.fixture
def page(tmp_path: Path) -> CommandLine:
    """The project of the page, over a database with two sites."""
    (tmp_path / "data").mkdir()
    [file], [data] = blocks("yaml"), blocks("csv")
    (tmp_path / "syncs.yaml").write_text(file, "utf-8")
    (tmp_path / "data/sites.csv").write_text(data, "utf-8")
    with closing(sqlite3.connect(tmp_path / "inventory.db")) as connection:
        connection.executescript(
            "create table site(name text primary key, region text, contact text);"
            "insert into site values ('ams', 'us', 'noc@example.org'), ('par', 'eu', 'paris@example.org');"
        )
    return CommandLine(tmp_path)


def test_each_command_prints_what_the_page_shows(page: CommandLine) -> None:
    for block in blocks("console"):
        for part in filter(None, block.split("$ diffsync-store ")):
            command, shown = part.split("\n", 1)
            output = page.run(*shlex.split(command)).stdout
            expected = shown.removeprefix("...\n")
            assert _DIFF_ID.sub("ID", output).endswith(_DIFF_ID.sub("ID", expected)), command
            assert shown.startswith("...\n") or output == shown


def test_the_documents_have_the_keys_that_the_page_lists(page: CommandLine) -> None:
    plan: dict[str, Any] = json.loads(page.run("plan", "sites", "--json").stdout)
    assert set(plan) == keys_of("plan --json")
    assert plan["summary"] == {
        "create": 2, "update": 1, "delete": 1, "suppressed": 0, "waiting": 0, "ignored": 0, "done_before": 0, "unknown": 0, "rejected": 0,
    }  # fmt: skip
    [ams] = [change for change in plan["changes"] if change["action"] == "update"]
    assert ams | {"id": ""} == {
        "id": "",
        "action": "update",
        "model": "site",
        "unique_id": "ams",
        "identifiers": {"name": "ams"},
        "parents": [],
        "changes": {"+": {"region": "eu"}, "-": {"region": "us"}},
        "left_out": None,
    }
    assert plan["source"]["objects"] == {"site": 3}
    assert "changes" not in json.loads(page.run("plan", "sites", "--json", "--summary").stdout)
    result = json.loads(page.run("apply", "sites", "--yes", "--json").stdout)
    assert set(result) == keys_of("apply --json")
