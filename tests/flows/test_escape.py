import pytest

from flows.escape import markdown, markdown_table, plain


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
    assert plain(text) == shown


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
def test_nothing_in_a_name_is_read_as_markdown(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_a_table_has_one_line_for_each_row_whatever_the_cells_hold() -> None:
    assert markdown_table(("a", "b"), [("one\n", "x|y")]) == "| a | b |\n| --- | --- |\n| one  | x\\|y |"
