"""Fields that say how they compare, in memory and across processes."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from diffsync_store import Adapter, DiffException, DiffSyncModel, StoredAdapter
from diffsync_store.compare import (
    By,
    Comparison,
    EmptyIsNone,
    IgnoreCase,
    IPAddress,
    MACAddress,
    Precision,
    Unordered,
    normal_forms,
)
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.digest import digest_of
from diffsync_store.store.redis import RedisStore

MAC_FORMS = (
    "00:1B:44:08:3A:0D", "001b.4408.3a0d", "00-1b-44-08-3a-0d", "001b44-083a0d", "001b44083a0d", "0:1b:44:8:3a:d",
    "0x001b44083a0d", "00 1B 44 08 3A 0D", " 00:1b:44:08:3a:0d ", "0-1b-44-8-3a-d",
)  # fmt: skip

EQUAL = [
    (Unordered(), [3, 1, 2], [1, 2, 3]),
    (Unordered(), [{"b": 1}, {"a": 1}], [{"a": 1}, {"b": 1}]),
    (IgnoreCase(), "ACCESS", "access"),
    (Precision(2), 1.0049, 1),
    (Precision(0), -0.2, 0.1),
    (Precision(-2), 149, 101),
    (Precision(4), 1e40, 10**40),
    (IPAddress(), "2001:DB8:0::1", "2001:db8::1"),
    (IPAddress(), "10.0.0.1/255.255.255.0", "10.0.0.1/24"),
    (IPAddress(host_prefix=True), "10.0.0.1/32", "10.0.0.1"),
    (MACAddress(), "00:1B:44:11:3A:B7", "001b.4411.3ab7"),
    *((MACAddress(), "00:1b:44:08:3a:0d", form) for form in MAC_FORMS),
    (MACAddress(), "00:1b:44:ff:fe:08:3a:0d", "0:1B:44:FF:FE:8:3A:D"),
    *((IPAddress(), "10.0.0.1/24", form) for form in ("10.0.0.1 255.255.255.0", " 10.0.0.1/24 ", "10.0.0.1/0.0.0.255")),
    (EmptyIsNone(), "", None),
    (EmptyIsNone(), [], {}),
    (By(lambda value: value % 10), 17, 7),
]
DIFFERENT = [
    (Unordered(), [1, 1, 2], [1, 2, 2]),
    (Precision(1), 0.14, 0.16),
    (IPAddress(), "10.0.0.1/32", "10.0.0.1"),
    (IPAddress(), "10.0.0.1/24", "10.0.0.2/24"),
    (IPAddress(), "fe80::1%eth0", "fe80::1%eth1"),
    (IPAddress(), "gateway", "Gateway"),
    (MACAddress(), "00:1b:44:11:3a:b7", "00:1b:44:11:3a:b8"),
    (MACAddress(), "1:11:1:11:1:11", "11:1:11:1:11:1"),
    (MACAddress(), "0x1", "1"),
    (EmptyIsNone(), 0, None),
    (EmptyIsNone(), False, None),
    (IgnoreCase(), None, "none"),
]


@pytest.mark.parametrize(("comparison", "one", "other"), EQUAL)
def test_values_that_count_as_equal(comparison: Comparison, one: Any, other: Any) -> None:
    assert comparison.normal(one) == comparison.normal(other)


@pytest.mark.parametrize(("comparison", "one", "other"), DIFFERENT)
def test_values_that_do_not(comparison: Comparison, one: Any, other: Any) -> None:
    assert comparison.normal(one) != comparison.normal(other)


@dataclass(frozen=True)
class WithoutDomain(Comparison):
    domain: str

    def normal(self, value: Any) -> Any:
        return value.removesuffix(self.domain)


class Port(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("mac", "tags", "host", "note")
    name: str
    mac: Annotated[str, MACAddress()]
    tags: Annotated[list[Annotated[str, IgnoreCase()]], Unordered()] = []
    host: Annotated[str, WithoutDomain(".example.net"), IgnoreCase()] = ""
    note: Annotated[str | None, EmptyIsNone()] = None


class Ports(Adapter):
    port = Port
    top_level = ["port"]


def fill(adapter: Adapter, **fields: Any) -> Adapter:
    adapter.add(Port(name="eth0", **fields))
    return adapter


HERE: dict[str, Any] = {"mac": "00:1b:44:11:3a:b7", "tags": ["core", "Uplink"], "host": "R1", "note": ""}
THERE: dict[str, Any] = {"mac": "001B.4411.3AB7", "tags": ["UPLINK", "CORE"], "host": "r1.example.net"}


@pytest.fixture
def stores(redis_url: str) -> Iterator[tuple[RedisStore, RedisStore]]:
    made = [RedisStore(store_id=f"compare-{uuid.uuid4().hex}", url=redis_url) for _ in range(2)]
    yield made[0], made[1]
    for store in made:
        store.drop()
        store.close()


def test_a_sync_settles_that_never_did(stores: tuple[RedisStore, RedisStore]) -> None:
    source, target = fill(Ports(), **HERE), fill(Ports(), **THERE)
    assert not target.diff_from(source).has_diffs()
    in_redis = [
        fill(Ports(internal_storage_engine=store), **fields)
        for store, fields in zip(stores, (HERE, THERE), strict=True)
    ]
    assert not in_redis[1].diff_from(in_redis[0]).has_diffs()
    assert not StoredAdapter(stores[1]).diff_from(StoredAdapter(stores[0])).has_diffs()
    assert not in_redis[1].diff_from(source).has_diffs()
    digests = [digest_of(adapter.get("port", "eth0")) for adapter in in_redis]
    assert digests[0] == digests[1]


def test_a_sync_writes_only_what_differs_and_as_the_source_has_it(
    stores: tuple[RedisStore, RedisStore], redis_url: str
) -> None:
    source = fill(Ports(internal_storage_engine=stores[0]), **{**HERE, "note": "new"})
    target = fill(Ports(internal_storage_engine=stores[1]), **THERE)
    for store in stores:
        store.flush()
    with closing(RedisDiffs(url=redis_url, ttl=60)) as diffs:
        diff = StoredAdapter(stores[1]).diff_from(StoredAdapter(stores[0]))
        saved = diffs.open(diffs.save(diff))
        assert [operation.changes() for operation in saved.operations()] == [
            {"-": {"note": None}, "+": {"note": "new"}}
        ]
        target.sync_from(source, diff=saved.diff())
        saved.drop()
    port = target.get(Port, "eth0")
    assert (port.mac, port.note) == (THERE["mac"], "new")
    assert not target.diff_from(source).has_diffs()


def test_a_comparison_that_fails_is_named() -> None:
    class Odd(DiffSyncModel):
        _modelname = "odd"
        _identifiers = ("name",)
        _attributes = ("size",)
        name: str
        size: Annotated[int | None, By(lambda value: value + 1)] = None

    with pytest.raises(DiffException, match="odd 'a' cannot be compared by size: TypeError"):
        normal_forms(Odd(name="a"))


# Where a comparison stands in a type

FOLDED = Annotated[str, IgnoreCase()]
NESTED: list[tuple[Any, Any, Any]] = [
    (FOLDED | None, "A", "a"),
    (list[FOLDED], ["A", "b"], ["a", "B"]),
    (list[list[FOLDED]], [["A"]], [["a"]]),
    (dict[str, FOLDED], {"x": "A", "y": "B"}, {"y": "b", "x": "a"}),
    (dict[str, list[FOLDED]], {"x": ["A"]}, {"x": ["a"]}),
    (set[FOLDED], {"A", "a", "b"}, {"B", "a"}),
    (tuple[FOLDED, int], ("A", 1), ("a", 1)),
    (list[FOLDED] | None, ["A"], ["a"]),
    (Annotated[list[FOLDED], Unordered()], ["B", "a"], ["A", "b"]),
    (Annotated[list[FOLDED] | None, EmptyIsNone()], [], None),
    (Annotated[float | None, Precision(1)], 0.12, 0.1),
    (dict[str, Annotated[float, Precision(0)]], {"x": 1.2}, {"x": 0.9}),
]


def adapters_of(annotation: Any, **members: Any) -> type[Adapter]:
    metaclass: Any = type(DiffSyncModel)
    said = {
        "__module__": __name__,
        "__annotations__": {"name": str, "value": annotation},
        "_modelname": "thing",
        "_identifiers": ("name",),
        "_attributes": ("value",),
        **members,
    }
    thing: Any = metaclass("Thing", (DiffSyncModel,), said)
    return type("Things", (Adapter,), {"thing": thing, "top_level": ["thing"]})


def holding(things: type[Adapter], value: Any, store: RedisStore | None = None) -> Any:
    adapter = things() if store is None else things(internal_storage_engine=store)
    adapter.add(adapter.thing(name="x", value=value))  # type: ignore[attr-defined]  # made above
    adapter.store.flush()
    return adapter


@pytest.mark.parametrize(("annotation", "one", "other"), NESTED, ids=[str(case[0]) for case in NESTED])
def test_a_comparison_inside_of_a_type(
    stores: tuple[RedisStore, RedisStore], annotation: Any, one: Any, other: Any
) -> None:
    things = adapters_of(annotation)
    in_memory = holding(things, one), holding(things, other)
    in_redis = holding(things, one, stores[0]), holding(things, other, stores[1])
    for source, target in (in_memory, in_redis, (in_memory[0], in_redis[1]), tuple(map(StoredAdapter, stores))):
        assert target.diff_from(source).summary()["no-change"] == 1
    plain = adapters_of(Any)
    assert holding(plain, other).diff_from(holding(plain, one)).has_diffs()


# Who else has to know


def test_what_only_one_side_takes_for_equal_is_a_change(stores: tuple[RedisStore, RedisStore]) -> None:
    folding, plain = adapters_of(FOLDED), adapters_of(str)
    for source, target in ((folding, plain), (plain, folding)):
        diff = holding(target, "a").diff_from(holding(source, "A"))
        assert diff.dict() == {"thing": {"x": {"-": {"value": "a"}, "+": {"value": "A"}}}}
    holding(folding, "A", stores[0])
    holding(plain, "a", stores[1])
    assert StoredAdapter(stores[1]).diff_from(StoredAdapter(stores[0])).has_diffs()


def test_a_saved_diff_keeps_what_counts_as_equal(redis_url: str) -> None:
    source, target = fill(Ports(), **{**HERE, "host": "other"}), fill(Ports(), **THERE)
    diff = target.diff_from(source)
    [element] = diff.get_children()
    assert element.equal == {"mac", "tags", "note"}
    with closing(RedisDiffs(url=redis_url, ttl=60)) as diffs:
        saved = diffs.open(diffs.save(diff))
        [again] = saved.diff().get_children()
        assert (again.equal, again.get_attrs_diffs()) == (element.equal, element.get_attrs_diffs())
        assert (
            saved.diff().dict()
            == diff.dict()
            == {"port": {"eth0": {"-": {"host": THERE["host"]}, "+": {"host": "other"}}}}
        )
        saved.drop()


def test_what_was_synced_without_code_is_compared_as_it_is_now(stores: tuple[RedisStore, RedisStore]) -> None:
    things = adapters_of(Annotated[set[str], By(lambda value: sorted(map(str.lower, value)))])
    holding(things, {"B"}, stores[0])
    holding(things, {"a"}, stores[1])
    target = StoredAdapter(stores[1])
    target.sync_from(StoredAdapter(stores[0]))
    assert not target.diff_from(StoredAdapter(stores[0])).has_diffs()
    source: Any = things(internal_storage_engine=stores[0])
    source.get("thing", "x").value = {"A"}  # what the target had before
    stores[0].flush()
    for one, other in (
        (StoredAdapter(stores[0]), StoredAdapter(stores[1])),
        (source, things(internal_storage_engine=stores[1])),
    ):
        assert other.diff_from(one).has_diffs()


# Functions that change


def rounding(places: int) -> Callable[[float], float]:
    return lambda value: round(value, places)


def scaled(value: float, *, by: int = 1) -> float:
    return value * by


class Rounding:
    def __init__(self, places: int) -> None:
        self.places = places

    def __call__(self, value: float) -> float:
        return round(value, self.places)


class Shouted(Comparison):
    """Not a dataclass."""

    def normal(self, value: Any) -> Any:
        return str(value).upper()


class Whispered(Shouted):
    def normal(self, value: Any) -> Any:
        return str(value).lower()


UNLIKE: list[tuple[Any, Any]] = [
    (lambda value: value + 1, lambda value: value + 2),
    (lambda value: value.upper(), lambda value: value.lower()),
    (lambda value: [part + 1 for part in value], lambda value: [part + 2 for part in value]),
    (lambda value: value in {1, 2}, lambda value: value in {1, 3}),
    (rounding(1), rounding(2)),
    (functools.partial(scaled, by=1), functools.partial(scaled, by=2)),
    (Rounding(1), Rounding(2)),
    (str.lower, str.upper),
    (lambda value, by=1: value + by, lambda value, by=2: value + by),
]


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_functions_that_are_not_alike_are_told_apart(one: Any, other: Any) -> None:
    assert By(one).fingerprint() == By(one).fingerprint() != By(other).fingerprint()


def test_comparisons_of_ones_own_are_told_apart_by_their_code() -> None:
    assert Shouted().fingerprint() == Shouted().fingerprint()
    assert WithoutDomain("a").fingerprint() != WithoutDomain("b").fingerprint()
    assert Shouted().fingerprint().replace("Shouted", "") != Whispered().fingerprint().replace("Whispered", "")


def fingerprints() -> list[str]:
    members: frozenset[str] = frozenset({"one", "two", "three"})
    functions: list[Any] = [
        lambda value: value in {"one", "two", "three", "four"},
        lambda value: value in members,
        functools.partial(scaled, by=2),
        Rounding(2),
    ]
    return [*(By(function).fingerprint() for function in functions), Shouted().fingerprint()]


def test_a_function_has_one_fingerprint_in_every_process() -> None:
    command = "import json, tests.test_compare as here; print(json.dumps(here.fingerprints()))"
    for seed in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", command],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        )
        assert json.loads(said.stdout) == fingerprints()


def test_a_store_that_older_code_has_loaded_is_read_in_full(stores: tuple[RedisStore, RedisStore]) -> None:
    older = adapters_of(Annotated[int, By(lambda value: value // 10)])
    newer = adapters_of(Annotated[int, By(lambda value: value // 2)])
    holding(older, 11, stores[0])
    holding(older, 12, stores[1])
    found = [RedisStore(client=store._redis, store_id=store.store_id) for store in stores]
    assert not older(internal_storage_engine=found[1]).diff_from(older(internal_storage_engine=found[0])).has_diffs()
    assert newer(internal_storage_engine=found[1]).diff_from(newer(internal_storage_engine=found[0])).has_diffs()


@pytest.mark.parametrize("function", [str.lower, lambda _: object()], ids=["raises", "no JSON"])
def test_a_function_that_fails_is_named_by_its_field(redis_url: str, function: Callable[[Any], Any]) -> None:
    things = adapters_of(Annotated[str | None, By(function)])
    with pytest.raises(DiffException, match="thing 'x' cannot be compared by value: "):
        holding(things, None).diff_from(holding(things, "A"))
    store = RedisStore(url=redis_url)
    with pytest.raises(DiffException, match="thing 'x' cannot be compared by value: "):
        holding(things, None, store)
    store.drop()
