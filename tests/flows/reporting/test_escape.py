import pytest

from diffsync_flows.reporting.artifacts.text import operation_row
from diffsync_flows.reporting.escape import escape_markdown, markdown_table, one_line
from diffsync_flows.runtime.error_handling import error_message
from diffsync_store import Operation
from diffsync_store.cli.formatting import escape_json
from diffsync_store.cli.formatting import one_line as cli_line
from diffsync_store.printable import printable
from diffsync_store.project import UserError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\tthree\x00", "one two three "),
        ("", '""'),
        ("  ", '""'),
        (47.5, "47.5"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_value_becomes_one_short_line(text: object, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("registry-2026 v1.2", "registry-2026 v1.2"),
        ("a | b", r"a \| b"),
        ("<script>alert(1)</script>", r"&lt;script&gt;alert\(1\)&lt;/script&gt;"),
        ("[name](http://example.invalid)", r"\[name\]\(http:<!-- -->//example.invalid\)"),
        ("www.example.invalid WWW.example.invalid", "www<!-- -->.example.invalid WWW<!-- -->.example.invalid"),
        ("*it* _is_ `code` ~~gone~~", r"\*it\* \_is\_ \`code\` \~\~gone\~\~"),
        ("![](x) # me@example.invalid &lt;", r"\!\[\]\(x\) \# me@<!-- -->example.invalid &amp;lt;"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_markdown_in_a_name_is_escaped(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


UNSEEN = "\u202e\u2066\u2069\u200b\u200f\ufeff\u00ad\u2028\u00a0\U000e0041\u3164\ufe0f\u180e\ud800"


@pytest.mark.parametrize("char", UNSEEN)
def test_an_invisible_character_is_escaped_in_text_and_markdown(char: str) -> None:
    escape = ascii(char)[1:-1]
    assert one_line(f"a{char}b") == f"a{escape}b"
    assert escape_markdown(f"a{char}b") == f"a\\{escape}b"
    assert char not in markdown_table(("a",), [(char,)]) + cli_line(char) + escape_json(char)
    assert printable(f"{char}é€中🙂 |") == f"{escape}é€中🙂 |"


def test_the_form_of_an_approval_and_the_table_show_every_character_of_a_name() -> None:
    operation = Operation(
        id="1",
        action="delete",
        model="m\u202e",
        unique_id="u",
        identifiers={},
        name="n\u200b",
        target={"a\u2066": "v\u00ad"},
    )
    row = operation_row(operation)
    assert row == {"action": "delete", "model": "m\\u202e", "name": "n\\u200b", "changes": "a\\u2066: v\\xad"}


def test_the_message_of_a_state_escapes_invisible_characters_and_keeps_its_lines() -> None:
    assert error_message(UserError("no store of 'a\u202eb'\nload it")) == "no store of 'a\\u202eb'\nload it"


def test_a_table_has_one_line_for_each_row_whatever_the_cells_contain() -> None:
    assert markdown_table(("a", "b"), [("one\n", "x|y")]) == "| a | b |\n| --- | --- |\n| one  | x\\|y |"
