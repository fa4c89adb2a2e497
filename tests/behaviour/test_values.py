"""Which values are equal, on every store and with every combination of types."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import uuid
from typing import Any

import pytest

from tests.behaviour.api import Adapter, DiffSyncModel
from tests.behaviour.inventory import Adapters


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
TO_THE_EAST = dt.datetime(2024, 5, 1, 14, tzinfo=dt.timezone(dt.timedelta(hours=2)))

SAME: list[tuple[Any, Any, Any, Any]] = [
    (int, 1, float, 1.0),
    (int, 1, bool, True),
    (int, 0, bool, False),
    (float, -0.0, float, 0.0),
    (int, 10**20, float, 1e20),
    (float, float("inf"), float, float("inf")),
    (decimal.Decimal, decimal.Decimal("1.0"), decimal.Decimal, decimal.Decimal("1.000")),
    (decimal.Decimal, decimal.Decimal("1.5"), float, 1.5),
    (dict[str, int], {"a": 1, "b": 2}, dict[str, int], {"b": 2, "a": 1}),
    (dict[str, int], {"a": 1}, dict[str, float], {"a": 1.0}),
    (list[list[int]], [[1], [2]], list[list[float]], [[1.0], [2.0]]),
    (set[str], {"a", "b", "c"}, set[str], {"c", "b", "a"}),
    (set[int], {1, 2}, frozenset[int], frozenset({2, 1})),
    (dt.datetime, NOON, dt.datetime, TO_THE_EAST),
    (Level, Level.LOW, int, 1),
    (str | None, None, int | None, None),
]
UNLIKE: list[tuple[Any, Any, Any, Any]] = [
    (str, "1", int, 1),
    (str | None, None, str, ""),
    (str | None, None, int, 0),
    (list[int], [1, 2], list[int], [2, 1]),
    (list[int], [1], list[int], [1, 1]),
    (list[int], [1], tuple[int, ...], (1,)),
    (dict[int, str], {1: "a"}, dict[str, str], {"1": "a"}),
    (str, "é", str, "e\u0301"),
    (str, "a", str, "a "),
    (bytes, b"a", str, "a"),
    (Colour, Colour.RED, str, "red"),
    (uuid.UUID, uuid.UUID(int=1), str, str(uuid.UUID(int=1))),
    (ipaddress.IPv4Address, ipaddress.IPv4Address("10.0.0.1"), str, "10.0.0.1"),
    (dt.date, dt.date(2024, 5, 1), str, "2024-05-01"),
    (dt.datetime, NOON, dt.datetime, NOON.replace(tzinfo=None)),
    (decimal.Decimal, decimal.Decimal("0.1"), float, 0.1),
    (int, 2**53 + 1, float, float(2**53)),
]


def side(adapters: Adapters, annotation: Any, value: Any) -> Adapter:
    members: dict[str, Any] = {
        "__module__": __name__,
        "__annotations__": {"name": str, "value": annotation},
        "_modelname": "thing",
        "_identifiers": ("name",),
        "_attributes": ("value",),
    }
    metaclass: Any = type(DiffSyncModel)
    model: Any = metaclass("Thing", (DiffSyncModel,), members)
    things: type[Adapter] = type("Things", (Adapter,), {"thing": model, "top_level": ["thing"]})
    adapter = adapters.make(things)
    adapter.add(model(name="x", value=value))
    return adapter


def named(cases: list[tuple[Any, Any, Any, Any]]) -> list[str]:
    return [f"{shown(left)} and {shown(right)}".replace("datetime.", "")[:60] for _, left, _, right in cases]


def shown(value: Any) -> str:
    """Return a text that is the same in every process, also for sets."""
    return f"set of {sorted(value)}" if isinstance(value, set | frozenset) else repr(value)


@pytest.mark.parametrize(("annotation", "value", "other", "other_value"), SAME, ids=named(SAME))
def test_equal_values_are_no_change(
    adapters: Adapters, annotation: Any, value: Any, other: Any, other_value: Any
) -> None:
    left, right = side(adapters, annotation, value), side(adapters, other, other_value)
    assert right.diff_from(left).dict() == {}
    assert left.diff_from(right).dict() == {}


@pytest.mark.parametrize(("annotation", "value", "other", "other_value"), UNLIKE, ids=named(UNLIKE))
def test_unequal_values_are_a_change_both_ways(
    adapters: Adapters, annotation: Any, value: Any, other: Any, other_value: Any
) -> None:
    left, right = side(adapters, annotation, value), side(adapters, other, other_value)
    assert right.diff_from(left).summary()["update"] == 1
    assert left.diff_from(right).summary()["update"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("annotation", "value"), [case[:2] for case in (*SAME, *UNLIKE)], ids=shown)
def test_a_value_is_equal_to_itself_and_comes_back_by_a_sync(adapters: Adapters, annotation: Any, value: Any) -> None:
    source, target = side(adapters, annotation, value), side(adapters, annotation, value)
    assert not target.diff_from(source).has_diffs()
    target.remove(target.get("thing", "x"))
    target.sync_from(source)
    [copy] = target.get_all("thing")
    assert copy.get_attrs() == {"value": value}
    assert type(copy.get_attrs()["value"]) is type(value)
