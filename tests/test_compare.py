"""Fields that say how they compare, in memory and across processes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
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
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis_diffs import RedisDiffs

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
    assert stores[0].subtrees().of("port", ["eth0"]) == stores[1].subtrees().of("port", ["eth0"])  # type: ignore[union-attr]


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
