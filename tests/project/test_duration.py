from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from diffsync_store.project.duration import LONGEST, Pause, Seconds, format_duration


class Times(BaseModel):
    whole: Seconds = 1
    part: Pause = 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("2m", 120),
        ("1h30m", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        ("1d12h", 129600),
        ("90m", 5400),
        (300, 300),
        ("300", 300),
        ("36500d", LONGEST),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_a_text_with_units(text: Any, seconds: int) -> None:
    found = Times(whole=text, part=text)
    assert (found.whole, found.part) == (seconds, seconds)
    assert type(found.whole) is int


@pytest.mark.parametrize(("text", "seconds"), [("0.5s", 0.5), (0.5, 0.5), ("1m0.25s", 60.25), (0, 0), ("0s", 0)])
def test_a_pause_may_be_a_fraction_or_0(text: Any, seconds: float) -> None:
    assert Times(part=text).part == seconds
    with pytest.raises(ValidationError):
        Times(whole=text)


@pytest.mark.parametrize(
    "text",
    ["", "s", "7 d", "7D", "d7", "30m1h", "1h1h", "-5s", "1.5h", "1d\n", "x", "week", "٣s", "1" * 5000 + "s", True, None, [], {}],
)  # fmt: skip
def test_other_text_is_refused_with_the_expected_form(text: Any) -> None:
    with pytest.raises(
        ValidationError, match="expected a duration such as 30s, 2m, 1h30m or 7d, or a number of seconds"
    ):
        Times(whole=text)


@pytest.mark.parametrize("value", [0, -5, "0s", LONGEST + 1, "36501d", 10**400])
def test_a_duration_has_bounds(value: Any) -> None:
    with pytest.raises(ValidationError, match="a duration must be above 0 and at most 36500d"):
        Times(whole=value)


@pytest.mark.parametrize("value", [-0.5, float("inf"), float("nan")])
def test_a_pause_has_bounds(value: float) -> None:
    with pytest.raises(ValidationError, match="a duration must be at least 0 and at most 36500d"):
        Times(part=value)


@given(st.integers(1, LONGEST))
def test_a_formatted_duration_can_be_read_again(seconds: int) -> None:
    assert Times.model_validate({"whole": format_duration(seconds)}).whole == seconds


def test_the_json_schema_accepts_both_forms() -> None:
    [number, text] = Times.model_json_schema()["properties"]["whole"]["anyOf"]
    assert number == {"type": "integer", "exclusiveMinimum": 0, "maximum": LONGEST}
    assert text["type"] == "string"
