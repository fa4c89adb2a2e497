"""A diff that uses the indexes of two stores equals one that reads every object."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffsync_store import (
    Adapter,
    Diff,
    DiffElement,
    DiffSyncFlags,
    DiffSyncModel,
    DiffSyncModelFlags,
    LocalStore,
    StoredAdapter,
)
from diffsync_store.store.index import format as index_format
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.index import RedisIndex
from tests.servers import RedisServer
from tests.store.index.written import write_index

T = TypeVar("T")
NAMES = ["a", "b", "c", "d", "é:*\n"]
SETTINGS = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Port(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("speed", "tags")
    name: str
    speed: float | None = None
    tags: list[str] = []


class Lamp(DiffSyncModel):
    """Overrides its attributes and its shortname."""

    _modelname = "lamp"
    _identifiers = ("name",)
    _attributes = ("level",)
    name: str
    level: int = 0

    def get_attrs(self) -> dict[str, Any]:
        return {"level": self.level // 2}

    def get_shortname(self) -> str:
        return f"lamp {self.name}"


class Room(DiffSyncModel):
    """Can be a child of another room, and also top-level."""

    _modelname = "room"
    _identifiers = ("name",)
    _attributes = ("size",)
    _children: ClassVar[dict[str, str]] = {"room": "rooms", "port": "ports", "lamp": "lamps"}
    name: str
    size: int = 0
    note: str = ""
    rooms: list[str] = []
    ports: list[str] = []
    lamps: list[str] = []


class House(Adapter):
    room = Room
    port = Port
    lamp = Lamp
    top_level: ClassVar[list[str]] = ["room", "port"]


class OtherRoom(Room):
    """Has a field that is not compared, and writes to another system."""

    key: int = 7


class OtherHouse(House):
    room = OtherRoom


MODELS: dict[str, type[DiffSyncModel]] = {"room": Room, "port": Port, "lamp": Lamp}


Step = tuple[int, ...]
STEP = st.tuples(*[st.integers(0, 59)] * 4)
"""Which step, and up to three choices of it."""


def programs(least: int, most: int) -> st.SearchStrategy[list[Step]]:
    """Steps of a program; the number is drawn first, for a list by itself is mostly short."""
    return st.integers(least, most).flatmap(lambda length: st.lists(STEP, min_size=length, max_size=length))


class Choices:
    """Numbers that hypothesis has drawn, each used for one choice among what is there at the time."""

    def __init__(self, numbers: Step) -> None:
        self._numbers = iter(numbers)

    def choice(self, options: Sequence[T]) -> T:
        return options[next(self._numbers) % len(options)]


class Program:
    """The same steps on a store in memory and on one in Redis, opened anew now and then."""

    def __init__(self, open_store: Callable[[], RedisStore], *, circles: bool = False) -> None:
        self.choose = Choices(())
        self.open_store = open_store
        self.circles = circles
        self.local = House(internal_storage_engine=LocalStore())
        opened = open_store()
        self.client, self.record_key = opened._redis, opened._keys.record
        self.redis = House(internal_storage_engine=opened)
        self.steps: list[Callable[[], None]] = [
            self.add, self.add, self.add, self.change, self.link, self.link, self.link, self.unlink, self.remove,
            self.replace, self.flag, self.flush, self.reopen,
        ]  # fmt: skip

    def run(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.choose = Choices(step)
            self.choose.choice(self.steps)()
        self.redis.store.flush()

    def _any(self, model: str) -> str:
        found = list(self.local.store.uids(model))
        return self.choose.choice(found) if found else ""

    def _both(self, act: Callable[[House], None]) -> None:
        for adapter in (self.local, self.redis):
            act(adapter)

    def _model(self) -> str:
        return self.choose.choice(list(MODELS))

    def add(self) -> None:
        model, name = self._model(), self.choose.choice(NAMES)
        if not self.local.get_or_none(model, name):
            self._both(lambda adapter: adapter.add(MODELS[model](name=name)))

    def replace(self) -> None:
        model, name = self._model(), self.choose.choice(NAMES)
        self._both(lambda adapter: adapter.update(MODELS[model](name=name)))

    def change(self) -> None:
        value, model = self.choose.choice(range(3)), self._model()
        name = self._any(model)
        if name:
            field = {"room": "size", "port": "speed", "lamp": "level"}[model]
            new = float(value) if model == "port" else value  # an int in a field of floats has another digest
            self._both(lambda adapter: setattr(adapter.get(model, name), field, new))
            if model == "port":
                self._both(lambda adapter: adapter.get("port", name).tags.append("t"))

    def flag(self) -> None:
        model, flags = self._model(), self.choose.choice([DiffSyncModelFlags.NONE, DiffSyncModelFlags.IGNORE])
        name = self._any(model)
        if name:
            self._both(lambda adapter: setattr(adapter.get(model, name), "model_flags", flags))

    def link(self) -> None:
        """List a child in a room, even if the child does not exist or another room lists it."""
        parent, model, child = self._any("room"), self._model(), self.choose.choice(NAMES)
        if not parent or (model == "room" and not self.circles and child <= parent):
            return

        def act(adapter: House) -> None:
            children = getattr(adapter.get(Room, parent), f"{model}s")
            if child not in children:
                children.append(child)

        self._both(act)

    def unlink(self) -> None:
        parent, model = self._any("room"), self._model()
        if parent and (children := getattr(self.local.get(Room, parent), f"{model}s")):
            at = self.choose.choice(range(len(children)))
            self._both(lambda adapter: getattr(adapter.get(Room, parent), f"{model}s").pop(at))

    def remove(self) -> None:
        model = self._model()
        name = self._any(model)
        if name:
            self._both(lambda adapter: adapter.store.remove_item(model, name))

    def flush(self) -> None:
        self.redis.store.flush()

    def reopen(self) -> None:
        """Continue with a second adapter, as another process would; the first one stays open."""
        self.redis.store.flush()
        self.redis = House(internal_storage_engine=self.open_store())


@pytest.fixture(autouse=True)
def _small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few objects have several levels of buckets."""
    monkeypatch.setattr(index_format, "_OBJECTS_IN_BUCKET", 2)
    monkeypatch.setattr(index_format, "_MIN_OWN_IN_BUCKET", 1)


@pytest.fixture
def new_redis(redis_server: RedisServer) -> Iterator[Callable[[], Callable[[], RedisStore]]]:
    """Makes openers, each of a store of its own."""
    made: list[RedisStore] = []

    def new() -> Callable[[], RedisStore]:
        store_id = f"digests-{uuid.uuid4().hex}"

        def open_store() -> RedisStore:
            made.append(RedisStore(store_id=store_id, url=redis_server.url))
            return made[-1]

        return open_store

    yield new
    for store in made:
        store._discard_all()
        store.drop()
        store.close()
    with closing(redis_server.client()) as client:
        assert not [key for key in client.scan_iter(count=1000) if b"digests-" in key]


NewRedis = Callable[[], Callable[[], RedisStore]]


class Reversed(Diff):
    @classmethod
    def order_children_room(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
        yield from reversed(children.values())


def result_of(target: Adapter, source: Adapter, flags: DiffSyncFlags, diff_class: type[Diff]) -> Any:
    """Return the content of a diff, or its error."""
    steps: list[int] = []
    try:
        diff = target.diff_from(source, diff_class, flags, callback=lambda *result_of: steps.append(result_of[1]))
    except Exception as error:  # noqa: BLE001  # whatever it is, the other way has to end alike
        return type(error)

    def walk(diff: Diff) -> list[Any]:
        return [
            (found.type, found.name, found.uid, found.keys, found.action, found.source_attrs, found.dest_attrs,
             found.flags, found.child_diff.unchanged, walk(found.child_diff))
            for found in diff.get_children()
        ]  # fmt: skip

    assert steps == sorted(steps)
    assert steps[-1:] == ([diff.models_processed] if steps else [])
    return (
        walk(diff), diff.str(), diff.dict(), diff.summary(), len(diff), diff.models_processed, diff.skipped,
        diff.unchanged,
    )  # fmt: skip


FLAGS = [
    DiffSyncFlags.NONE,
    DiffSyncFlags.SKIP_UNMATCHED_SRC,
    DiffSyncFlags.SKIP_UNMATCHED_DST,
    DiffSyncFlags.SKIP_UNMATCHED_BOTH,
    DiffSyncFlags.LOG_UNCHANGED_RECORDS,
]
SIDES = [
    "redis", "two servers", "stored", "stored on two servers", "local source", "local target", "other class", "one index",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("sides", SIDES)
@SETTINGS
@given(
    loaded=programs(5, 60),
    only_left=programs(0, 4),
    written=st.tuples(programs(0, 4), programs(0, 6)),
    shards=st.tuples(st.sampled_from([1, 1, 3, 8]), st.sampled_from([1, 1, 2])),
    flags=st.sampled_from(FLAGS),
    diff_class=st.sampled_from([Diff, Reversed]),
)
def test_a_diff_by_indexes_equals_a_full_diff(  # noqa: PLR0917
    new_redis: NewRedis,
    sides: str,
    loaded: list[Step],
    only_left: list[Step],
    written: tuple[list[Step], list[Step]],
    shards: tuple[int, int],
    flags: DiffSyncFlags,
    diff_class: type[Diff],
) -> None:
    """Both sides load the same up to a point. Their indexes are built, and other writes follow on each side."""
    left, right = Program(new_redis()), Program(new_redis())
    for program in (left, right):
        program.run(loaded)
    left.run(only_left)
    for program, steps, number in zip((left, right), written, shards, strict=True):
        if number > 1 and program.redis.count():
            write_index(program.redis.store, number)
        if sides == "one index" and program is right:
            right.client.hdel(right.record_key, "indexed")
        program.run(steps)
    source: Adapter = left.local if sides == "local source" else left.redis
    target: Adapter = right.local if sides == "local target" else right.redis
    if "stored" in sides:
        if not (left.local.count() and right.local.count()):
            return
        source, target = StoredAdapter(left.redis.store), StoredAdapter(right.redis.store)
    if sides == "other class":
        target = OtherHouse(internal_storage_engine=right.open_store())
    with pytest.MonkeyPatch.context() as patch:
        if "two servers" in sides:
            patch.setattr(RedisIndex, "differing", lambda *_: None)
        by_index = result_of(target, source, flags, diff_class)
        for store in (LocalStore, RedisStore):
            patch.setattr(store, "index", lambda _: None)
        assert result_of(target, source, flags, diff_class) == by_index


@pytest.mark.parametrize("shape", ["tree", "flat"])
def test_a_diff_reads_only_what_differs(new_redis: NewRedis, monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    stores = new_redis()(), new_redis()()
    for side, store in enumerate(stores):
        house = House(internal_storage_engine=store)
        with store.loading():
            for number in range(100 if shape == "tree" else 0):
                room = Room(name=f"room {number}")
                for position in range(50):
                    lamp = Lamp(name=f"lamp {number}-{position}", level=9 * side * (number < 4 and position == 7))
                    house.add(lamp)
                    room.add_child(lamp)
                house.add(room)
            for number in range(5000 if shape == "flat" else 0):
                house.add(Port(name=f"port {number}", speed=side * (number % 1000 == 0)))
    read: list[str] = []
    for name in ("snapshot", "snapshot_above"):
        monkeypatch.setattr(RedisStore, name, _noting(read, getattr(RedisStore, name)))
    diff = StoredAdapter(stores[1]).diff_from(StoredAdapter(stores[0]))
    changed = 4 if shape == "tree" else 5
    assert diff.summary()["update"] == changed
    assert diff.summary()["no-change"] == (5100 if shape == "tree" else 5000) - changed
    rooms = changed if shape == "tree" else 0  # read on one side: they are equal on both
    assert len(read) == 2 * changed + rooms


def _noting(read: list[str], snapshot: Callable[..., T]) -> Callable[..., T]:
    """Return a method that does the same, and notes the unique ids."""

    def noting(self: RedisStore, model: str, uids: Iterable[str]) -> T:
        read.extend(uids)
        return snapshot(self, model, uids)

    return noting


class Day(DiffSyncModel):
    _modelname = "day"
    _identifiers = ("name",)
    _attributes = ("on",)
    name: str
    on: dt.date


class DayAsText(Day):
    on: str  # type: ignore[assignment]


class Odd(DiffSyncModel):
    _modelname = "odd"
    _identifiers = ("name",)
    _children: ClassVar[dict[str, str]] = {"even": "evens", "day": "days"}
    name: str
    evens: list[str] = []
    days: list[str] = []


class Even(DiffSyncModel):
    _modelname = "even"
    _identifiers = ("name",)
    _children: ClassVar[dict[str, str]] = {"odd": "odds"}
    name: str
    odds: list[str] = []


class Calendar(Adapter):
    odd, even, day = Odd, Even, Day
    top_level: ClassVar[list[str]] = ["odd"]


class CalendarOfTexts(Calendar):
    day = DayAsText  # type: ignore[assignment]


def test_models_that_digests_cannot_compare_are_found_below_circular_models(
    new_redis: NewRedis,
) -> None:
    sides: list[Adapter] = []
    on: Any
    for adapter_class, on in ((Calendar, dt.date(2024, 1, 1)), (CalendarOfTexts, "2024-01-01")):
        adapter = adapter_class(internal_storage_engine=new_redis()())
        adapter.add(Odd(name="1", evens=["2"]))
        adapter.add(Even(name="2", odds=["3"]))
        adapter.add(Odd(name="3", days=["4"]))
        adapter.add(adapter_class.day(name="4", on=on))
        adapter.store.flush()
        sides.append(adapter)
    diff = sides[1].diff_from(sides[0])
    assert diff.summary()["update"] == 2  # once below its place at the top, once below that which stands below another
