"""Guards and saved diffs: what is not proven is saved, shown, and left out of the sync until somebody allows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from diffsync_store import (
    ChangeLimitExceeded,
    ChangeLimits,
    Guards,
    Limit,
    Limits,
    StoredAdapter,
    StoreNotComplete,
    SyncOptions,
)
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.guards import Suppressions
from diffsync_store.store.redis import RedisStore
from tests.store.inventory import Device, Inventory, Site, sites

NAMES = ("a", "b", "c")


@pytest.fixture
def sides(redis_url: str, store_id: str) -> Iterator[tuple[Inventory, Inventory]]:
    """A source that could not read its devices to the end, and a target that has more of everything."""
    with ExitStack() as opened:
        found = []
        for side in ("source", "target"):
            store = opened.enter_context(RedisStore(url=redis_url, store_id=f"{store_id}-{side}"))
            opened.callback(store.drop)
            found.append(sites(store))
        source, target = found
        with source.store.loading():
            fill(source, NAMES[:1], devices=1, region="EMEA")
            source.incomplete("device", "page 2: 502")
        with target.store.loading():
            fill(target, NAMES, devices=2, region="")
        yield source, target


def fill(adapter: Inventory, names: tuple[str, ...], *, devices: int, region: str) -> None:
    for name in names:
        site = Site(name=name, region=region)
        adapter.add(site)
        for number in range(devices):
            device = Device(name=f"{name}-{number}")
            adapter.add(device)
            site.add_child(device)


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(url=redis_url, ttl=60)) as diffs:
        yield diffs


def save(diffs: RedisDiffs, sides: tuple[Inventory, Inventory], diff_id: str) -> SavedDiff:
    source, target = (StoredAdapter(side.store) for side in sides)
    return diffs.open(diffs.compare(source, target, diff_id, guards=Guards()))


def test_a_partial_source_is_compared_under_guards_only(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str
) -> None:
    source, target = (StoredAdapter(side.store) for side in sides)
    with pytest.raises(StoreNotComplete, match=r"partial.*page 2: 502"):
        diffs.compare(source, target, store_id)
    saved = save(diffs, sides, store_id)
    assert saved.record.by_model == {"site": {"update": 1, "delete": 2}, "device": {"delete": 5}}
    assert [(one.model, one.action, one.allowance) for one in saved.record.suppressions] == [
        ("device", "delete", "partial:device")
    ]
    assert sum(operation.action == "delete" for operation in saved.operations()) == 7
    saved.drop()


def test_a_sync_of_it_skips_suppressed_operations(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str
) -> None:
    saved = save(diffs, sides, store_id)
    source, target = sides
    diff = saved.streamed()
    seen: list[tuple[int, int]] = []
    target.sync_from(source, diff=diff, callback=lambda _, done, total: seen.append((done, total)))
    assert {device.name for device in target.get_all(Device)} == {
        f"{name}-{number}" for name in NAMES for number in (0, 1)
    }
    assert [(site.name, site.region) for site in target.get_all(Site)] == [("a", "EMEA"), ("b", ""), ("c", "")]
    assert {(model, action): count for (model, action, _), count in diff.suppressed.items()} == {
        ("device", "delete"): 5,
        ("site", "delete"): 2,
    }
    assert seen[-1] == (1, 1)
    assert (diff.summary()["update"], diff.summary()["delete"], diff.has_diffs(), diff.size()) == (1, 0, True, 1)
    assert list(diff.children["site"]) == ["a"]
    saved.drop()


def test_allowed_operations_are_applied(diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str) -> None:
    saved = save(diffs, sides, store_id)
    source, target = sides
    guards = Guards().allowing(one.allowance for one in saved.record.suppressions)
    suppressions = guards.suppressions(source.store.record(), target.store.record())
    assert suppressions == Suppressions()
    target.sync_from(source, diff=saved.streamed(suppressions))
    assert {device.name for device in target.get_all(Device)} == {"a-0"}
    assert not target.diff_from(source).has_diffs()
    saved.drop()


def test_a_saved_diff_in_memory_is_guarded_too(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str
) -> None:
    saved = save(diffs, sides, store_id)
    source, target = sides
    target.sync_from(source, diff=saved.diff(), guards=Guards())
    assert (target.count("site"), target.count("device")) == (3, 6)
    assert target.get(Site, "a").region == "EMEA"
    saved.drop()


def test_what_is_suppressed_does_not_count_for_the_limits(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str
) -> None:
    saved = save(diffs, sides, store_id)
    guards = Guards(change_limits=ChangeLimits(models={"device": Limits(delete=Limit(absolute=1))}))
    record = sides[1].store.record()
    guards.check(saved.record.by_model, record, Suppressions(saved.record.suppressions))
    with pytest.raises(ChangeLimitExceeded, match="5 deletes of device, of 6 objects in the target"):
        guards.check(saved.record.by_model, record)
    saved.drop()


def test_a_saved_diff_is_applied_within_the_guards_also_where_it_goes_on(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str
) -> None:
    saved = save(diffs, sides, store_id)
    source, target = sides
    strict, guards = (
        Guards(change_limits=ChangeLimits(sync=Limits(delete=Limit(percent=most, floor=0)))) for most in (50, 80)
    )
    result = saved.apply(source, target, guards=strict)
    assert (result.updated, result.suppressed, target.count()) == (1, 7, 9)
    with pytest.raises(
        ChangeLimitExceeded, match=r"7 deletes of all models together, of 9 objects in the target \(77.8 %\)"
    ):
        saved.apply(source, target, guards=strict.allowing("partial:device"))
    assert target.count() == 9
    guards = guards.allowing("partial:device")
    asked = iter([False] * 3)
    stopped = saved.apply(source, target, guards=guards, options=SyncOptions(should_stop=lambda: next(asked, True)))
    assert (stopped.deleted, target.count()) == (3, 6)
    assert saved.apply(source, target, guards=guards).is_complete  # 7 of 6 would be too many
    assert target.count() == 2
    saved.drop()
