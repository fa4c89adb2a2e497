"""Objects are read without those of their children that the reader does not need."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from diffsync_store import Adapter, DiffSyncModel, StoredAdapter
from diffsync_store.store.index.format import with_lengths
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis import store as redis_store
from diffsync_store.store.redis.field_names import FieldNames
from diffsync_store.store.redis.scripts import store as scripts
from tests.servers import RedisServer

PLAIN = ["a", "b", "bb", "é", "]", "}", ",", "a,b", "x]}", ":", "],", "\x7f"]
UIDS = [*PLAIN, "[", "{", '"', "\\", "\n", 'b"a', '",b,"']


class Room(DiffSyncModel):
    _modelname = "room"
    _identifiers = ("name",)
    _attributes = ("note", "last", "tags")
    _children: ClassVar[dict[str, str]] = {"room": "rooms", "door": "doors"}
    name: str
    rooms: list[str] = []
    note: Any = None
    doors: list[str] = []
    last: Any = None
    tags: list[str] = []


class House(Adapter):
    room = Room
    top_level: ClassVar[list[str]] = ["room"]


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[RedisStore]:
    with closing(RedisStore(url=redis_server.url, store_id=f"above-{uuid.uuid4().hex}")) as made:
        yield made
        made.drop()


def reader_of(store: RedisStore) -> StoredAdapter:
    return StoredAdapter(RedisStore(client=store._redis, store_id=store.store_id))


def fill(store: RedisStore, rooms: list[Room]) -> None:
    adapter = House(internal_storage_engine=store)
    with store.loading():
        for room in rooms:
            adapter.add(room)


NAMES = st.sampled_from(["name", "kids", "note", "more"])
KIDS = st.lists(st.sampled_from(PLAIN), max_size=6) | st.lists(st.sampled_from(UIDS), max_size=6)
NESTED = st.permutations([("name", 1), ("kids", ["a", "b"]), ("note", ["a"]), ("more", 2)]).map(dict)
VALUE = st.one_of(
    st.sampled_from([*UIDS, 7, None, ["b"], [["a"], "b"], ["a", 7, None], ',"kids":["a"]']),
    KIDS,
    NESTED,
    st.dictionaries(NAMES, KIDS | NESTED, max_size=3),
)
OBJECT = st.lists(st.tuples(NAMES, VALUE) | st.tuples(st.just("kids"), KIDS), max_size=4).map(dict)
FIRST = st.sampled_from([
    ["name", "kids", "note"],
    ["name", "note", "kids"],
    ["kids", "name"],
    ["name", *(f"field {number}" for number in range(10)), "kids", "note"],
    ["name", *(f"field {number}" for number in range(40)), "kids"],
])  # fmt: skip


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    first=FIRST,
    objects=st.lists(st.tuples(OBJECT, st.sampled_from(["", "", "", "first", "reported"])), min_size=10, max_size=20),
    needed=st.lists(st.sampled_from([*UIDS, "missing"]), unique=True, min_size=1, max_size=4),
)
def test_whatever_an_object_is_it_only_lacks_children_that_are_not_needed(
    store: RedisStore, first: list[str], objects: list[tuple[dict[str, Any], str]], needed: list[str]
) -> None:
    """Objects of any JSON. Some do not begin with the first field that the names say, and some have reported values."""
    values = [to_json({**dict.fromkeys(first, ""), "kids": ["not needed", *needed]})]
    for fields, kind in objects:
        value = to_json(fields if kind == "first" else {first[0]: "", **fields})
        values.append(value + b"\n" + to_json({"kind": "x", "kids": ["a", "b"]}) if kind == "reported" else value)
    names = FieldNames.of(values[0])
    uids = [f"{number}" for number in range(len(values))]
    position = b"\1\2\3{\\\n[]"
    stored = [position + value for value in names.shorten(values)]
    keys = [store._keys.record, store._keys.objects("room")]
    packed = b"".join(with_lengths([uid.encode() for uid in needed]))
    arguments = [argument for uid in uids for argument in (uid, packed)]
    with closing(store._redis.pipeline()) as pipe:
        for key in keys:
            pipe.delete(key)
        pipe.hset(keys[0], "names:room", names.packed)
        pipe.hset(keys[1], mapping=dict(zip(uids, stored, strict=True)))
        pipe.execute()
    answer = scripts.FETCH_ABOVE(store._redis, keys, ["room", 4_000_000, b'"kids"', *arguments])
    assert answer[0] == names.packed
    assert all(value.startswith(position) for value in answer[1])
    all_found = names.expand([value[8:] for value in answer[1]])
    is_whole = len(first) > 30 or "," in needed or not {*PLAIN, "missing"}.issuperset(needed)
    assert from_json(all_found[0])["kids"] == [*(["not needed"] if is_whole else []), *needed]
    for original, found in zip(values, all_found, strict=True):
        text, reported = original.partition(b"\n")[::2]
        found_text, found_reported = found.partition(b"\n")[::2]
        assert found_reported == reported
        whole, read = from_json(text), from_json(found_text)
        assert list(read) == list(whole)
        if isinstance(whole.get("kids"), list):
            listed, all_listed = read.pop("kids"), whole.pop("kids")
            assert listed in (all_listed, list(dict.fromkeys(child for child in all_listed if child in needed)))
        assert read == whole


def test_lists_of_children_are_read_without_those_that_are_not_needed(store: RedisStore) -> None:
    children = [f"child {number}" for number in range(50)]
    many = [f"child {number}" for number in range(10_000)]
    rooms = [
        Room(name="plain", rooms=children, doors=children, tags=children, note="é ] [", last=7),
        Room(name="empty", doors=children),
        Room(name="long", doors=many),
        Room(name="too long", doors=many),
        Room(name="escaped", doors=[*children, '"']),
    ]
    fill(store, rooms)
    below = {
        "plain": [*children[9:6:-1], *children[7:9]],
        "empty": [],
        "long": many[-1:],
        "too long": many[:40],
        "escaped": children[:1],
    }
    found: dict[str, Any] = reader_of(store).store.snapshot_above("room", below)
    assert found["plain"].rooms == found["plain"].doors == children[7:10]
    assert found["plain"].tags == children  # an attribute
    assert found["empty"].doors == []
    assert found["long"].doors == many[-1:]
    assert found["too long"].doors == many  # to look for each of them would take long
    assert len(found["escaped"].doors) == 51


def test_a_list_of_children_that_is_part_of_the_name_is_read_whole(store: RedisStore) -> None:
    class Named(Room):
        _shortname = ("doors",)

    class Street(House):
        room = Named

    adapter = Street(internal_storage_engine=store)
    with store.loading():
        adapter.add(Named(name="n", doors=["a", "b"], rooms=["a", "b"]))
    found: Any = reader_of(store).store.snapshot_above("room", {"n": ["a"]})["n"]
    assert (found.rooms, found.doors) == (["a"], ["a", "b"])


def test_an_answer_may_be_for_the_first_objects_only(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_store, "_BATCH_BYTES", 10_000)
    children = [f"child {number}" for number in range(50)]
    fill(store, [Room(name=f"room {number}", doors=children) for number in range(120)])
    uids = [f"room {number}" for number in range(120)]
    found: dict[str, Any] = reader_of(store).store.snapshot_above("room", dict.fromkeys(uids, children[:1]))
    assert list(found) == uids
    assert all(room.doors == children[:1] for room in found.values())


def test_objects_that_the_program_holds_are_returned_as_they_are(store: RedisStore) -> None:
    fill(store, [Room(name="held", doors=["a", "b"])])
    reader = reader_of(store)
    held = reader.get("room", "held")
    assert reader.store.snapshot_above("room", {"held": ["a"]}) == {"held": held}
    assert held.doors == ["a", "b"]
