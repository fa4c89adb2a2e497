"""Objects that the program drops: tracked while it can still change one of their lists, and forgotten otherwise."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.store.redis import RedisStore


class Box(DiffSyncModel):
    _modelname = "box"
    _identifiers = ("name",)
    _attributes = ("tags", "rows", "size")
    _children: ClassVar[dict[str, str]] = {"box": "boxes"}
    name: str
    size: int = 0
    tags: list[str] | None = None
    rows: list[list[str]] = []
    boxes: list[str] = []


class Boxes(Adapter):
    box = Box
    top_level: ClassVar[list[str]] = ["box"]


@pytest.fixture
def adapter(redis_url: str, store_id: str) -> Boxes:
    return Boxes(internal_storage_engine=RedisStore(store_id=store_id, url=redis_url))


def read(adapter: Boxes, redis_url: str, name: str = "a") -> Box:
    adapter.store.close()
    with RedisStore(store_id=adapter.store.record().store_id, url=redis_url) as store:
        return Boxes(internal_storage_engine=store).get(Box, name)


def tracked(adapter: Boxes) -> int:
    return len(list(adapter.store._buffers["box"]._tracked))  # type: ignore[attr-defined]


Keep = Callable[[Box], Any]


@pytest.mark.parametrize(
    ("keep", "change"),
    [
        (lambda box: box.tags, lambda kept: kept.append("new")),
        (lambda box: box.rows[0], lambda kept: kept.append("new")),
        (vars, lambda kept: kept["tags"].append("new")),
        (lambda box: box, lambda kept: kept.tags.append("new")),
        (lambda box: iter([box.tags]), lambda kept: next(kept).append("new")),
    ],
    ids=["list", "list in a list", "fields", "object", "iterator"],
)
def test_a_change_of_what_the_program_keeps_is_written(
    adapter: Boxes, redis_url: str, keep: Keep, change: Callable[[Any], None]
) -> None:
    box = Box(name="a", tags=["old"], rows=[["old"]])
    adapter.add(box)
    kept = keep(box)
    del box
    adapter.store.flush()
    gc.collect()
    change(kept)
    del kept
    adapter.store.flush()
    found = read(adapter, redis_url)
    assert sorted(map(str, [found.tags, *found.rows])) == ["['old', 'new']", "['old']"]


def test_a_list_that_two_objects_share_is_written_for_both(adapter: Boxes, redis_url: str) -> None:
    shared = ["old"]

    def add(name: str) -> None:
        box = Box(name=name)
        box.tags = shared
        adapter.add(box)

    add("a")
    add("b")
    adapter.store.flush()
    shared.append("new")
    adapter.store.flush()
    assert read(adapter, redis_url, "a").tags == read(adapter, redis_url, "b").tags == ["old", "new"]


def test_a_weak_reference_keeps_no_object(adapter: Boxes) -> None:
    box = Box(name="a", tags=["old"])
    reference = weakref.ref(box)
    adapter.add(box)
    del box
    adapter.store.flush()
    assert reference() is None
    assert tracked(adapter) == 0


def test_nothing_is_kept_of_objects_that_nobody_refers_to(adapter: Boxes) -> None:
    for number in range(100):
        adapter.add(Box(name=str(number), tags=["a"] if number % 2 else None, boxes=["1", "2"]))
    adapter.store.flush()
    assert tracked(adapter) == 0
    kept = Box(name="kept")
    adapter.add(kept)
    adapter.store.flush()
    assert tracked(adapter) == 1


def test_a_change_of_an_object_that_is_alive_is_written(adapter: Boxes, redis_url: str) -> None:
    box = Box(name="a")
    adapter.add(box)
    adapter.store.flush()
    box.size = 7
    box.boxes.append("b")
    del box
    adapter.store.flush()
    found = read(adapter, redis_url)
    assert (found.size, found.boxes) == (7, ["b"])
