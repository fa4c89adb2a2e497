"""Field rules in the YAML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffsync_store.field_rules import FieldRule
from diffsync_store.project import ConfigError, Project, find_problems

FILE = """
models:
  device:
    identifiers: {name: str}
    attributes: {description: str, serial: {type: str, default: ""}, notes: {type: str, default: ""}}
adapters:
  old: {type: files, settings: {folder: old}, records: {device: {from: device.csv}}}
  new: {type: files, settings: {folder: new}, records: {device: {from: device.csv}}}
  other: {type: files, settings: {folder: other}, records: {device: {from: device.csv}}}
syncs:
  nightly:
    {source: old, target: new, RULES}
  weekly: {source: other, target: new, fields: {device: {notes: unless_changed}}}
"""


def write(folder: Path, rules: str) -> Path:
    for name in ("old", "new", "other"):
        (folder / name).mkdir()
    path = folder / "syncs.yaml"
    path.write_text(FILE.replace("RULES", rules), "utf-8")
    return path


def _problems(path: Path) -> list[str]:
    try:
        return [str(problem) for problem in find_problems(Project(path, {}))]
    except ConfigError as error:
        return str(error).splitlines()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("fields: {devise: {serial: never}}", "new has no model 'devise'. Did you mean 'device'?"),
        ("fields: {device: {serail: never}}", "device has no attribute 'serail'. Did you mean 'serial'?"),
        ("fields: {device: {name: never}}", "name identifies device"),
        ("fields: {device: {serial: sometimes}}", "serial"),
        ("fields: {device: {description: never}}", "description is required to create a device"),
        ("deletes: {devise: own}", "new has no model 'devise'"),
    ],
)
def test_a_wrong_rule_is_a_problem_with_its_line_and_a_remedy(tmp_path: Path, rules: str, message: str) -> None:
    [problem] = _problems(write(tmp_path, rules))
    assert message in problem
    assert ":12:" in problem


def test_a_sync_remembers_what_other_syncs_of_its_target_need(tmp_path: Path) -> None:
    path = write(tmp_path, 'fields: {device: {"*": fill_empty, serial: unless_changed}}, deletes: {device: own}')
    assert not _problems(path)
    rules = Project(path, {}).field_rules("old", "new")
    assert rules.rule("device", "description") is FieldRule.FILL_EMPTY
    assert rules.deletes_own("device")
    assert {name for name in ("description", "serial", "notes") if rules.remembers("device", name)} == {
        "serial",
        "notes",
    }
