"""What of a diff a person leaves out, in a word of a terminal."""

import pytest

from diffsync_flows.runtime.filters import parse_selection
from diffsync_store import Select
from diffsync_store.project import UserError


@pytest.mark.parametrize(
    ("word", "select"),
    [
        ("device", Select(model="device")),
        ("device:sw-*", Select(model="device", unique_id="sw-*")),
        ("device:a:b", Select(model="device", unique_id="a:b")),
        (":sw-1", Select(unique_id="sw-1")),
        ('{"model": "device", "action": "delete"}', Select(model="device", action="delete")),
    ],
)
def test_a_word_names_a_model_an_object_or_what_a_form_takes(word: str, select: Select) -> None:
    assert parse_selection(word) == select


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (
            '{"modle": "device"}',
            "modle: Extra inputs are not permitted. Use the keys model, unique_id, attribute, action.",
        ),
        ('{"action": "drop"}', "action: Input should be '*', 'create', 'update' or 'delete'"),
        ("{", "Invalid JSON"),
    ],
)
def test_what_is_none_of_these_is_refused(word: str, told: str) -> None:
    with pytest.raises(UserError, match="is not a selection") as caught:
        parse_selection(word)
    assert told in str(caught.value)
