"""Operations of a saved diff in a file, each with what rules made of it: a test of the rules that is kept in Git.

The file has JSON lines: first `{"sync": NAME}`, then the operations as `diffsync-store changes --json` prints them, each with
`expect`, a decision. Secrets are redacted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from diffsync_store.diff import DiffElement
from diffsync_store.diffs import SavedDiff
from diffsync_store.operation import Operation
from diffsync_store.project import UserError
from diffsync_store.rules import Decision, Rules, Ruling


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sync: str


@dataclass(frozen=True)
class RuleCase:
    """One operation, and what the rules are expected to make of it."""

    element: DiffElement
    expected: Decision


def record_cases(saved: SavedDiff, sync_name: str, rules: Rules) -> Iterator[str]:
    """Yield the lines of a file with the operations of a diff, each with the present decision."""
    yield json.dumps({"sync": sync_name})
    for operation in saved.operations():
        shown = operation.redacted()
        decision = rules.ruling(shown.element("", "")).decision
        content = json.loads(shown.model_dump_json(exclude_defaults=True))
        yield json.dumps({"expect": decision.value, **content}, ensure_ascii=False)


def read_cases(path: Path) -> tuple[str, list[RuleCase]]:
    """Return the name of the sync, and the cases of a file.

    Raises:
        UserError: it is not such a file.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    try:
        header = _Header.model_validate_json(lines[0] if lines else "")
    except ValidationError:
        raise UserError(
            f'{path}:1: it is not {{"sync": NAME}}. Write the file with `diffsync-store rules record DIFF_ID`.'
        ) from None
    return header.sync, list(_cases(lines[1:], path))


def _cases(lines: Iterable[str], path: Path) -> Iterator[RuleCase]:
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            expected = Decision(content.pop("expect"))
            operation = Operation.model_validate(content)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            reason = "not an operation" if isinstance(error, ValidationError) else error
            raise UserError(f"{path}:{number}: {reason}. `expect` is one of {', '.join(Decision)}.") from None
        yield RuleCase(operation.element("", ""), expected)


def differing(cases: Iterable[RuleCase], rules: Rules) -> Iterator[tuple[RuleCase, Ruling]]:
    """Yield the cases that the rules decide otherwise, with what they say."""
    for case in cases:
        ruling = rules.ruling(case.element)
        if ruling.decision is not case.expected:
            yield case, ruling
