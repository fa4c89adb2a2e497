"""A delete knows how many loads of the source in a row have lacked the object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffsync_store.diffs import RedisDiffs
from diffsync_store.guards import Guards
from diffsync_store.rules import Rule, Rules
from diffsync_store.store.redis import Connection, RedisStore
from diffsync_store.store.redis.absences import RedisAbsences
from tests.noted_inventory import Inventory, Tree
from tests.servers import RedisServer

RULES = Rules(
    all=(
        Rule.model_validate({"action": "delete", "unless": {"older_than": "3 runs"}, "then": "hold"}),
        Rule.model_validate({"then": "apply"}),
    )
)


class Nightly:
    """A source that is loaded again and again, and a target that is loaded once."""

    def __init__(self, connection: Connection, target: Tree) -> None:
        self.connection = connection
        self.names = [f"{name}-{uuid.uuid4().hex[:8]}" for name in ("source", "target")]
        self.diffs = RedisDiffs(connection=connection)
        self.target = self._load(self.names[1], target)
        self.source = self._load(self.names[0], target)

    def _load(self, name: str, tree: Tree, *, is_partial: bool = False) -> Inventory:
        adapter = Inventory(tree, name=name, internal_storage_engine=RedisStore(name, connection=self.connection))
        with adapter.store.loading():
            adapter.load()
            if is_partial:
                adapter.store.reject("device", "one", ValueError("cannot be read"))
        return adapter

    def absent(self, tree: Tree, *, is_partial: bool = False, rules: Rules = RULES) -> dict[str, int]:
        self.source = self._load(self.names[0], tree, is_partial=is_partial)
        return self.compare(rules)

    def compare(self, rules: Rules = RULES) -> dict[str, int]:
        self.diff_id = self.diffs.compare(self.source, self.target, guards=Guards(), operation_rules=rules)
        operations = self.diffs.open(self.diff_id).operations()
        return {str(each.unique_id): each.absent_loads for each in operations if each.action == "delete"}


@pytest.fixture
def nightly(redis_connection: Connection) -> Iterator[Nightly]:
    world = Nightly(redis_connection, {"lab": dict.fromkeys("abz", "leaf"), "old": {}})
    yield world
    for side in (world.source, world.target):
        side.store.drop()


def test_loads_in_a_row_count_and_a_record_that_comes_back_begins_again(nightly: Nightly) -> None:
    found = [
        nightly.absent({"lab": dict.fromkeys(names, "leaf"), "old": {}}) for names in ("bz", "z", "bz", "z", "az", "z")
    ]
    assert found == [
        {"lab__a": 1},
        {"lab__a": 2, "lab__b": 1},
        {"lab__a": 3},
        {"lab__a": 4, "lab__b": 1},
        {"lab__b": 2},
        {"lab__a": 1, "lab__b": 3},
    ]


def test_a_load_counts_once_however_often_it_is_compared(nightly: Nightly) -> None:
    assert nightly.absent({"lab": dict.fromkeys("abz", "leaf")}) == {"old": 1}
    assert nightly.compare() == {"old": 1}
    assert nightly.compare() == {"old": 1}
    assert nightly.absent({"lab": dict.fromkeys("abz", "leaf")}) == {"old": 2}


def test_a_partial_load_neither_counts_nor_ends_the_row(nightly: Nightly) -> None:
    without_a: Tree = {"lab": dict.fromkeys("bz", "leaf"), "old": {}}
    assert nightly.absent(without_a) == {"lab__a": 1}
    assert nightly.absent(without_a, is_partial=True) == {"lab__a": 1}
    assert nightly.absent(without_a) == {"lab__a": 2}


def test_a_rule_holds_a_delete_until_it_is_old_enough(nightly: Nightly) -> None:
    for decision in ("hold", "hold", "apply", "apply"):
        nightly.absent({"lab": dict.fromkeys("abz", "leaf")})
        [one] = nightly.diffs.open(nightly.diff_id).record.rulings
        assert one.decision == decision
    [operation] = nightly.diffs.open(nightly.diff_id).operations()
    assert RULES.ruling(operation.element("", "")).decision == "apply"  # also as it was saved


def test_without_such_a_rule_nothing_is_kept(own_redis: RedisServer) -> None:
    with Connection(url=own_redis.url) as connection:
        world = Nightly(connection, {"lab": {"a": "leaf"}})
        assert world.absent({}, rules=Rules(all=(Rule.model_validate({"then": "apply"}),))) == {"lab__a": 0, "lab": 0}
        assert not own_redis.client().keys("*absent*")


def test_counts_of_old_loads_are_dropped(own_redis: RedisServer) -> None:
    with Connection(url=own_redis.url) as connection:
        world = Nightly(connection, {"lab": dict.fromkeys("abz", "leaf")})
        for _ in range(6):
            world.absent({"lab": {}})
        keys = own_redis.client().keys("*absent*")
        assert len(keys) == 3
        assert all(own_redis.client().ttl(key) == -1 for key in keys)


ABSENT = st.dictionaries(st.sampled_from("abc"), st.booleans())
"""The objects that a load lacks, each with whether it is partial there."""


def counted(absences: RedisAbsences, absent: dict[str, bool]) -> dict[str, int]:
    return absences.count("device", absent) if absent else {}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(ABSENT, st.integers(0, 2)), max_size=6))
def test_only_comparisons_that_end_count(
    redis_connection: Connection, nights: list[tuple[dict[str, bool], int]]
) -> None:
    source, last = uuid.uuid4().hex, dict[str, int]()
    for number, (absent, comparisons) in enumerate(nights):
        expected = {uid: last.get(uid, 0) + (not is_doubtful) for uid, is_doubtful in absent.items()}
        for end in (False, *(True,) * comparisons, False):
            absences = RedisAbsences(redis_connection.client, source, "target", f"generation-{number}")
            assert counted(absences, absent) == expected
            if end:
                absences.end()
        if comparisons:
            last = expected


def test_comparisons_of_one_load_at_the_same_time_count_it_once(redis_connection: Connection) -> None:
    source = uuid.uuid4().hex
    one, other, late = (RedisAbsences(redis_connection.client, source, "target", "first") for _ in range(3))
    assert [one.count("device", {"a": False}), other.count("rack", {"r": False})] == [{"a": 1}, {"r": 1}]
    one.end()
    other.end()
    late.count("device", {"a": False})  # and does not end
    newer, older = (RedisAbsences(redis_connection.client, source, "target", name) for name in ("third", "second"))
    assert older.count("device", {"a": False}) == newer.count("device", {"a": False}) == {"a": 2}
    assert newer.count("rack", {"r": False}) == {"r": 2}
    newer.end()
    older.end()
    last = RedisAbsences(redis_connection.client, source, "target", "fourth")
    assert last.count("device", {"a": False}) == {"a": 3}


def test_what_a_comparison_that_does_not_end_has_counted_expires(own_redis: RedisServer) -> None:
    with Connection(url=own_redis.url) as connection:
        for number in range(3):
            absences = RedisAbsences(connection.client, "source", "target", str(number))
            absences.count("device", {"a": False})
        client = own_redis.client()
        [*keys] = client.keys("*absent*")
        assert len(keys) == 3
        assert all(0 < client.ttl(key) <= 7 * 86400 for key in keys)
