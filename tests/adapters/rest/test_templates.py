import pytest

from diffsync_store.adapters.rest.templates import InvalidTemplate, filled_path, filled_text, require_template


def test_values_are_quoted_in_paths() -> None:
    values = {"id": 7, "name": "a/b?c#d %", "active": True}
    assert filled_path("{path}{id}/", "devices/", values) == "devices/7/"
    assert filled_path("x/{name}", "", values) == "x/a%2Fb%3Fc%23d%20%25"
    assert filled_path("x/{active}", "", values) == "x/true"
    assert filled_path("x/{name}", "", {"name": "{id}", "id": 1}) == "x/%7Bid%7D"


@pytest.mark.parametrize("value", [None, "", ".", ".."])
def test_a_value_that_leads_elsewhere_is_refused(value: str | None) -> None:
    with pytest.raises(ValueError, match="needs 'name'"):
        filled_path("x/{name}", "", {"name": value})


def test_a_parameter_without_its_value_is_left_out() -> None:
    assert filled_text("{site}", {"site": "Oslo & co"}) == "Oslo & co"
    assert filled_text("{site}:{name}", {"site": None, "name": "a"}) is None
    assert filled_text("fixed", {}) == "fixed"


@pytest.mark.parametrize("template", ["{id.x}", "{id!r}", "{id:>9}", "{0}", "{}", "{id", "id}", "{other}", "{id[0]}"])
def test_other_names_and_forms_are_refused(template: str) -> None:
    with pytest.raises(InvalidTemplate):
        require_template(template, {"id", "name"})
