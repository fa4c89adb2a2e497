import pytest

from diffsync_store.adapters.powerdns.contents import Contents, quoted, unquoted
from diffsync_store.adapters.powerdns.names import absolute, canonical, relative, without_dot, zone_id


def test_names_have_one_form() -> None:
    assert [canonical(name) for name in ("Example.ORG", " example.org. ", ".")] == ["example.org.", "example.org.", "."]
    assert [without_dot(name) for name in ("example.org.", "example.org", ".")] == ["example.org", "example.org", "."]


@pytest.mark.parametrize(
    ("short", "name"),
    [("@", "example.org."), ("www", "www.example.org."), ("a.b", "a.b.example.org."), ("*", "*.example.org.")],
)
def test_relative_names_and_back(short: str, name: str) -> None:
    assert absolute(short, "example.org.") == name
    assert relative(name, "example.org.") == short


def test_a_zone_whose_name_has_a_slash() -> None:
    assert zone_id("0/25.2.0.192.in-addr.arpa.") == "0=2F25.2.0.192.in-addr.arpa."
    assert zone_id(".") == "=2E"


@pytest.mark.parametrize(
    "text", ["", "v=spf1 -all", 'say "hi"', "a\\b", "Bø 北", "x" * 600, "tab\there", "; no comment"]
)
def test_text_is_quoted_and_back(text: str) -> None:
    content = quoted(text)
    assert content.isascii()
    assert unquoted(content) == text
    assert all(len(piece) < 1024 for piece in content.split('" "'))


def test_text_in_pieces_is_one_text() -> None:
    assert unquoted('"v=DKIM1; p=abc" "def"') == "v=DKIM1; p=abcdef"


@pytest.mark.parametrize(
    ("kind", "plain", "absolute_form"),
    [
        ("CNAME", "www.example.org", "www.example.org."),
        ("MX", "10 mail.example.org", "10 mail.example.org."),
        ("MX", "0 .", "0 ."),
        ("SRV", "0 5 5060 sip.example.org", "0 5 5060 sip.example.org."),
        ("A", "192.0.2.1", "192.0.2.1"),
        ("CAA", '0 issue "ca.example.org"', '0 issue "ca.example.org"'),
    ],
)
def test_hosts_in_contents_without_the_dot(kind: str, plain: str, absolute_form: str) -> None:
    contents = Contents(plain_text=True, trailing_dots=False)
    assert contents.write(kind, plain) == absolute_form
    assert contents.read(kind, absolute_form) == plain
    assert Contents(plain_text=True, trailing_dots=True).read(kind, absolute_form) == absolute_form
