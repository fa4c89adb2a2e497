import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from diffsync_flows.reporting.links import form_url, next_steps

PAGE = "http://prefect/deployments/deployment/1"
NAMES = (
    "plain",
    'it\'s "quoted"',
    "[x](http://evil.invalid) `code` | <b>",
    "100 % \\% %41 %",
    "a\u202eb\u200b é\U0001f600",
    "a&b=c;d+e#f?g/h",
    "line\nend",
    "",
)


@pytest.mark.parametrize("name", NAMES)
def test_both_uis_of_prefect_read_the_parameters_of_a_link(name: str) -> None:
    parameters = {"sync_name": name, "dry_run": True, "allow": [name]}
    url = form_url(PAGE, parameters)
    (text,) = parse_qs(urlsplit(url).query)["parameters"]
    assert json.loads(text) == parameters
    assert json.loads(unquote(text)) == parameters  # the first UI decodes twice


@pytest.mark.parametrize("name", NAMES)
def test_a_link_has_no_character_that_ends_it_in_markdown(name: str) -> None:
    url = form_url(PAGE, {"sync_name": name})
    assert url.isascii()
    assert url.isprintable()
    assert not set(url) & set(" ()[]<>\"'`|\\*_{}") - {"_"}


def test_the_next_steps_are_a_list() -> None:
    assert next_steps(["[a](b)", "c"]) == "Next:\n\n- [a](b)\n- c\n\n"
    assert next_steps([]) == ""
