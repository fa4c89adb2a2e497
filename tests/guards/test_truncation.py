"""A source that is cut off at any place deletes nothing that it had, or no more than the limits allow."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum

import pytest

from diffsync_store import Adapter, ChangeLimitExceeded, ChangeLimits, Guards, Limit, Limits, StoreNotComplete
from tests.store.inventory import Device, Inventory, Site, sites

SITES, DEVICES = 20, 9
RECORDS = [("site", f"s{site}", f"s{site}") for site in range(SITES)] + [
    ("device", f"s{site}", f"s{site}-{device}") for site in range(SITES) for device in range(DEVICES)
]
GONE = 3
"""Of the target's devices, these are rightly gone from the source."""
CUTS = [cut * (len(RECORDS) - GONE) // 100 for cut in range(100)]


class End(Enum):
    """How a load ends that is cut off."""

    RAISES = "raises"
    EXPECTS = "has fewer than expected"
    SAYS_SO = "is told that a model is incomplete"
    QUIET = "ends quietly"


def load(adapter: Inventory, records: list[tuple[str, str, str]], end: End | None = None) -> None:
    with adapter.store.loading():
        if end is End.EXPECTS:
            for model in ("site", "device"):
                adapter.expect(
                    model, sum(record[0] == model for record in RECORDS) - (GONE if model == "device" else 0)
                )
        for model, site, name in records:
            if model == "site":
                adapter.add(Site(name=name))
            else:
                device = Device(name=name)
                adapter.add(device)
                adapter.get(Site, site).add_child(device)
        if end is End.RAISES:
            raise ConnectionResetError("the API has gone away")
        if end is End.SAYS_SO:
            adapter.incomplete("site", "cut off")
            adapter.incomplete("device", "cut off")


def full_target() -> Inventory:
    target = sites()
    load(target, RECORDS)
    return target


def cut_source(cut: int, end: End) -> Inventory:
    source = sites()
    with suppress(ConnectionResetError):
        load(source, RECORDS[:-GONE][:cut], end)
    return source


def names(adapter: Adapter) -> set[str]:
    return {obj.get_unique_id() for model in ("site", "device") for obj in adapter.get_all(model)}


@pytest.mark.slow
@pytest.mark.parametrize("end", [End.RAISES, End.EXPECTS, End.SAYS_SO])
def test_a_cut_that_is_known_deletes_nothing_wherever_it_is(end: End) -> None:
    for cut in CUTS:
        source, target = cut_source(cut, end), full_target()
        if end is End.RAISES:
            with pytest.raises(StoreNotComplete):
                source.store.require_loaded()
        target.sync_from(source, guards=Guards())
        assert names(target) == names(full_target()), cut


def test_a_cut_that_nobody_can_know_deletes_no_more_than_the_limits() -> None:
    limit = Limit(percent=5)
    guards = Guards(change_limits=ChangeLimits(sync=Limits(delete=limit), per_model=Limits(delete=limit)))
    refused = 0
    for cut in CUTS:
        source, target = cut_source(cut, End.QUIET), full_target()
        before = len(names(target))
        try:
            target.sync_from(source, guards=guards)
        except ChangeLimitExceeded:
            refused += 1
            assert len(names(target)) == before, cut
        assert before - len(names(target)) <= before * 0.05, cut
    assert refused > 50


def test_a_whole_source_deletes_what_is_gone() -> None:
    source, target = cut_source(len(RECORDS), End.EXPECTS), full_target()
    target.sync_from(source, guards=Guards(change_limits=ChangeLimits(per_model=Limits(delete=Limit(percent=5)))))
    assert names(target) == names(source)
