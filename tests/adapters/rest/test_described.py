"""What an API says of its fields, and what it would refuse."""

from typing import Any

import pytest

from diffsync_store.adapters.rest.described import DescribedField, DescribedFields, Showing, problems_of_value

CHOICES = [
    {"value": "full", "display_name": "Full"},
    {"choices": [{"value": 1, "display": "One"}], "value": "group"},
]
OPTIONS = {
    "actions": {
        "POST": {
            "id": {"type": "integer", "required": False, "read_only": True},
            "name": {"type": "string", "required": True, "read_only": False, "max_length": 5, "min_length": 2},
            "duplex": {"type": "choice", "required": False, "read_only": False, "choices": CHOICES},
            "speed": {"type": "integer", "required": False, "read_only": False, "min_value": 0, "max_value": 100},
            "weight": {"type": "decimal", "required": False, "read_only": False},
            "enabled": {"type": "boolean", "required": False, "read_only": False},
            "since": {"type": "date", "required": False, "read_only": False},
            "vlans": {"type": "list", "required": False, "child": {"type": "integer", "max_value": 4094}},
            "site": {
                "type": "nested object",
                "required": False,
                "children": {"name": {"type": "string", "required": True, "max_length": 3}},
            },
            "owner": {"type": "field", "required": False, "read_only": False},
        }
    }
}
FIELDS = DescribedFields.from_options(OPTIONS)


def problems(is_new: bool = True, finds_dropped: bool = True, **body: Any) -> list[str]:
    return FIELDS.problems({"name": "abc", **body}, is_new=is_new, finds_dropped=finds_dropped)


@pytest.mark.parametrize(
    "body",
    [
        {"name": " abcde ", "duplex": "full", "speed": 100, "weight": "1.5", "enabled": "on", "since": "2026-01-02"},
        {"duplex": {"value": "full"}, "speed": "7", "weight": 2, "enabled": False, "vlans": [1, "2"]},
        {"duplex": 1, "speed": 7.0, "site": {"name": "abc", "any": "x"}, "owner": object()},
        {"name": 12, "duplex": None, "speed": None, "since": "", "vlans": [], "id": None, "unknown": None},
    ],
)
def test_what_the_api_takes_is_no_problem(body: dict[str, Any]) -> None:
    assert problems(**body) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"name": "abcdef"}, "name: The text has 6 characters. The API takes 5 at most."),
        ({"name": "a"}, "name: The text has 1 characters. The API requires 2."),
        ({"name": "a\0b"}, "name: The text has a null character."),
        ({"name": True}, "name: True is not a text."),
        ({"name": ["a"]}, "name: ['a'] is not a text."),
        ({"duplex": "half"}, "duplex: 'half' is not a choice. Choices are full, 1."),
        ({"duplex": ["full", "half"]}, "duplex: 'half' is not a choice. Choices are full, 1."),
        ({"speed": -1}, "speed: -1 is less than 0."),
        ({"speed": "101"}, "speed: '101' is more than 100."),
        ({"speed": 1.5}, "speed: 1.5 is not an integer."),
        ({"speed": True}, "speed: True is not an integer."),
        ({"weight": "heavy"}, "weight: 'heavy' is not a number."),
        ({"weight": float("nan")}, "weight: nan is not a number."),
        ({"weight": {"kg": 1}}, "weight: {'kg': 1} is not a number."),
        ({"enabled": "perhaps"}, "enabled: 'perhaps' is neither true nor false."),
        ({"since": "tomorrow"}, "since: 'tomorrow' is not a date."),
        ({"vlans": "1"}, "vlans: '1' is not a list."),
        ({"vlans": [1, 4095]}, "vlans: item 1: 4095 is more than 4094."),
        ({"site": {"name": "abcd"}}, "site: name: The text has 4 characters. The API takes 3 at most."),
        ({"id": 7}, "id: The API sets this field itself, and drops the value without an error."),
        ({"colour": "red"}, "colour: The API has no such field, and drops the value without an error."),
    ],
)
def test_what_the_api_refuses_is_named_with_its_field(body: dict[str, Any], reason: str) -> None:
    assert problems(**body) == [reason]


def test_a_required_field_is_missing_in_a_new_record_only() -> None:
    assert FIELDS.problems({}, is_new=True, finds_dropped=True) == ["name: The API requires this field."]
    assert FIELDS.problems({}, is_new=False, finds_dropped=True) == []
    assert FIELDS.without_required().problems({}, is_new=True, finds_dropped=True) == []


def test_dropped_fields_are_no_problem_where_they_are_not_looked_for() -> None:
    assert problems(finds_dropped=False, colour="red", id=7) == []


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"actions": None}, {"actions": {"POST": []}}, {"actions": {"POST": {"a": 1}}}]
)
def test_an_answer_of_another_form_says_nothing(answer: Any) -> None:
    assert DescribedFields.from_options(answer).problems({"a": "x"}, is_new=True, finds_dropped=True) == []


def test_a_long_value_is_shortened() -> None:
    [reason] = problems_of_value(DescribedField("integer"), "x" * 500, Showing())
    assert len(reason) < 100


def test_a_schema_of_openapi_says_the_same() -> None:
    schema = {
        "required": ["name", "kind"],
        "properties": {
            "name": {"type": "string", "maxLength": 3},
            "kind": {"type": "string", "default": "a", "enum": ["a", "b", None]},
            "number": {"type": ["integer", "null"], "minimum": 1},
            "at": {"type": "string", "format": "date-time"},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 2}},
            "url": {"type": "string", "readOnly": True},
        },
    }
    fields = DescribedFields.from_schema(schema)
    given = {"name": "abcd", "kind": "c", "number": 0, "at": "later", "tags": ["abc"], "url": "x", "other": 1}
    assert [reason.partition(":")[0] for reason in fields.problems(given, is_new=True, finds_dropped=True)] == [
        *("name", "kind", "number", "at", "tags", "url")
    ]
    assert fields.problems({}, is_new=True, finds_dropped=True) == ["name: The API requires this field."]
    closed = DescribedFields.from_schema({**schema, "additionalProperties": False})
    assert len(closed.problems({"name": "a", "other": 1}, is_new=True, finds_dropped=True)) == 1
