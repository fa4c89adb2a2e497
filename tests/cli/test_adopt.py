"""`diffsync-store adopt` of a sync from files to a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffsync_store.cli.connection import open_context
from diffsync_store.store.redis import target_lease
from tests.cli.test_undo import InProcess, planned
from tests.cli.test_undo import project as plain_project

__all__ = ["plain_project"]

RULES = ", fields: {site: {region: unless_changed, note: unless_changed}}, deletes: own"


@pytest.fixture
def project(plain_project: InProcess) -> InProcess:
    """A project with field rules; `ams` is on both sides, with the same note and another region."""
    file = plain_project.folder / "syncs.yaml"
    file.write_text(file.read_text("utf-8").replace("target: database}", f"target: database{RULES}}}"), "utf-8")
    return plain_project


def adopted(project: InProcess, *words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(project.run("adopt", "inventory", "--yes", "--json", *words).stdout)
    return found


def test_it_says_how_many_asks_and_changes_nothing(project: InProcess) -> None:
    before = project.rows("select * from site order by name")
    refused = project.run("adopt", "inventory", code=1, answer="n\n")
    assert "site" in refused.stdout
    assert "Remember 1 values, 0 objects of database as written by syncs of files?" in refused.stderr
    done = project.run("adopt", "inventory", "--by", "eva", answer="y\n")
    assert "Adopted 1 values, 0 objects as eva. Nothing was changed in database." in done.stdout
    assert project.rows("select * from site order by name") == before
    again = project.run("adopt", "inventory", answer="y\n")
    assert "by eva for inventory: 1 values, 0 objects" in again.stderr
    assert "There is nothing to adopt." in again.stdout


def test_adopted_values_follow_the_source(project: InProcess) -> None:
    assert adopted(project)["values"] == {"site": 1}
    sites = project.folder / "data/sites.csv"
    sites.write_text(sites.read_text("utf-8").replace(",old,", ",new,"), "utf-8")
    project.run("apply", "inventory", "--yes")
    assert project.rows("select note, region from site where name = 'ams'") == [
        ("new", "us")
    ]  # the region was another one


def test_objects_are_a_choice_of_their_own(project: InProcess) -> None:
    refused = project.run("adopt", "inventory", "--objects", code=1, answer="n\n")
    assert "files then owns these objects: a sync deletes those that files lacks later." in refused.stderr
    assert adopted(project)["objects"] == {}
    assert adopted(project, "--objects")["objects"] == {"site": 1}
    (project.folder / "data/sites.csv").write_text("name,region,note,password\n", "utf-8")
    (project.folder / "data/devices.csv").write_text("site,name,serial\n", "utf-8")
    plan = project.run("plan", "inventory", "--json").stdout
    deleted = [each["unique_id"] for each in json.loads(plan)["changes"] if each["action"] == "delete"]
    assert deleted == ["ams"]  # par was never in the source


def test_the_stores_of_a_saved_diff_are_used(project: InProcess) -> None:
    diff_id = planned(project)
    (project.folder / "data/sites.csv").write_text("name,region,note,password\n", "utf-8")
    assert adopted(project, "--diff", diff_id)["values"] == {"site": 1}
    assert diff_id in project.run("diffs").stdout


def change_note(project: InProcess, old: str, new: str) -> None:
    sites = project.folder / "data/sites.csv"
    sites.write_text(sites.read_text("utf-8").replace(f",{old},", f",{new},"), "utf-8")


def test_a_diff_that_is_older_than_a_sync_does_not_replace_what_it_wrote(project: InProcess) -> None:
    diff_id = planned(project)
    assert adopted(project)["values"] == {"site": 1}
    change_note(project, "old", "new")
    project.run("apply", "inventory", "--yes")
    found = adopted(project, "--diff", diff_id)
    assert (found["values"], found["outdated"]) == ({}, {"site": 1})
    said = " ".join(project.run("adopt", "inventory", "--yes", "--diff", diff_id).stderr.split())
    assert "1 objects are left out: a sync has written them since the target was loaded. Load the target again" in said
    change_note(project, "new", "newer")
    project.run("apply", "inventory", "--yes")
    assert project.rows("select note from site where name = 'ams'") == [("newer",)]


def test_the_target_is_leased_before_it_is_loaded(project: InProcess, tmp_path: Path) -> None:
    project.run("plan", "inventory")
    (project.folder / "data/sites.csv").unlink()
    with open_context(tmp_path / "syncs.yaml") as context, context.leases().take(target_lease("database"), "a sync"):
        refused = project.run("adopt", "inventory", "--yes", code=1)
    assert "a sync" in refused.stderr
    assert "sites.csv" not in refused.stderr


@pytest.mark.parametrize(
    ("rules", "words", "message"),
    [
        ("", (), "it has neither `unless_changed` nor `deletes: own`"),
        (", deletes: own", (), "To adopt objects, add --objects."),
        (", fields: {site: {region: unless_changed}}", ("--objects",), "Set `deletes: own`, or leave out --objects."),
    ],
)
def test_a_sync_that_needs_no_adoption_is_refused(
    plain_project: InProcess, rules: str, words: tuple[str, ...], message: str
) -> None:
    file = plain_project.folder / "syncs.yaml"
    file.write_text(file.read_text("utf-8").replace("target: database}", f"target: database{rules}}}"), "utf-8")
    refused = plain_project.run("adopt", "inventory", "--yes", *words, code=1)
    assert message in " ".join(refused.stderr.split())


def test_json_asks_no_question(project: InProcess) -> None:
    assert "Add --yes" in project.run("adopt", "inventory", "--json", code=1).stderr


def test_a_locked_target_is_not_adopted(project: InProcess, tmp_path: Path) -> None:
    project.run("plan", "inventory")
    with open_context(tmp_path / "syncs.yaml") as context, context.leases().take(target_lease("database"), "a sync"):
        refused = project.run("adopt", "inventory", "--yes", code=1)
    assert "a sync" in refused.stderr
