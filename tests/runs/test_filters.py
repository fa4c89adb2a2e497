"""Selections of operations in a terminal."""

import pytest

from diffsync_store import Select
from diffsync_store.project import UserError
from diffsync_store.runs import parse_selection


@pytest.mark.parametrize(
    ("text", "select"),
    [
        ("device", Select(model="device")),
        ("device:sw-*", Select(model="device", unique_id="sw-*")),
        ("device:a:b", Select(model="device", unique_id="a:b")),
        (":sw-1", Select(unique_id="sw-1")),
        ('{"model": "device", "action": "delete"}', Select(model="device", action="delete")),
    ],
)
def test_a_selection_is_a_model_an_object_or_json(text: str, select: Select) -> None:
    assert parse_selection(text) == select


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"modle": "device"}',
            "modle: Extra inputs are not permitted. Use the keys model, unique_id, attribute, action.",
        ),
        ('{"action": "drop"}', "action: Input should be '*', 'create', 'update' or 'delete'"),
        ("{", "Invalid JSON"),
    ],
)
def test_any_other_selection_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match="is not a selection") as caught:
        parse_selection(text)
    assert message in str(caught.value)
