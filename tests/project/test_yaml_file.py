"""A file is YAML 1.2 with plain values, within limits; each problem has its line and column."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from diffsync_store.project import ConfigError
from diffsync_store.project.yaml_file import YamlFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "syncs.yaml"


def problem(path: Path, content: str) -> str:
    path.write_text(content, "utf-8")
    with pytest.raises(ConfigError) as caught:
        YamlFile(path)
    [line] = caught.value.lines
    return line.removeprefix(f"{path}:")


ALIASES = "a: [&a0 [x, x, x, x, x, x, x, x, x]]\n" + "".join(
    f"b{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
"""Half a kilobyte that expands to 3,486,784,401 values."""
MERGES = "a: &a0 {x: 1}\n" + "".join(
    f"b{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 10)
)
TOO_MANY = "more than 100,000 values, those of aliases (*name, <<) counted each time. Use fewer aliases."
TOO_DEEP = "more than 50 levels of lists and mappings. An alias must not contain itself."
QUOTE_STAR = 'Put a text that begins with * into quotes: "*/5 * * * *"'
TAG = "Put a text that begins with ! into quotes; write a class as module:Class."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a:\n\tb: x", "2:1: invalid YAML: found character '\\t' that cannot start any token. Indent with spaces, not with tabs."),
        (
            "a: {b: ${C}}",
            ("1:9: invalid YAML: expected ',' or '}', but got '{'. Put a variable between braces or brackets into quotes: "
            '{url: "${REDIS_URL}"}'),
        ),
        ("a:\n  cron: */5 * * * *", f"2:9: invalid YAML: found undefined alias. {QUOTE_STAR}"),
        ("a: *b", f"1:4: invalid YAML: found undefined alias. {QUOTE_STAR}"),
        (
            "a: b: c",
            ("1:5: invalid YAML: mapping values are not allowed here. Put a text that contains ': ' into quotes, and indent "
            "sibling keys alike."),
        ),
        ("a: [b, c", "1:9: invalid YAML: expected ',' or ']', but got '<stream end>'. Close the bracket or brace, or add the missing comma."),
        ("a: 'b", "1:6: invalid YAML: found unexpected end of stream. Close the quote."),
        ("a: \"\\q\"", "1:6: invalid YAML: found unknown escape character 'q'. Put the text into single quotes."),
        ("a: @b", "1:4: invalid YAML: found character '@' that cannot start any token. Put a text that begins with @, ` or % into quotes."),
        ("a: {}\n---\nb: {}", "2:1: invalid YAML: found another document. Remove the line ---: a file has one document."),
        ("- a\nb: c", "2:1: invalid YAML: expected <block end>, but found '?'. Indent sibling keys, or list items, alike."),
        ("a: 1\nb: x\0y", "2:5: invalid YAML: the character '\\x00' is not allowed; remove it"),
        ("a: {b: !!python/name:os.system x}", f"1:8: a.b: the tag !!python/name:os.system is not supported here. {TAG}"),
        ("a: !secret {b: 1}", f"1:4: a: the tag !secret is not supported here. {TAG}"),
        ("a: !!binary eA==", f"1:4: a: the tag !!binary is not supported here. {TAG}"),
        ("a: !!map b", f"1:4: a: the tag !!map is not supported here. {TAG}"),
        ("a: !!str [b]", f"1:4: a: the tag !!str is not supported here. {TAG}"),
        ("a: !!set {b, c}", f"1:4: a: the tag !!set is not supported here. {TAG}"),
        ("a: !!int b", "1:4: a: not a valid int. Put a text into quotes."),
        ("a: !!bool maybe", "1:4: a: not a valid bool. Put a text into quotes."),
        ("a: 1\na: 2", "2:1: a: duplicate key. Remove one of them."),
        ("a: {b: 1, b: 2}", "1:11: a.b: duplicate key. Remove one of them."),
        ("1: 1\n'1': 2", "2:1: 1: duplicate key. Remove one of them."),
        ("? [a, b]\n: x", "1:3: a key must be a single word, not a list or a mapping"),
        ("a:\n  <<: 3", "2:7: a: << needs a mapping, e.g. <<: *common, or a list of mappings"),
        (f"a: {'1' * 5000}", "1:4: a: not a valid int. Put a text into quotes."),
        pytest.param(ALIASES, f"6:1: b5: {TOO_MANY}", marks=pytest.mark.slow),
        pytest.param(MERGES, f"7:1: b6: {TOO_MANY}", marks=pytest.mark.slow),
        ("a: &a [*a]", f"1:1: a: {TOO_DEEP}"),
        ("a: &a {b: *a}", f"1:1: a: {TOO_DEEP}"),
        ("a: &a {<<: *a}", f"1:1: a: {TOO_DEEP}"),
        (f"a: {'[' * 2000}", f"1:53: {TOO_DEEP}"),
        (f"a: {'[' * 60}{']' * 60}", f"1:53: {TOO_DEEP}"),
    ],
)  # fmt: skip
def test_a_problem_has_its_line_and_column(path: Path, content: str, expected: str) -> None:
    assert problem(path, content) == expected


def test_all_problems_of_a_file_are_reported_together(path: Path) -> None:
    path.write_text("a: !x 1\nb: {c: 1, c: 2}\nd: !y 2\n")
    with pytest.raises(ConfigError) as caught:
        YamlFile(path)
    assert [(each.line, each.column, each.location) for each in caught.value.problems] == [
        (1, 4, ("a",)),
        (2, 11, ("b", "c")),
        (3, 4, ("d",)),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("2026-11-27", "2026-11-27"),
        ("2026-13-45", "2026-13-45"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("!!str 3", "3"),
        ("'*'", "*"),
    ],
)
def test_values_are_read_by_the_rules_of_yaml_1_2(path: Path, text: str, value: Any) -> None:
    path.write_text(f"a: {text}\n")
    found = YamlFile(path).data["a"]
    assert (type(found), found) == (type(value), value)


def test_a_mapping_merges_others_and_keeps_its_own_values(path: Path) -> None:
    path.write_text(
        dedent("""\
            common: &common {a: 1, b: 1}
            more: &more {b: 2, c: 2}
            one: {<<: *common, a: 0}
            two: {<<: [*common, *more]}
            three: &three {<<: *more, d: 3}
            four: {<<: *three, b: 4}
            """),
        "utf-8",
    )
    file = YamlFile(path)
    assert file.data["one"] == {"a": 0, "b": 1}
    assert file.data["two"] == {"a": 1, "b": 1, "c": 2}
    assert file.data["four"] == {"b": 4, "c": 2, "d": 3}
    assert str(file.problem(("two", "c"), "is wrong")) == f"{path}:2:20: two.c: is wrong"


def test_an_alias_may_repeat_a_value_a_thousand_times(path: Path) -> None:
    path.write_text("a0: &a {b: c}\n" + "".join(f"a{number}: *a\n" for number in range(1, 1000)), "utf-8")
    assert len(YamlFile(path).data) == 1000


def test_an_anchor_may_be_used_again(path: Path) -> None:
    path.write_text("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")
    assert YamlFile(path).data == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_a_problem_of_a_missing_key_has_the_position_of_its_parent(path: Path) -> None:
    path.write_text("a:\n  b: 1\n")
    assert str(YamlFile(path).problem(("a", "c", "d"), "is missing")) == f"{path}:1:1: a.c.d: is missing"


REMEDY = "Check the path: --file, or DIFFSYNC_CONFIG."


def test_a_file_that_cannot_be_read_is_an_error_with_its_path(path: Path) -> None:
    for file, problem in ((path, "no such file."), (path.parent, "cannot be read: Is a directory.")):
        with pytest.raises(ConfigError) as caught:
            YamlFile(file)
        assert str(caught.value) == f"{file}: {problem} {REMEDY}"


def test_a_file_that_is_too_large_is_not_read(path: Path) -> None:
    path.write_text(f"a: 1\n# {'x' * 2**20}")
    with pytest.raises(ConfigError) as caught:
        YamlFile(path)
    assert str(caught.value) == f"{path}: larger than 1,048,576 bytes. {REMEDY}"


def test_a_file_that_is_not_utf_8_is_an_error_with_the_line(path: Path) -> None:
    path.write_bytes(b"a: b\nc: \xff")
    with pytest.raises(ConfigError) as caught:
        YamlFile(path)
    assert str(caught.value) == f"{path}: not UTF-8 in line 2: invalid start byte. Save the file as UTF-8."


def test_a_file_may_have_a_byte_order_mark_and_lines_that_end_in_crlf(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert YamlFile(path).data == {"a": 1, "b": 2}


def test_an_empty_file_has_no_keys(path: Path) -> None:
    path.write_text("# nothing yet\n")
    assert YamlFile(path).data == {}
