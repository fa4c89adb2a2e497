"""The memory of a target: written when an operation is done, without expiry, without secrets."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest

from diffsync_store import Adapter, DiffSyncFlags, DiffSyncModel
from diffsync_store.compare import IgnoreCase
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.exceptions import ObjectNotCreated
from diffsync_store.field_rules import FieldRules, TargetMemory, Why
from diffsync_store.field_rules.memory import LocalTargetMemory, Remembered
from diffsync_store.store.redis import Connection, RedisStore
from diffsync_store.store.redis.memory import RedisTargetMemory

RULES = FieldRules.model_validate({"fields": {"user": {"*": "unless_changed"}}, "deletes": {"*": "own"}})
SECRET = "hunter2-correct-horse"


class User(DiffSyncModel):
    _modelname = "user"
    _identifiers = ("name",)
    _attributes = ("mail", "password")

    name: str
    mail: Annotated[str, IgnoreCase()] = ""
    password: str = ""

    @classmethod
    def create(cls, adapter: Any, ids: Any, attrs: Any) -> Any:
        if ids["name"] == "refused":
            raise ObjectNotCreated("no")
        return super().create(adapter, ids, attrs)


class Users(Adapter):
    user = User
    top_level = ["user"]


class Bench:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name = f"test-{uuid.uuid4().hex}"
        self.diffs = RedisDiffs(connection=connection)
        self.ids: list[str] = []

    def side(self, name: str, users: dict[str, tuple[str, str]]) -> Users:
        self.ids.append(f"{self.name}-{len(self.ids)}")
        side = Users(name, RedisStore(store_id=self.ids[-1], connection=self.connection))
        with side.store.loading():
            for user, (mail, password) in users.items():
                side.add(User(name=user, mail=mail, password=password))
        return side

    def sync(self, source: dict[str, tuple[str, str]], target: dict[str, tuple[str, str]]) -> SavedDiff:
        """Compare and apply."""
        sides = self.side("source", source), self.side(self.name, target)
        saved = self.diffs.open(self.diffs.compare(*sides, rules=RULES))
        self.result = saved.apply(*sides, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
        return saved


@pytest.fixture
def bench(redis_connection: Connection) -> Iterator[Bench]:
    found = Bench(redis_connection)
    yield found
    saved = found.sync({}, {})
    saved.memory().clear()
    for record in list(found.diffs.list()):
        if record.target_name == found.name:
            found.diffs.open(record.diff_id).drop()
    for store_id in found.ids:
        RedisStore(store_id=store_id, connection=found.connection).drop()


def test_only_what_was_done_is_remembered(bench: Bench) -> None:
    saved = bench.sync({"a": ("a@x", SECRET), "refused": ("r@x", "")}, {"b": ("b@x", "")})
    known = saved.memory().read("user", ["a", "b", "refused"])
    assert list(known) == ["a"]
    assert known["a"].created_by == "source"
    assert [one.why for one in saved.left_alone()] == [Why.FOREIGN]


def test_the_memory_does_not_expire(bench: Bench) -> None:
    saved = bench.sync({"a": ("a@x", "")}, {})
    keys = saved.memory()._keys
    client: Any = bench.connection.client
    assert [client.ttl(key) for key in (keys.record, keys.objects("user"))] == [-1, -1]


def test_a_secret_is_neither_remembered_nor_shown(bench: Bench) -> None:
    saved = bench.sync({"a": ("a@x", SECRET)}, {})
    client: Any = bench.connection.client
    assert SECRET.encode() not in b"".join(client.hvals(saved.memory()._keys.objects("user")))
    saved = bench.sync({"a": ("a@x", f"{SECRET}-3")}, {"a": ("a@x", f"{SECRET}-2")})
    [one] = saved.conflicts()
    assert one.why is Why.CHANGED
    assert (one.applied, one.target, one.source) == ("***", "***", "***")
    assert SECRET not in one.model_dump_json() + one.reason() + str(list(saved.rejects()))
    assert bench.result.updated == 0
    assert bench.sync({"a": ("a@x", "new")}, {"a": ("a@x", SECRET)}).record.summary["update"] == 1


def test_a_value_that_compares_equal_is_unchanged(bench: Bench) -> None:
    bench.sync({"a": ("A@x", "")}, {})
    assert bench.sync({"a": ("new@x", "")}, {"a": ("a@X", "")}).record.summary["update"] == 1


def test_a_conflict_has_three_values_and_is_a_reject(bench: Bench) -> None:
    bench.sync({"a": ("old@x", "")}, {})
    saved = bench.sync({"a": ("new@x", "")}, {"a": ("person@x", "")})
    assert saved.record.operations == 0
    assert saved.record.left_alone == {"user": {"changed": 1}}
    [reject] = saved.rejects()
    assert reject.state == "conflict"
    assert reject.payload == {"applied": "old@x", "target": "person@x", "source": "new@x"}
    assert [one.payload for one in bench.result.left_alone] == [reject.payload]


def test_a_lost_memory_changes_nothing(bench: Bench) -> None:
    bench.sync({"a": ("a@x", ""), "b": ("b@x", "")}, {}).memory().clear()
    saved = bench.sync({"a": ("new@x", "")}, {"a": ("a@x", ""), "b": ("b@x", "")})
    assert saved.record.operations == 0
    assert not saved.record.had_memory
    assert [one.why for one in saved.left_alone()] == [Why.NOT_WRITTEN, Why.FOREIGN]


def test_an_object_that_was_gone_is_foreign_when_it_comes_back(bench: Bench) -> None:
    bench.sync({"a": ("a@x", "")}, {})
    bench.sync({}, {})
    saved = bench.sync({}, {"a": ("a@x", "")})
    assert [one.why for one in saved.left_alone()] == [Why.FOREIGN]


def test_without_rules_nothing_is_remembered(bench: Bench) -> None:
    sides = bench.side("source", {"a": ("a@x", "")}), bench.side(bench.name, {})
    saved = bench.diffs.open(bench.diffs.compare(*sides))
    assert saved.apply(*sides).created == 1
    assert saved.memory().is_empty()


@pytest.mark.parametrize("kind", ["local", "redis"])
def test_threads_share_a_memory(redis_connection: Connection, kind: str) -> None:
    shared: TargetMemory = LocalTargetMemory()
    if kind == "redis":
        shared = RedisTargetMemory(redis_connection.client, f"shared-{uuid.uuid4().hex}")
    salts: set[bytes] = set()

    def write(number: int) -> None:
        for each in range(50):
            shared.write({(f"model-{number % 2}", f"{number}-{each}"): Remembered("source", values={"n": each})})
            if each % 2:
                shared.write({(f"model-{number % 2}", f"{number}-{each}"): None})
        salts.add(shared.salt)

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert sorted(shared.models()) == ["model-0", "model-1"]
        for number in range(4):
            known = shared.read(f"model-{number % 2}", [f"{number}-{each}" for each in range(50)])
            assert {uid: one.values for uid, one in known.items()} == {
                f"{number}-{each}": {"n": each} for each in range(0, 50, 2)
            }
        assert len(salts) == 1
    finally:
        shared.clear()
