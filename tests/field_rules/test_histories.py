"""Random histories of two sources and a person: nothing foreign is overwritten or deleted, and each conflict has three values.

`HISTORIES=5000 pytest tests/field_rules/test_histories.py` tries more of them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.field_rules import Adopter, LeftAlone, LocalTargetMemory, Recorder, TargetMemory, Why
from diffsync_store.store.redis import Connection, RedisStore
from diffsync_store.store.redis.memory import RedisTargetMemory
from diffsync_store.sync.ruled import diff_with_rules
from diffsync_store.sync.sync import Sync
from tests.field_rules.world import PERSON, RULES, Key, Side, Values, World

EXAMPLES = int(os.environ.get("HISTORIES", "0"))
SOURCES = ("one", "two")
GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE
TEXTS = st.sampled_from([None, "a", "A", "b", "c"])
DEVICES = st.sampled_from(["d1", "d2", "d3"])
PORTS = st.sampled_from(["p1", "p2"])
WHO = st.sampled_from([*SOURCES, "person"])
STEPS = st.one_of(
    st.tuples(st.just("sync"), st.sampled_from(SOURCES)),
    st.tuples(st.just("device"), WHO, DEVICES, TEXTS, TEXTS, TEXTS),
    st.tuples(st.just("port"), WHO, PORTS, DEVICES, TEXTS),
    st.tuples(st.just("remove"), WHO, st.one_of(DEVICES, PORTS)),
    st.tuples(st.just("sync"), st.sampled_from(SOURCES)),
    st.tuples(st.just("adopt"), st.sampled_from(SOURCES), st.booleans()),
    st.just(("lose",)),
)
HISTORIES = st.lists(STEPS, min_size=3, max_size=30)


def of_test(examples: int) -> settings:
    return settings(
        max_examples=EXAMPLES or examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        database=None,
        derandomize=not EXAMPLES,
    )


class History:
    """What happens to a system, step by step."""

    def __init__(self, sync: Callable[[History, str, Side], list[LeftAlone]], memory: TargetMemory) -> None:
        self.world = World()
        self.sources: dict[str, dict[Key, Values]] = {name: {} for name in SOURCES}
        self._sync = sync
        self._memory = memory
        self._has_lost = False

    def run(self, steps: list[Any]) -> None:
        for step in steps:
            getattr(self, step[0])(*step[1:])
            assert not self.world.violations, self.world.violations

    def lose(self) -> None:
        self._memory.clear()
        self._has_lost = True

    def adopt(self, who: str, objects: bool) -> None:
        """A person adopts what a source and the system have in common: nothing else, and nothing that another source owns."""
        source = Side(who, self.sources[who], self.world)
        target = Side("target", {key: one.values for key, one in self.world.records.items()}, self.world)
        source.load()
        target.load()
        adopter = Adopter(RULES, self._memory, who, objects=objects)
        found = list(adopter.find(source.store, target.store))
        adopter.adopt(source.store, target.store, sync=who, by=PERSON)
        for one in found:
            key, record = (one.model, one.unique_id), self.world.records[one.model, one.unique_id]
            assert set(one.attributes) <= {"description"}
            for name in one.attributes:
                assert str(record.values[name]).casefold() == str(self.sources[who][key][name]).casefold()
                record.written[name] = record.values[name]
            if one.is_object:
                assert objects
                assert self._has_lost or record.created_by not in SOURCES
                record.created_by = who

    def device(self, who: str, name: str, description: Any, serial: Any, notes: Any) -> None:
        self._put(who, ("device", name), {"description": description, "serial": serial, "notes": notes})

    def port(self, who: str, name: str, device: str, description: Any) -> None:
        has = self.world.records if who == "person" else self.sources[who]
        if ("device", device) in has:
            self._put(who, ("port", name), {"device": device, "description": description})

    def _put(self, who: str, key: Key, values: Values) -> None:
        if who != "person":
            self.sources[who][key] = values
        elif key in self.world.records:
            self.world.records[key].values.update(values)
        else:
            self.world.person_creates(key, values)

    def remove(self, who: str, name: str) -> None:
        key = ("device" if name.startswith("d") else "port", name)
        if who == "person":
            if key in self.world.records:
                self.world.person_deletes(key)
            return
        records = self.sources[who]
        records.pop(key, None)
        for below in [each for each, values in records.items() if values.get("device") == name]:
            del records[below]

    def sync(self, who: str) -> None:
        before = {key: (dict(one.values), dict(one.written)) for key, one in self.world.records.items()}
        self.world.acting = who
        target = Side("target", {key: one.values for key, one in self.world.records.items()}, self.world)
        left = self._sync(self, who, target)
        self.world.deleted.clear()
        self._check_listed(left, before, self.sources[who])
        self._check_done(left, who)

    def _check_listed(self, left: list[LeftAlone], before: dict[Key, Any], source: dict[Key, Values]) -> None:
        """Check that each conflict has the values of the source and the target, and the one that a sync wrote last."""
        for one in left:
            if not one.attribute:
                continue
            key = (one.model, one.unique_id)
            values, written = before[key]
            assert one.target == values[one.attribute]
            assert one.source == source[key][one.attribute]
            if one.why is Why.CHANGED:
                assert one.has_applied
                assert set(one.values()) == {"applied", "target", "source"}
                assert one.applied == written[one.attribute], one
            assert not one.is_conflict or one.reason()

    def _check_done(self, left: list[LeftAlone], who: str) -> None:
        """Check that what a sync has not changed is listed."""
        listed = {(one.model, one.unique_id, one.attribute) for one in left}
        source = self.sources[who]
        for key, record in self.world.records.items():
            if key not in source:
                assert (*key, "") in listed, (key, left)
                continue
            if (*key, "") in listed:  # it would have moved
                continue
            for name, value in source[key].items():
                is_equal = record.values[name] == value
                if name == "description" and key[0] == "device" and value and record.values[name]:
                    is_equal = record.values[name].casefold() == value.casefold()
                is_nothing = name == "serial" and not value
                assert is_equal or (*key, name) in listed or (is_nothing or name == "notes"), (key, name, left)


@of_test(60)
@given(HISTORIES)
def test_nothing_foreign_is_changed_in_memory(steps: list[Any]) -> None:
    memory = LocalTargetMemory()

    def sync(history: History, who: str, target: Side) -> list[LeftAlone]:
        source = Side(who, history.sources[who], history.world)
        source.load()
        target.load()
        diff, left = diff_with_rules(source, target, RULES, memory)
        result = Sync(diff, source, target, flags=GO_ON, recorder=Recorder(memory, RULES, who)).run()
        assert result.is_complete, result
        return left

    History(sync, memory).run(steps)


@pytest.fixture
def diffs(redis_connection: Connection) -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(connection=redis_connection)) as found:
        yield found


def test_nothing_foreign_is_changed_in_redis(redis_connection: Connection, diffs: RedisDiffs) -> None:
    name = f"target-{uuid.uuid4().hex}"
    memory = RedisTargetMemory(redis_connection.client, name)

    def sync(history: History, who: str, target: Side) -> list[LeftAlone]:
        name_of_run = f"test-{uuid.uuid4().hex}"
        stores = [RedisStore(store_id=f"{name_of_run}-{side}", connection=redis_connection) for side in ("s", "t")]
        source = Side(who, history.sources[who], history.world, stores[0])
        target = Side(name, target.records, history.world, stores[1])
        for side in (source, target):
            with side.store.loading():
                side.load()
        diffs.compare(source, target, name_of_run, rules=RULES)
        saved = diffs.open(name_of_run)
        result = saved.apply(source, target, flags=GO_ON)
        assert result.is_complete, result
        left = list(saved.left_alone())
        saved.drop()
        for store in stores:
            store.drop()
        return left

    @of_test(20)
    @given(HISTORIES)
    def run(steps: list[Any]) -> None:
        memory.clear()
        History(sync, memory).run(steps)

    run()
    memory.clear()
