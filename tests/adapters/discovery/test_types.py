"""The type that a sample of values has."""

from datetime import date
from typing import Any

import pytest

from diffsync_store.adapters.discovery.types import guess_type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "str"),
        ([None, ""], "str"),
        (["true", "False"], "bool"),
        (["1", "0", None], "int"),
        (["01", "2"], "str"),
        (["1234567890123456"], "str"),
        (["1.5", "-2"], "number"),
        (["1e5"], "str"),
        (["2026-01-31"], "date"),
        (["2026-13-31"], "str"),
        (["2026-01-31T10:00:00Z"], "datetime"),
        (["00:1b:44:11:3a:b7", "001b.4411.3ab8"], "mac"),
        (["10.0.0.1", "2001:db8::1"], "ip"),
        (["10.0.0.256"], "str"),
        (["1.2.3"], "str"),
        (["10.0.0.0/8", "2001:db8::/32"], "network"),
        (["10.0.0.1/24"], "interface"),
        (["10.0.0.0/99"], "str"),
        ([True, False], "bool"),
        ([1, 2], "int"),
        ([1, 2.5], "number"),
        ([1, "a"], "str"),
        ([True, 1], "json"),
        ([date(2026, 1, 1)], "date"),
        ([["a"], ["b", "c"]], "list[str]"),
        ([[1], []], "list[int]"),
        ([{"a": 1}], "json"),
    ],
)
def test_the_closest_type_that_fits_all_values(values: list[Any], expected: str) -> None:
    assert guess_type(values) == expected
