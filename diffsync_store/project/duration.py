"""Durations: a number of seconds, or a text such as `30s`, `2m`, `1h30m` or `7d`."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

DAY = 86400
LONGEST = 100 * 365 * DAY
UNITS = {"w": 7 * DAY, "d": DAY, "h": 3600, "m": 60, "s": 1}
PATTERN = r"^(?=.)([0-9]{1,12}w)?([0-9]{1,12}d)?([0-9]{1,12}h)?([0-9]{1,12}m)?([0-9]{1,12}(\.[0-9]{1,6})?s)?$"
_PART = re.compile(r"([0-9.]+)([wdhms])")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_EXPECTED = "expected a duration such as 30s, 2m, 1h30m or 7d, or a number of seconds"


def parse_duration(value: Any) -> float:
    """Return the seconds of a duration.

    Raises:
        ValueError: it is neither a number nor a duration.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return _number(value)
    if isinstance(value, str) and re.match(PATTERN, value) and not value.endswith("\n"):
        return sum(_number(number) * UNITS[unit] for number, unit in _PART.findall(value))
    raise ValueError(_EXPECTED)


def format_duration(seconds: float) -> str:
    """Write seconds as a duration, e.g. `1h30m` for 5400."""
    whole, parts = int(seconds), []
    for unit, size in UNITS.items():
        if unit != "w" and whole >= size:
            parts.append(f"{whole // size}{unit}")
            whole %= size
    if seconds % 1:
        return f"{seconds:g}s"
    return "".join(parts) or "0s"


def _check_above_0(seconds: int) -> int:
    if not 0 < seconds <= LONGEST:
        raise ValueError("a duration must be above 0 and at most 36500d")
    return seconds


def _check_not_negative(seconds: float) -> float:
    if not 0 <= seconds <= LONGEST:
        raise ValueError("a duration must be at least 0 and at most 36500d")
    return seconds


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def _json_schema(kind: str, minimum: dict[str, int]) -> WithJsonSchema:
    number = {"type": kind, **minimum, "maximum": LONGEST}
    return WithJsonSchema({"anyOf": [number, {"type": "string", "pattern": PATTERN}], "examples": ["7d", "1h30m"]})


Seconds = Annotated[
    int,
    BeforeValidator(parse_duration),
    AfterValidator(_check_above_0),
    _json_schema("integer", {"exclusiveMinimum": 0}),
]
"""A duration of whole seconds, above 0."""
Pause = Annotated[
    float, BeforeValidator(parse_duration), AfterValidator(_check_not_negative), _json_schema("number", {"minimum": 0})
]
"""A duration that may be 0 or a fraction of a second."""
