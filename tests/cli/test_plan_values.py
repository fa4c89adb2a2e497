"""How a plan shows values: short ones in one line, long ones by what differs, control characters escaped."""

from __future__ import annotations

from typing import Any

import pytest

from diffsync_store.cli.plan_values import change_lines, value_lines

LONG = "x" * 300


def changed(old: Any, new: Any, width: int = 100) -> list[str]:
    return [f"{line.sign}{line.text.plain}" for line in change_lines("field", old, new, width)]


def value(shown: Any) -> list[str]:
    return [f"{line.sign}{line.text.plain}" for line in value_lines("field", shown)]


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (1, 2, ["field: 1 → 2"]),
        (None, "é", ['field: null → "é"']),
        ("a\x1b[31m", "a\u202e", ['field: "a\\u001b[31m" → "a\\u202e"']),
        ("***", "***", ["field: *** (changed)"]),
        ("***", "b", ['field: *** → "b"']),
        (["a", "b"], ["b"], ['field: ["a", "b"] → ["b"]']),
        ("a\nb\nc\n", "a\nB\nc\n", ["field:", "    a", "  - b", "  + B", "    c"]),
        ("a\r\nb", "a\nb", ["field:", '  - "a\\r\\nb"', '  + "a\\nb"']),
        (
            "one\ntwo\nthree\nfour",
            "one\ntwo\nthree\n\x1b[2J",
            ["field:", "  …", "    three", "  - four", "  + \\x1b[2J"],
        ),
    ],
)
def test_a_change_shows_what_differs(old: Any, new: Any, lines: list[str]) -> None:
    assert changed(old, new) == lines


def test_values_that_do_not_fit_have_a_line_each() -> None:
    assert changed("old value", "new value", 20) == ["field:", '  - "old value"', '  + "new value"']


def test_long_values_are_shown_from_where_they_differ() -> None:
    label, old, new = changed(f"{LONG}old{LONG}", f"{LONG}new{LONG}")
    assert label == "field:"
    assert old.startswith(f"  - …{'x' * 60}old")
    assert new.startswith(f"  + …{'x' * 60}new")
    assert max(map(len, (old, new))) < 500


def test_of_long_lists_only_the_items_that_differ_are_shown() -> None:
    items = [f"item {number}" for number in range(200)]
    assert changed([*items, "gone"], [*items, "new"]) == ['field: 200 equal items, ["gone"] → 200 equal items, ["new"]']


def test_a_long_text_is_limited() -> None:
    lines = value("\n".join(map(str, range(100))))
    assert (lines[0], lines[1], lines[-1], len(lines)) == ("field:", "  0", "  … 80 more lines", 22)
    assert value(f"{LONG}{LONG}")[0].endswith("… (602 characters)")
    assert value("***") == ["field: ***"]
