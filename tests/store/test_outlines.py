"""The outline of a saved diff says the same as its elements."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from diffsync_store import DiffNotApproved
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.diffs.outline import builder, layout, outline
from diffsync_store.store.redis.keys import DiffKeys
from tests.saved_pages import write_element
from tests.servers import RedisServer
from tests.store.inventory import Device, Inventory, Site, sites

PAGE = 500


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(url=redis_url, ttl=3600)) as diffs:
        yield diffs


@pytest.fixture
def saved(diffs: RedisDiffs, monkeypatch: pytest.MonkeyPatch) -> Iterator[SavedDiff]:
    """A diff of several pages and blocks, with objects of all actions below each other."""
    for module in (layout, builder, outline):
        monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(layout, "_BUCKET", 8)
    source, target = (inventory(random.Random(seed)) for seed in (1, 2))
    saved = diffs.open(diffs.save(target.diff_from(source), f"outline-{uuid.uuid4().hex}"))
    assert saved.record.elements > 2 * PAGE
    yield saved
    saved.drop()


def inventory(choose: random.Random) -> Inventory:
    made = sites()
    for number in choose.sample(range(300), 200):
        site = Site(name=f"site-{number}", region=choose.choice(["eu", "us"]), tags=["a"] * choose.randint(0, 1))
        made.add(site)
        for device in choose.sample(range(6), 5):
            name = f"device-{number}-{device}"
            made.add(Device(name=name, role=choose.choice(["leaf", "spine"])))
            site.add_child(made.get(Device, name))
    return made


def without_outline(saved: SavedDiff, client: Any) -> None:
    assert client.delete(DiffKeys(saved.record.diff_id).outline) == 1


@pytest.fixture(params=["saved", "made later"])
def either(request: pytest.FixtureRequest, saved: SavedDiff, redis_server: RedisServer) -> SavedDiff:
    """The diff, with the outline that it was saved with, or as one that was saved without."""
    if request.param == "made later":
        with closing(redis_server.client()) as client:
            without_outline(saved, client)
    return saved


def test_totals_count_the_operations(either: SavedDiff) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    pages: dict[tuple[str, str, str], set[int]] = {}
    for position, operation in enumerate(either.elements()):
        if operation.action is not None:
            for attribute in ("", *{name: 0 for side in operation.changes().values() for name in side}):
                key = operation.model, operation.action, attribute
                counts[key] += 1
                pages.setdefault(key, set()).add(position // PAGE)
    found = either.outline()
    assert {(one.model, one.action, one.attribute): one.operations for one in found.totals} == dict(counts)
    for key, expected in pages.items():
        assert list(found.pages(*key)) == sorted(expected)
        assert list(found.pages(*key, first=1)) == sorted(expected - {0})
    assert list(found.pages("device")) == sorted(
        {page for key, of in pages.items() if key[0] == "device" for page in of}
    )
    assert list(found.pages("no-such")) == []


def test_an_object_is_found_by_its_unique_id(either: SavedDiff) -> None:
    found = either.outline()
    for position, operation in enumerate(either.elements()):
        if operation.action is not None:
            assert position in found.positions(operation.model, str(operation.unique_id))
            assert [each.id for each in either.operations_on(operation.model, str(operation.unique_id))] == [
                operation.id
            ]
    assert list(either.operations_on("site", "no-such")) == []


def test_the_tree_has_each_element_once(either: SavedDiff) -> None:
    found, elements = either.outline(), list(either.elements())

    def walk(parent: int | None, depth: int) -> Iterator[int]:
        for node in found.children(parent):
            assert len(elements[node.position].parents) == depth
            assert [elements[each.position].name for each in found.path(node.position)] == [
                *(name for _, name in elements[node.position].parents),
                elements[node.position].name,
            ]
            below = list(walk(node.position, depth + 1))
            assert len(below) == node.below
            yield from (node.position, *below)

    assert list(walk(None, 0)) == list(range(len(elements)))
    tops = [node.position for node in found.children()]
    assert [node.position for node in found.children(start=tops[7])] == tops[7:]


def test_the_checksum_is_that_of_the_elements(either: SavedDiff, diffs: RedisDiffs) -> None:
    assert either.outline().checksum() == diffs.open(either.record.diff_id).checksum()


def test_an_element_that_was_changed_in_redis_is_refused(saved: SavedDiff, redis_server: RedisServer) -> None:
    saved.outline().checksum()
    with closing(redis_server.client()) as client:
        write_element(client, DiffKeys(saved.record.diff_id).elements, PAGE, "{}")
    assert len(list(saved.elements(0, PAGE))) == PAGE
    with pytest.raises(DiffNotApproved, match="were changed in Redis"):
        list(saved.elements(PAGE, 1))


def test_a_diff_never_has_the_outline_of_one_that_it_replaces(
    saved: SavedDiff, diffs: RedisDiffs, redis_server: RedisServer
) -> None:
    with closing(redis_server.client()) as client:
        key = DiffKeys(saved.record.diff_id).outline
        earlier: dict[Any, Any] = client.hgetall(key)
        diffs.save(sites().diff_from(inventory(random.Random(3))), saved.record.diff_id)
        client.delete(key)
        client.hset(key, mapping=earlier)
        again = diffs.open(saved.record.diff_id)
        assert {one.action for one in again.outline().totals} == {"create"}
        assert again.outline().checksum() == again.checksum()
        assert 0 < client.ttl(key) <= again.record.ttl


def test_threads_share_an_outline(saved: SavedDiff) -> None:
    found = saved.outline()

    def read(_: int) -> object:
        return found.checksum(), len(found.totals), sum(1 + node.below for node in found.children())

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(read, range(32)))
    assert answers == {(saved.checksum(), len(found.totals), saved.record.elements)}
