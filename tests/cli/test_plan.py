"""`diffsync-store plan` and `apply` in processes of their own, over an embedded store."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import ANY

import pytest

from tests.cli.conftest import CommandLine

pytestmark = pytest.mark.slow


@contextmanager
def closed_pipe() -> Iterator[int]:
    """Yield the end of a pipe that a command writes to; nobody reads at the other end."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


def test_a_plan_shows_the_tree_with_old_and_new_values(project: CommandLine) -> None:
    done = project.run("plan", "inventory")
    assert done.stdout == (
        "inventory: files → database\n"
        "\n"
        "~ site ams\n"
        '    region: "us" → "eu"\n'
        "    password: *** (changed)\n"
        "  + device ams__sw1\n"
        '      serial: "A1"\n'
        "+ site ber\n"
        '    region: "eu"\n'
        "    password: ***\n"
        "+ site nyc\n"
        '    region: "us"\n'
        '    note: "\\u001b[31mred"\n'
        "    password: ***\n"
        "  + device nyc__sw2\n"
        '      serial: "A2"\n'
        "- site par\n"
        '    region: "eu"\n'
        "    password: ***\n"
        "\n"
        "Plan: 4 to create, 1 to update, 1 to delete.\n"
    )
    assert "Loaded files: 5 objects, complete" in done.stderr
    assert "Loaded database: 2 objects, complete" in done.stderr
    assert "secret-" not in done.stdout + done.stderr
    assert project.run("diffs").stderr == "No saved diffs.\n"
    assert project.run("stores").stderr == "No stores.\n"


def test_a_saved_plan_is_applied_by_another_process(project: CommandLine) -> None:
    output = project.run("plan", "inventory", "--out", "--exit-code", code=3).stdout
    diff_id = output.splitlines()[-1].removeprefix("diff_id: ")
    assert diff_id in project.run("diffs").stdout
    applied = project.run("apply", diff_id, "--yes")
    assert "Applied: 4 created, 1 updated, 1 deleted." in applied.stdout
    assert project.rows() == [("ams", "eu"), ("ber", "eu"), ("nyc", "us")]
    again = project.run("apply", diff_id, "--yes")
    assert "Nothing was done" in again.stdout
    assert "No changes: files and database do not differ." in project.run("plan", "inventory", "--exit-code").stdout


def test_a_plan_without_changes_says_if_something_was_not_loaded(project: CommandLine) -> None:
    for file in ("sites.csv", "devices.csv"):
        (project.folder / "data" / file).write_bytes(b"")
    with sqlite3.connect(project.database) as database:
        database.execute("delete from site")
    output = project.run("plan", "inventory", "--exit-code").stdout
    assert output.endswith(
        "\nNo changes: files and database do not differ in what was loaded; the load of files is partial.\n"
    )


def test_a_plan_whose_stores_are_gone_has_a_remedy(project: CommandLine) -> None:
    diff_id = project.run("plan", "inventory", "--out").stdout.splitlines()[-1].removeprefix("diff_id: ")
    for line in project.run("stores").stdout.splitlines()[1:]:
        project.run("drop", line.split()[0], "--yes", "--force")
    assert f"The diff {diff_id} cannot be applied" in project.run("apply", diff_id, "--yes", code=1).stderr
    assert len(project.rows()) == 2


def test_a_sync_is_planned_and_applied_at_once(project: CommandLine) -> None:
    document = json.loads(project.run("apply", "inventory", "--yes", "--json").stdout)
    assert document["status"] == "applied"
    assert document["counts"]["created"] == 4
    assert project.rows("select count(*) from device") == [(2,)]
    assert json.loads(project.run("apply", "inventory", "--yes", "--json").stdout)["status"] == "no changes"


def test_without_a_terminal_apply_needs_yes(project: CommandLine) -> None:
    done = project.run("apply", "inventory", code=2)
    assert done.stderr == (
        "Nobody can answer, because the input is not a terminal. Add --yes to apply without a question.\n"
    )
    assert len(project.rows()) == 2


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_plan_ends_without_an_error_when_nobody_reads_on(project: CommandLine, form: tuple[str, ...]) -> None:
    with closed_pipe() as pipe, project.start("plan", "inventory", "--exit-code", *form, stdout=pipe) as running:
        assert running.stderr
        assert running.stderr.read().splitlines() == [ANY, ANY]  # the two loads
        assert running.wait(200) == 3
    assert project.run("diffs").stderr == "No saved diffs.\n"
    assert project.run("stores").stderr == "No stores.\n"


def test_nothing_is_applied_when_nobody_reads_the_plan(project: CommandLine) -> None:
    with closed_pipe() as pipe, project.start("apply", "inventory", "--yes", stdout=pipe) as running:
        assert running.stderr
        assert running.stderr.read().endswith("\nNothing was applied.\n")
        assert running.wait(200) == 1
    assert len(project.rows()) == 2
    assert project.run("diffs").stderr == "No saved diffs.\n"


def test_an_unknown_name_has_a_suggestion(project: CommandLine) -> None:
    assert "no sync 'inventroy' is declared" in project.run("plan", "inventroy", code=1).stderr
    error = project.run("apply", "inventroy", "--yes", code=1).stderr
    assert error == "No sync and no saved diff 'inventroy'. Did you mean 'inventory'? Syncs: inventory.\n"
