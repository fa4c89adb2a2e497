"""A load that lacks something below one object: guards suppress what is below that one, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsync_store import (
    Adapter,
    BaseStore,
    ChangeLimitExceeded,
    ChangeLimits,
    DiffSyncModel,
    Guards,
    Limit,
    Limits,
    LocalStore,
    ObjectStoreWrongType,
    SyncOptions,
)
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.load_report import MAX_KEYS
from diffsync_store.store.redis import RedisStore

Rows = list[tuple[str, str, str]]
"""Maker, type, port; empty where there is no such object."""


class Maker(DiffSyncModel):
    _modelname = "maker"
    _identifiers = ("name",)
    _children = {"kind": "kinds"}

    name: str
    kinds: list[str] = []


class Kind(DiffSyncModel):
    _modelname = "kind"
    _identifiers = ("maker", "name")
    _children = {"port": "ports"}

    maker: str
    name: str
    ports: list[str] = []


class Port(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("maker", "kind", "name")

    maker: str
    kind: str
    name: str


class Catalogue(Adapter):
    maker = Maker
    kind = Kind
    port = Port
    top_level = ["maker"]

    def fill(self, makers: str, kinds: str, ports: str, refused: set[str] = frozenset()) -> Any:  # type: ignore[assignment]
        """Load all of these but what stands at a refused place: "a" is a maker, "ax" a type, "ax1" a port."""
        with self.store.loading():
            for maker in makers:
                above = Maker(name=maker)
                self.add(above)
                for kind in kinds:
                    with self.rejecting("kind", maker + kind, below=above):
                        self.put_kind(above, kind, ports, refused)
        return self

    def put_kind(self, above: Maker, kind: str, ports: str, refused: set[str]) -> None:
        if above.name + kind in refused:
            raise ValueError("no height")
        found = Kind(maker=above.name, name=kind)
        self.add(found)
        above.add_child(found)
        for name in ports:
            with self.rejecting(Port, f"{above.name}{kind}{name}", below=("kind", found.get_unique_id())):
                if f"{above.name}{kind}{name}" in refused:
                    raise ValueError("no speed")
                port = Port(maker=above.name, kind=kind, name=name)
                self.add(port)
                found.add_child(port)

    def names(self) -> set[str]:
        return {
            "".join(str(value) for value in obj.get_identifiers().values())
            for model in ("maker", "kind", "port")
            for obj in self.get_all(model)
        }


def target(store: BaseStore | type[BaseStore] = LocalStore) -> Catalogue:
    """It has a maker, a type of each maker and a port of each type that the source does not have."""
    found: Catalogue = Catalogue("target", store).fill("abc", "xy", "12")
    return found


ALL = target().names()


def test_a_refused_record_suppresses_only_the_deletes_below_its_parent() -> None:
    source = Catalogue("source").fill("ab", "x", "1", {"ax"})
    left = target()
    left.sync_from(source, guards=Guards())
    # Nothing below maker a goes: nobody knows which of its types the source has. All of the others do.
    assert left.names() == {name for name in ALL if name[0] == "a"} | {"b", "bx", "bx1"}


def test_a_refused_record_two_levels_down_suppresses_the_deletes_there() -> None:
    source = Catalogue("source").fill("ab", "xy", "1", {"bx1"})
    left = target()
    left.sync_from(source, guards=Guards())
    assert left.names() == {"a", "ax", "ax1", "ay", "ay1", "b", "bx", "bx1", "bx2", "by", "by1"}


def test_a_shard_that_is_not_loaded_suppresses_only_the_deletes_of_what_it_covers() -> None:
    source = Catalogue("source")
    of = {maker: ("maker", maker) for maker in "abd"}
    with source.store.loading(shard="b", of=of):
        maker = Maker(name="b")
        source.add(maker)
        source.put_kind(maker, "x", "1", set())
    with pytest.raises(OSError, match="no answer"):
        fail(source, "d", of)
    source.store.seal()
    left = target()
    left.add(Maker(name="d"))
    left.sync_from(source, guards=Guards())
    assert left.names() == {name for name in ALL if name[0] == "a"} | {"b", "bx", "bx1", "d"}


def fail(source: Catalogue, shard: str, of: dict[str, tuple[str, str]]) -> None:
    with source.store.loading(shard=shard, of=of):
        raise OSError("no answer")


def test_a_gap_without_a_place_covers_the_whole_model() -> None:
    source = Catalogue("source").fill("ab", "x", "1", {"ax"})
    for say in (
        lambda: source.incomplete("kind", "page 2: 502"),
        lambda: source.store.reject("kind", "?", ValueError("no maker")),
        lambda: [source.incomplete("kind", "?", below=("maker", f"m{number}")) for number in range(MAX_KEYS + 1)],
    ):
        with source.store.loading():
            source.incomplete("kind", "one", below=("maker", "a"))
            say()
        assert source.store.record().gaps["kind"].below == ()


def test_below_must_be_an_object_or_a_model_with_a_unique_id() -> None:
    with pytest.raises(
        ObjectStoreWrongType, match="`below` must be an object, or a pair of model and unique id, not str"
    ):
        Catalogue().incomplete("kind", "?", below="a")  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.sets(st.sampled_from(sorted(name for name in ALL if len(name) > 1)), max_size=6))
def test_no_object_goes_that_the_source_may_have(refused: set[str]) -> None:
    """The source has everything but what it refuses: nothing of it may be deleted."""
    source = Catalogue("source").fill("abc", "xy", "12", refused)
    left = target()
    left.sync_from(source, guards=Guards(change_limits=ChangeLimits()))
    assert left.names() == ALL


@pytest.fixture
def stores(redis_url: str, store_id: str) -> Iterator[tuple[RedisStore, RedisStore]]:
    with ExitStack() as opened:
        found = []
        for side in ("source", "target"):
            store = opened.enter_context(RedisStore(url=redis_url, store_id=f"{store_id}-{side}"))
            opened.callback(store.drop)
            found.append(store)
        yield found[0], found[1]


def test_a_saved_diff_has_its_suppressions(
    redis_url: str, store_id: str, stores: tuple[RedisStore, RedisStore]
) -> None:
    source, left = Catalogue("source", stores[0]), target(stores[1])
    source.fill("ab", "x", "1", {"ax"})
    with closing(RedisDiffs(url=redis_url)) as diffs:
        saved = diffs.open(diffs.compare(source, left, store_id, guards=Guards()))
        assert {(one.model, one.action, one.below, one.count) for one in saved.record.suppressions} == {
            ("kind", "delete", (("maker", "a"),), 2),
            ("port", "delete", (("maker", "a"),), 4),
        }
        assert "deletes of kind below maker a are suppressed" in str(saved.record.suppressions[0])
        assert diffs.compare_once(source, left, store_id, guards=Guards()) == store_id
        few = Guards(change_limits=ChangeLimits(models={"kind": Limits(delete=Limit(absolute=3))}))
        assert saved.guarded(few, left.store.record(), source.store.record()).is_scoped
        fewer = Guards(change_limits=ChangeLimits(models={"kind": Limits(delete=Limit(absolute=2))}))
        with pytest.raises(ChangeLimitExceeded, match="3 deletes of kind"):
            saved.guarded(fewer, left.store.record(), source.store.record())
        planned = saved.dry_run(SyncOptions())
        done = saved.apply(source, left)
        assert planned.counts() == done.counts()
        assert (done.suppressed, done.deleted) == (6, 11)
        assert left.names() == {name for name in ALL if name[0] == "a"} | {"b", "bx", "bx1"}
        saved.drop()
