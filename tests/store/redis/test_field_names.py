"""Redis holds the names of fields once for each model, and nothing of an object is lost by that."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.store.redis.field_names import FieldNames, field_names
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, flat

NAMES = st.sampled_from(["a", "b", 'c"', "", "\x01", "name", "ä", ',"a":'])
VALUES = st.none() | st.integers() | st.text(max_size=5) | NAMES | st.dictionaries(NAMES, NAMES, max_size=2)
OBJECTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=3)


@given(OBJECTS)
def test_every_object_is_the_same_after_its_names_were_replaced(objects: list[dict[str, Any]]) -> None:
    values = [to_json(fields) for fields in objects]
    names = FieldNames.of(values[0])
    short = names.shorten(values)
    assert field_names(names.packed).expand(short) == values
    assert sum(map(len, short)) <= sum(map(len, values))


def test_names_cost_a_byte_each_and_those_beyond_thirty_stay() -> None:
    value = to_json({f"field {number}": number for number in range(40)}) + b"\n" + to_json({"kind": "x"})
    names = FieldNames.of(value)
    [short] = names.shorten([value])
    assert b"field 29" not in short
    assert b'"field 30":30' in short
    assert names.expand([short]) == [value]


@pytest.mark.parametrize("value", [b"", b"garbage", b"[1]", b"\xff", b"null", b"{}"])
def test_what_is_no_object_stays_as_it_is(value: bytes) -> None:
    names = FieldNames.of(value)
    assert names.shorten([value, b'{"a":1}']) == [value, b'{"a":1}']
    assert names.expand([value]) == [value]
    assert names.shorten([]) == names.expand([]) == []


def test_values_with_the_separator_are_returned_as_they_are() -> None:
    names = FieldNames.of(b'{"a":1}')
    assert names.expand([b"\0\0", b"x"]) == [b"\0\0", b"x"]


def test_threads_share_names() -> None:
    values = [to_json({"name": str(number), "size": number}) for number in range(500)]
    names = FieldNames.of(values[0])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: names.expand(names.shorten(values)), range(50)))
    assert all(each == values for each in found)


class Reordered(DiffSyncModel):
    """A device of another version of the program."""

    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("role", "site")

    site: str = ""
    rack: str = "r1"
    role: str = "leaf"
    name: str


class Others(Adapter):
    device = Reordered
    top_level = ["device"]


def test_writers_with_other_fields_use_the_names_that_the_store_has(open_redis: OpenStore, store_id: str) -> None:
    first, second = flat(open_redis()), Others(internal_storage_engine=open_redis())
    first.add(Device(name="one", role="spine"))
    first.store.flush()
    second.add(Reordered(name="two", rack="r2"))
    second.store.flush()
    second.get(Reordered, "one").rack = "r3"
    second.store.flush()
    first.get(Device, "two").role = "core"
    first.store.flush()
    with open_redis()._redis as client:
        stored = client.hgetall(f"dss:{{{store_id}}}:objects:device")
        names = client.hget(f"dss:{{{store_id}}}:record", "names:device")
    assert b'"rack":"r3"' in stored[b"one"]
    assert b'"role"' not in b"".join(stored.values())
    assert list(json.loads(FieldNames(names).expand([stored[b"two"][8:]])[0])) == ["name", "role", "site"]
    found = {
        device.name: (device.role, device.rack)
        for device in Others(internal_storage_engine=open_redis()).get_all(Reordered)
    }
    assert found == {"one": ("spine", "r3"), "two": ("core", "r1")}


@pytest.mark.parametrize("is_loading", [False, True])
def test_an_object_with_fewer_fields_may_be_the_first(open_redis: OpenStore, is_loading: bool) -> None:
    class Loose(DiffSyncModel, extra="allow"):
        _modelname = "loose"
        _identifiers = ("name",)

        name: str

    class Things(Adapter):
        loose = Loose
        top_level = ["loose"]

    adapter = Things(internal_storage_engine=open_redis())

    def fill() -> None:
        for number in range(3):
            adapter.add(Loose.model_validate({"name": str(number), **{f"extra{n}": n for n in range(number)}}))

    if is_loading:
        with adapter.store.loading():
            fill()
    else:
        fill()
        adapter.store.flush()
    found = [obj.model_extra for obj in Things(internal_storage_engine=open_redis()).get_all(Loose)]
    assert found == [{f"extra{n}": n for n in range(number)} for number in range(3)]
