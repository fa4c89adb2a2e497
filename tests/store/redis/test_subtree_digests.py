"""The digests that Redis keeps with every write are those that the objects have."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha1
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffsync_store import Adapter, DiffSyncModel, DiffSyncModelFlags, ObjectAlreadyExists, ObjectNotFound
from diffsync_store.store.digest import SIZE
from diffsync_store.store.local_subtree_digests import LocalSubtreeDigests
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.scripts.subtree_digests import BUCKETS
from diffsync_store.store.redis.subtree_digests import RedisSubtreeDigests
from diffsync_store.store.subtree_digests import SubtreeDigest
from tests.servers import RedisServer
from tests.store.conftest import OpenStore, keys_of

LANE = SIZE // 2
NAMES = ("n0", "n1", "n2", "n3")
MODELS = ("place", "item", "port")


class Port(DiffSyncModel):
    """Stands below others only, and has nothing below it."""

    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("speed",)

    name: str
    speed: int = 1


class Item(DiffSyncModel):
    """Stands at the top and below places."""

    _modelname = "item"
    _identifiers = ("name",)
    _attributes = ("speed", "tags")
    _children = {"port": "ports"}

    name: str
    speed: int = 1
    tags: list[str] = []
    ports: list[str] = []


class Place(DiffSyncModel):
    """Stands at the top and below itself."""

    _modelname = "place"
    _identifiers = ("name",)
    _attributes = ("speed", "tags")
    _children = {"place": "places", "item": "items", "port": "ports"}

    name: str
    speed: int = 1
    tags: list[str] = []
    places: list[str] = []
    items: list[str] = []
    ports: list[str] = []


class World(Adapter):
    place = Place
    item = Item
    port = Port
    top_level = ["place", "item"]


Step = tuple[Any, ...]
CLASSES: dict[str, type[Any]] = {"place": Place, "item": Item, "port": Port}


class Program:
    """Random writes of two writers to one store."""

    def __init__(self, client: Any, *, circles: bool) -> None:
        self.client = client
        self.circles = circles
        self.store_id = f"test-{uuid.uuid4().hex}"
        self.worlds = [World(internal_storage_engine=self.open()) for _ in range(2)]
        self.world = self.worlds[0]
        self.held: list[Any] = []

    def open(self) -> RedisStore:
        return RedisStore(client=self.client, store_id=self.store_id)

    def run(self, steps: list[Step]) -> None:
        for step, *arguments in steps:
            with suppress(ObjectAlreadyExists, ObjectNotFound):
                getattr(self, step)(*arguments)
        self.flush()

    def flush(self) -> None:
        with suppress(ObjectAlreadyExists):
            self.world.store.flush()

    def other_writer(self) -> None:
        self.flush()
        self.held.clear()
        self.world = self.worlds[self.world is self.worlds[0]]

    def share(self) -> None:
        """As if another writer had asked to write at the same time."""
        self.flush()
        record = StoreKeys(self.store_id).record
        if self.client.exists(record):
            self.client.hset(record, "shared", "1")

    def load_again(self) -> None:
        self.flush()
        self.held.clear()
        self.world = World(internal_storage_engine=self.open())
        with self.world.store.loading():
            self.world.add(Item(name=NAMES[0]))
        self.worlds = [self.world, World(internal_storage_engine=self.open())]

    def release(self) -> None:
        self.held.clear()

    def add(self, model: str, name: str, speed: int) -> None:
        obj = CLASSES[model](name=name, speed=speed)
        self.world.add(obj)
        self.held.append(obj)

    def replace(self, model: str, name: str, children: list[tuple[str, str]]) -> None:
        obj = CLASSES[model](name=name)
        for child, child_name in children:
            self._list(obj, child, child_name)
        self.world.update(obj)

    def remove(self, model: str, name: str, with_children: bool) -> None:
        self.world.remove(self.world.get(model, name), remove_children=with_children)

    def add_again(self, model: str, name: str) -> None:
        obj = self.world.get(model, name)
        self.world.remove(obj)
        self.world.add(obj)

    def assign(self, model: str, name: str, speed: int) -> None:
        self.world.get(model, name).speed = speed

    def append(self, model: str, name: str, tag: str) -> None:
        obj = self.world.get(model, name)
        if model != "port":
            obj.tags.append(tag)

    def flag(self, model: str, name: str, ignore: bool) -> None:
        self.world.get(model, name).model_flags = DiffSyncModelFlags.IGNORE if ignore else DiffSyncModelFlags.NONE

    def add_child(self, model: str, name: str, child: str, child_name: str) -> None:
        obj = self.world.get(model, name)
        if self._may_list(obj, child, child_name):
            obj.add_child(CLASSES[child](name=child_name))

    def list_in_place(self, model: str, name: str, child: str, child_name: str) -> None:
        self._list(self.world.get(model, name), child, child_name)

    def remove_child(self, model: str, name: str, child: str, child_name: str) -> None:
        obj = self.world.get(model, name)
        if child in obj.get_children_mapping():
            obj.remove_child(CLASSES[child](name=child_name))

    def move(self, child: str, child_name: str, from_name: str, to_name: str) -> None:
        self.remove_child("place", from_name, child, child_name)
        self.add_child("place", to_name, child, child_name)

    def _list(self, obj: Any, child: str, child_name: str) -> None:
        """In place, and as often as it comes."""
        if self._may_list(obj, child, child_name):
            getattr(obj, obj.get_children_mapping()[child]).append(child_name)

    def _may_list(self, obj: Any, child: str, child_name: str) -> bool:
        if child not in obj.get_children_mapping():
            return False
        return self.circles or obj.get_type() != child or obj.name < child_name

    # What there is in the end

    def objects(self) -> dict[str, dict[str, Any]]:
        world = World(internal_storage_engine=self.open())
        return {model: {obj.name: obj for obj in world.get_all(model)} for model in MODELS}

    def close(self) -> None:
        for world in self.worlds:
            world.store.close()
        self.open().drop()
        assert keys_of(self.client, self.store_id) == set()


names, models = st.sampled_from(NAMES), st.sampled_from(MODELS)
children = st.tuples(models, names)
with_child = st.tuples(st.sampled_from(("place", "item")), names, models, names)


def step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), *arguments)


STEPS = st.one_of(
    step("flush"),
    step("other_writer"),
    step("share"),
    step("load_again"),
    step("release"),
    *[step("add", models, names, st.integers(1, 3))] * 2,
    step("replace", models, names, st.lists(children, max_size=4)),
    step("remove", models, names, st.booleans()),
    step("add_again", models, names),
    step("assign", models, names, st.integers(1, 3)),
    step("append", models, names, st.sampled_from(("x", "é\x00\n"))),
    step("flag", models, names, st.booleans()),
    *[with_child.map(lambda arguments: ("add_child", *arguments))] * 6,
    with_child.map(lambda arguments: ("list_in_place", *arguments)),
    with_child.map(lambda arguments: ("remove_child", *arguments)),
    step("move", models, names, names, names),
)
PROGRAMS = st.lists(STEPS, min_size=5, max_size=40)


@contextmanager
def run_program(server: RedisServer, steps: list[Step], *, circles: bool = False) -> Iterator[Program]:
    with closing(server.client()) as client:
        program = Program(client, circles=circles)
        try:
            program.run([("add", model, name, 1) for model in MODELS for name in NAMES[1:]])
            program.run(steps)
            yield program
        finally:
            program.close()


def check_digests(program: Program) -> None:
    objects = program.objects()
    local, kept = LocalSubtreeDigests(objects), program.open().subtree_digests()
    assert isinstance(kept, RedisSubtreeDigests)
    for model in MODELS:
        assert kept.of(model, NAMES) == local.of(model, NAMES)
    for model in World.top_level:
        check_buckets(model, kept, {name: local.of(model, [name])[0] for name in objects[model]})


def check_buckets(model: str, kept: RedisSubtreeDigests, expected: dict[str, SubtreeDigest]) -> None:
    sums = kept.sums(model)
    assert sums is not None
    assert sums.counted == sum(subtree.counted for subtree in expected.values())
    assert sums.skipped == sum(subtree.skipped for subtree in expected.values())
    assert sums.missing == sum(subtree.missing for subtree in expected.values())
    assert kept.members(model, sums.buckets) == expected
    buckets: dict[int, list[bytes]] = defaultdict(list)
    for name, subtree in expected.items():
        buckets[int(sha1(name.encode(), usedforsecurity=False).hexdigest()[:4], 16) % BUCKETS].append(subtree.digest)
    assert sums.buckets == {bucket: added(digests) for bucket, digests in buckets.items()}


def added(digests: list[bytes]) -> bytes:
    lanes = [[int.from_bytes(digest[at : at + LANE], "big") for digest in digests] for at in (0, LANE)]
    return b"".join((sum(lane) % 2**48).to_bytes(LANE, "big") for lane in lanes)


def is_circular(objects: dict[str, dict[str, Any]]) -> bool:
    """Whether a place stands below itself, on a way that a comparison takes."""
    below = {name: [] if place.model_flags.value else place.places for name, place in objects["place"].items()}
    for start, children_of_start in below.items():
        reached, ahead = set[str](), list(children_of_start)
        while ahead:
            name = ahead.pop()
            if name == start:
                return True
            if name in below and name not in reached:
                reached.add(name)
                ahead += below[name]
    return False


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=PROGRAMS)
def test_after_any_program_the_digests_match_the_objects(redis_server: RedisServer, steps: list[Step]) -> None:
    with run_program(redis_server, steps) as program:
        check_digests(program)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=PROGRAMS)
def test_circular_objects_make_the_digests_untrusted(redis_server: RedisServer, steps: list[Step]) -> None:
    with run_program(redis_server, steps, circles=True) as program:
        store = program.open()
        if store.record().undigested:
            assert store.record().undigested == "place objects are below themselves"
            assert store.subtree_digests() is None
        else:
            assert not is_circular(program.objects())
            check_digests(program)


def test_children_that_were_never_written_do_not_affect_the_next_load(open_redis: OpenStore) -> None:
    world = World(internal_storage_engine=open_redis())
    for _ in range(2):
        with world.store.loading():
            world.add(Item(name="x", ports=["late"]))
    world.add(Port(name="late"))
    kept = world.store.subtree_digests()
    assert kept is not None
    [subtree] = kept.of("item", ["x"])
    assert (subtree.counted, subtree.missing) == (2, 0)


def test_children_that_were_never_written_are_dropped_with_their_store(open_redis: OpenStore) -> None:
    world = World(internal_storage_engine=open_redis())
    world.add(Item(name="x", ports=["never"]))
    world.store.flush()
    world.store.drop()
    assert keys_of(open_redis()._redis, world.store.store_id) == set()
