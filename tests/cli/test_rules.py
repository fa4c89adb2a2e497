"""Rules of a sync in the terminal: `plan`, `apply`, `approve` and `rules`."""

from __future__ import annotations

import json

import pytest

from diffsync_store.cli.connection import open_context
from diffsync_store.runs import find_waiting
from diffsync_store.serve.pages.status import status_of
from tests.cli.conftest import CommandLine
from tests.cli.test_field_rules import declare
from tests.cli.test_undo import planned, project

__all__ = ["project"]
RULES = (
    "rules: [{name: updates, action: update, then: apply}, {name: new, action: create, then: review, approvers: 2}, "
    "{action: delete, then: hold}]"
)


def states(project: CommandLine, diff_id: str) -> set[tuple[str, str]]:
    """Return action and state of each operation of a diff."""
    found = set()
    for state in ("pending", "done", "waiting", "suppressed", "ignored"):
        text = project.run("changes", diff_id, "--state", state, "--json").stdout
        found |= {(json.loads(line)["action"], state) for line in text.splitlines()}
    return found


def waits(project: CommandLine, diff_id: str) -> tuple[str, str]:
    """Return for what a diff waits, and its status on the review page."""
    with open_context(project.folder / "syncs.yaml") as context:
        found = next(each for each in find_waiting(context) if each.record.diff_id == diff_id)
        saved = context.diffs().open(diff_id)
        return found.reason, status_of(saved, context.project.sync("inventory")).text


def test_what_the_rules_review_waits_for_as_many_people(project: CommandLine) -> None:
    declare(project, RULES)
    diff_id = planned(project)
    shown = project.run("plan", "inventory").stdout
    assert "waiting for an approval" in shown
    assert "updates" in shown
    assert "suppressed by the rule 'delete: hold'" in shown
    done = project.run("apply", diff_id, "--yes")
    assert f"waiting for an approval. Then: diffsync-store approve {diff_id} --by NAME" in done.stdout
    assert states(project, diff_id) == {("update", "done"), ("create", "waiting"), ("delete", "suppressed")}
    assert waits(project, diff_id) == ("approval", "waits for approval")
    report = project.run("report", diff_id, "--format", "markdown").stdout
    assert "2 people must approve" in report
    assert "A sync suppresses" in report
    assert "need the approval of 1 more person." in project.run("approve", diff_id, "--by", "ann").stdout
    assert "approved by ann" in project.run("apply", diff_id, "--yes").stdout
    assert "more pe" not in project.run("approve", diff_id, "--by", "bob").stdout
    project.run("apply", diff_id, "--yes")
    assert states(project, diff_id) == {("update", "done"), ("create", "done"), ("delete", "suppressed")}
    assert waits(project, diff_id)[0] != "approval"


def test_a_diff_of_other_rules_is_refused(project: CommandLine) -> None:
    diff_id, before = planned(project), project.rows()
    declare(project, RULES)
    assert "was made with other `rules`" in project.run("apply", diff_id, "--yes", code=1).stderr
    assert project.rows() == before


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{model: devise, then: hold}", "no model has the name 'devise'"),
        ("{model: device, where: {stie: x}, then: hold}", "device has no field 'stie'"),
        ("{where: {stie: x}, then: hold}", "device, site have no field 'stie'"),
        ("{then: later}", "'apply', 'review', 'hold' or 'ignore'"),
    ],
)
def test_a_wrong_rule_is_a_problem_with_its_line(project: CommandLine, rule: str, message: str) -> None:
    declare(project, f"rules: [{rule}]")
    done = project.run("check", code=1)
    assert message in done.stdout + done.stderr
    assert "syncs.yaml:" in done.stdout + done.stderr


def test_rules_are_tested_on_the_operations_of_a_saved_diff(project: CommandLine) -> None:
    declare(project, RULES)
    recorded = project.run("rules", "record", planned(project)).stdout
    assert "secret-" not in recorded
    cases = project.folder / "rules.jsonl"
    cases.write_text(recorded, "utf-8")
    assert "operations are decided as expected" in project.run("rules", "test", str(cases)).stdout
    file = project.folder / "syncs.yaml"
    file.write_text(
        file.read_text("utf-8").replace("{action: delete, then: hold}", "{action: delete, then: ignore}"), "utf-8"
    )
    done = project.run("rules", "test", str(cases), code=1).stdout
    assert "decided otherwise" in done
    assert "ignore: delete: ignore" in done


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'rules.jsonl:1: it is not {"sync": NAME}'),
        ("[]\n", 'rules.jsonl:1: it is not {"sync": NAME}'),
        ('{"sync": "inventory"}\n{"expect": "later"}\n', "rules.jsonl:2: 'later' is not a valid Decision"),
        ('{"sync": "inventory"}\n{"expect": "hold"}\n', "rules.jsonl:2: not an operation"),
        ('{"sync": "inventory"}\n[1]\n', "rules.jsonl:2: "),
        ('{"sync": "other"}\n', "no sync 'other'"),
    ],
)
def test_a_wrong_file_of_cases_names_the_line(project: CommandLine, text: str, message: str) -> None:
    declare(project, RULES)
    cases = project.folder / "rules.jsonl"
    cases.write_text(text, "utf-8")
    assert message in project.run("rules", "test", str(cases), code=1).stderr
    assert "cannot be read" in project.run("rules", "test", str(project.folder / "none"), code=1).stderr
