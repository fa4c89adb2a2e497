"""Field rules of a sync, whoever makes the diff: `plan`, `diff --save` or the review page."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_undo import planned, project

__all__ = ["project"]


def declare(project: CommandLine, rules: str) -> None:
    file = project.folder / "syncs.yaml"
    file.write_text(file.read_text("utf-8").replace("target: database}", f"target: database, {rules}}}"), "utf-8")


def test_a_diff_that_was_made_without_the_rules_is_refused(project: CommandLine) -> None:
    diff_id = planned(project)
    before = project.rows()
    declare(project, "fields: {site: {region: fill_empty}}")
    assert "was made with other field rules" in project.run("apply", diff_id, "--yes", code=1).stderr
    assert project.rows() == before
    project.run("apply", planned(project), "--yes")
    after = set(project.rows())
    assert {row for row in before if row[1] and row[0] in {name for name, _ in after}} <= after


@pytest.mark.parametrize("rules", ["deletes: own"])
def test_what_no_sync_has_created_is_not_deleted(project: CommandLine, rules: str) -> None:
    before = {name for name, _ in project.rows()}
    declare(project, rules)
    project.run("apply", planned(project), "--yes")
    assert before <= {name for name, _ in project.rows()}
