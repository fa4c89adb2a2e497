"""Adopt what source and target have in common, on both stores."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest

from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.compare import IgnoreCase
from diffsync_store.field_rules import Adopter, Adoption, FieldRules, LocalTargetMemory, Remembered, TargetMemory, Why
from diffsync_store.store.local import LocalStore
from diffsync_store.store.redis import Connection, RedisStore
from diffsync_store.store.redis.memory import RedisTargetMemory
from diffsync_store.sync.ruled import diff_with_rules

RULES = FieldRules.model_validate(
    {"fields": {"user": {"*": "unless_changed", "note": "source"}}, "deletes": {"*": "own"}}
)
SECRET = "hunter2-correct-horse"


class User(DiffSyncModel):
    _modelname = "user"
    _identifiers = ("name",)
    _attributes = ("mail", "password", "note")

    name: str
    mail: Annotated[str, IgnoreCase()] = ""
    password: str = ""
    note: str = ""


class Users(Adapter):
    user = User
    top_level = ["user"]


class Bench:
    """Makes sides over one kind of store, with a memory of the same kind."""

    def __init__(self, connection: Connection, kind: str) -> None:
        self._connection = connection
        self._kind = kind
        self._name = f"test-{uuid.uuid4().hex}"
        self._stores: list[Any] = []
        self.memory: TargetMemory = LocalTargetMemory()
        if kind == "redis":
            self.memory = RedisTargetMemory(connection.client, self._name)

    def side(self, name: str, **users: dict[str, Any]) -> Users:
        store: Any = LocalStore
        if self._kind == "redis":
            store = RedisStore(store_id=f"{self._name}-{len(self._stores)}", connection=self._connection)
            self._stores.append(store)
        side = Users(name, store)
        with side.store.loading():
            for user, fields in users.items():
                side.add(User(name=user, **fields))
        return side

    def adopt(self, source: Users, target: Users, *, objects: bool = False) -> Adoption:
        adopter = Adopter(RULES, self.memory, str(source.name), objects=objects)
        return adopter.adopt(source.store, target.store, sync="nightly", by="eva")

    def left(self, source: Users, target: Users) -> dict[tuple[str, str], Why]:
        """What the rules leave alone, by unique id and attribute."""
        _, left = diff_with_rules(source, target, RULES, self.memory)
        return {(one.unique_id, one.attribute): one.why for one in left}

    def close(self) -> None:
        self.memory.clear()
        for store in self._stores:
            store.drop()


@pytest.fixture(params=["local", "redis"])
def bench(redis_connection: Connection, request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(redis_connection, request.param)
    yield made
    made.close()


def test_equal_values_follow_the_source_and_a_later_change_is_seen(bench: Bench) -> None:
    source, target = (
        bench.side("s", a={"mail": "a@x"}, b={"mail": "b@x"}),
        bench.side("t", a={"mail": "A@x"}, b={"mail": "b@x"}),
    )
    assert bench.adopt(source, target).values == {"user": 2}
    later = bench.side("s", a={"mail": "new@x"}, b={"mail": "new@x"})
    diff, left = diff_with_rules(later, bench.side("t", a={"mail": "a@X"}, b={"mail": "person@x"}), RULES, bench.memory)
    assert diff.summary()["update"] == 1
    [one] = left
    assert (one.unique_id, one.why, one.applied, one.target, one.source) == (
        "b",
        Why.CHANGED,
        "b@x",
        "person@x",
        "new@x",
    )
    assert "a sync last adopted 'b@x'" in one.reason()


def test_values_that_differ_are_empty_or_have_no_rule_are_not_adopted(bench: Bench) -> None:
    source = bench.side("s", a={"mail": "a@x", "note": "n"}, b={"mail": ""}, c={"mail": "c@x"})
    target = bench.side("t", a={"mail": "other@x", "note": "n"}, b={"mail": ""}, d={"mail": "c@x"})
    adoption = bench.adopt(source, target)
    assert sum(adoption.values.values()) == 0
    assert bench.memory.is_empty()


def test_objects_are_adopted_on_request_only(bench: Bench) -> None:
    source, target = bench.side("s", a={"mail": "a@x"}), bench.side("t", a={"mail": "a@x"}, foreign={})
    without = bench.side("s")
    bench.adopt(source, target)
    assert bench.left(without, target)["a", ""] is Why.FOREIGN
    assert bench.adopt(source, target, objects=True).objects == {"user": 1}
    assert bench.left(without, target) == {("foreign", ""): Why.FOREIGN}
    assert ("a", "") in bench.left(bench.side("other"), target)


def test_what_syncs_have_written_is_kept(bench: Bench) -> None:
    source, target = (
        bench.side("s", a={"mail": "a@x", "password": "p"}),
        bench.side("t", a={"mail": "a@x", "password": "p"}),
    )
    bench.memory.write({("user", "a"): Remembered("other", values={"mail": "a@x"}, at=1)})
    adoption = bench.adopt(source, target, objects=True)
    assert (adoption.values, sum(adoption.objects.values())) == ({"user": 1}, 0)
    known = bench.memory.read("user", ["a"])["a"]
    assert (known.created_by, known.values["mail"]) == ("other", "a@x")


def test_to_adopt_again_finds_nothing_and_who_did_it_is_known(bench: Bench) -> None:
    source, target = (
        bench.side("s", a={"mail": "a@x", "password": SECRET}),
        bench.side("t", a={"mail": "a@x", "password": SECRET}),
    )
    first = bench.adopt(source, target, objects=True)
    again = bench.adopt(source, target, objects=True)
    assert sum(again.values.values()) + sum(again.objects.values()) == 0
    assert bench.memory.adoptions() == [first, again]
    assert (first.by, first.sync, first.values, first.objects) == ("eva", "nightly", {"user": 2}, {"user": 1})
    known = bench.memory.read("user", ["a"])["a"]
    assert known.is_adopted
    assert SECRET not in known.to_json()
    bench.memory.clear()
    assert bench.memory.adoptions() == []


def test_what_a_sync_has_written_since_the_load_is_kept(bench: Bench) -> None:
    source, target = (
        bench.side("s", a={"mail": "old@x"}, b={"mail": "b@x"}),
        bench.side("t", a={"mail": "old@x"}, b={"mail": "b@x"}),
    )
    bench.memory.write({("user", "a"): Remembered("s", values={"mail": "new@x"}, at=time.time() + 1)})
    adoption = bench.adopt(source, target, objects=True)
    assert (adoption.values, adoption.objects, adoption.outdated) == ({"user": 1}, {"user": 1}, {"user": 1})
    known = bench.memory.read("user", ["a", "b"])
    assert (known["a"].values, known["a"].is_adopted) == ({"mail": "new@x"}, False)
    assert known["b"].values == {"mail": "b@x"}


def test_objects_are_adopted_after_their_values_from_the_same_stores(bench: Bench) -> None:
    source, target = bench.side("s", a={"mail": "a@x"}), bench.side("t", a={"mail": "a@x"})
    assert bench.adopt(source, target).values == {"user": 1}
    again = bench.adopt(source, target, objects=True)
    assert (again.objects, again.outdated) == ({"user": 1}, {})


def test_more_objects_than_a_batch(bench: Bench) -> None:
    users = {f"u{number}": {"mail": f"{number}@x"} for number in range(2500)}
    assert bench.adopt(bench.side("s", **users), bench.side("t", **users), objects=True).objects == {"user": 2500}


def test_threads_adopt_into_one_memory(bench: Bench) -> None:
    users = {f"u{number}": {"mail": f"{number}@x"} for number in range(50)}
    sides = [(bench.side("s", **users), bench.side("t", **users)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: bench.adopt(*pair), sides))
    assert len(bench.memory.adoptions()) == 4
    assert len(bench.memory.read("user", list(users))) == 50
