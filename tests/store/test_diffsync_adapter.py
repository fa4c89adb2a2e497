"""The adapters of diffsync itself, over a RedisStore of this project.

Each test runs a function of this module in a process that has diffsync 2.2.3 on its path.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.store.child import run
from tests.store.conftest import OpenStore
from tests.store.inventory import open_store, read_sites

Adapter = Any
"""Of diffsync: its classes are not there when types are checked."""


def adapter_class() -> Any:
    diffsync = importlib.import_module("diffsync")

    class Device(diffsync.DiffSyncModel):  # type: ignore[misc, name-defined]
        _modelname = "device"
        _identifiers = ("name",)
        _attributes = ("role", "site")

        name: str
        role: str = "leaf"
        site: str = ""

    class Site(diffsync.DiffSyncModel):  # type: ignore[misc, name-defined]
        _modelname = "site"
        _identifiers = ("name",)
        _attributes = ("region", "tags", "facts")
        _children = {"device": "devices"}

        name: str
        region: str | None = None
        tags: list[str] = []
        facts: dict[str, Any] = {}
        devices: list[str] = []

    class Inventory(diffsync.Adapter):  # type: ignore[misc, name-defined]
        site = Site
        device = Device
        top_level = ["site"]

        def load(self) -> None:
            for site_name in ("ber", "muc"):
                site = self.site(name=site_name, region="north")
                self.add(site)
                for number in range(3):
                    device = self.device(name=f"{site_name}-{number}")
                    self.add(device)
                    site.add_child(device)

    return Inventory


def as_instance(url: str, store_id: str) -> Adapter:
    return adapter_class()("stored", internal_storage_engine=open_store(url, store_id))


def as_factory(url: str, store_id: str) -> Adapter:
    def make(adapter: Any) -> Any:
        return open_store(url, store_id, adapter=adapter)

    return adapter_class()("stored", internal_storage_engine=make)


ENGINES = {"as_instance": as_instance, "as_factory": as_factory}


def local(load: bool = True) -> Adapter:
    adapter = adapter_class()("local")
    if load:
        adapter.load()
    return adapter


def loaded(make: Callable[[], Adapter]) -> None:
    adapter = make()
    adapter.load()
    assert adapter.dict() == local().dict()
    assert adapter.str() == local().str()
    assert len(adapter) == 8
    assert adapter.count("device") == 6
    assert adapter.get_all_model_names() == {"site", "device"}
    assert str(adapter.store).startswith("RedisStore (")


def got(make: Callable[[], Adapter]) -> None:
    adapter = make()
    adapter.load()
    site = adapter.get("site", "ber")
    assert (site.name, site.devices) == ("ber", ["ber-0", "ber-1", "ber-2"])
    assert type(site) is adapter.site
    assert adapter.get(adapter.site, {"name": "ber"}) is site
    assert [device.name for device in adapter.get_by_uids(["muc-1", "ber-1"], "device")] == ["muc-1", "ber-1"]
    assert [found.name for found in adapter.get_all(adapter.site)] == ["ber", "muc"]
    exceptions = importlib.import_module("diffsync.exceptions")
    with pytest.raises(exceptions.ObjectNotFound):
        adapter.get("site", "none")
    with pytest.raises(exceptions.ObjectNotFound):
        adapter.get_by_uids(["ber", "none"], "site")


def got_none(make: Callable[[], Adapter]) -> None:
    adapter = make()
    assert adapter.get_or_none("site", "none") is None
    assert adapter.get_or_none(adapter.site, {"name": "none"}) is None


def refused_a_second_one(make: Callable[[], Adapter]) -> None:
    exceptions = importlib.import_module("diffsync.exceptions")
    adapter = make()
    adapter.load()
    site = adapter.get("site", "ber")
    with pytest.raises(exceptions.ObjectAlreadyExists) as raised:
        adapter.add(adapter.site(name="ber"))
    assert raised.value.existing_object is site
    with pytest.raises(exceptions.ObjectStoreException):
        adapter.add(adapter.site(name="ber"))


def instantiated(make: Callable[[], Adapter]) -> None:
    adapter = make()
    site, created = adapter.get_or_instantiate(adapter.site, {"name": "ber"}, {"region": "north"})
    assert (site.region, created) == ("north", True)
    assert adapter.get_or_instantiate(adapter.site, {"name": "ber"}, {"region": "x"}) == (site, False)
    assert adapter.update_or_instantiate(adapter.site, {"name": "ber"}, {"region": "south"}) == (site, False)
    assert site.region == "south"
    assert adapter.update_or_add_model_instance(adapter.site(name="ber", region="east")) == (site, False)
    assert adapter.get_or_add_model_instance(adapter.site(name="muc"))[1]
    assert adapter.dict() == {"site": {"ber": {"name": "ber", "region": "east"}, "muc": {"name": "muc"}}}


def removed(make: Callable[[], Adapter]) -> None:
    exceptions = importlib.import_module("diffsync.exceptions")
    adapter = make()
    adapter.load()
    site = adapter.get("site", "ber")
    adapter.remove(site, remove_children=True)
    assert site.adapter is None
    with pytest.raises(exceptions.ObjectNotFound):
        adapter.remove(site)
    assert list(adapter.dict()["site"]) == ["muc"]
    assert list(adapter.dict()["device"]) == ["muc-0", "muc-1", "muc-2"]


def changed_source() -> Adapter:
    source = local()
    source.get("site", "ber").region = "south"
    source.get("site", "muc").tags = ["big"]
    gone = source.get("device", "ber-1")
    source.get("site", "ber").remove_child(gone)
    source.remove(gone)
    new_site, new_device = source.site(name="fra"), source.device(name="fra-0", role="spine")
    source.add(new_site)
    source.add(new_device)
    new_site.add_child(new_device)
    return source


def compared(make: Callable[[], Adapter]) -> None:
    adapter = make()
    adapter.load()
    diff, expected = adapter.diff_from(changed_source()), local().diff_from(changed_source())
    assert diff.dict() == expected.dict()
    assert diff.summary() == expected.summary()
    assert diff.str().replace("stored", "local") == expected.str()
    assert not adapter.diff_from(local()).has_diffs()
    assert not adapter.diff_to(local()).has_diffs()


def synced(make: Callable[[], Adapter]) -> None:
    source, adapter = changed_source(), make()
    adapter.load()
    adapter.sync_from(source)
    assert not adapter.diff_from(source).has_diffs()
    assert adapter.dict() == source.dict()
    # A change after the sync, to an object that the sync has changed, is in the store too.
    adapter.get("site", "ber").tags.append("late")
    source.get("site", "ber").tags.append("late")
    adapter.store.flush()
    assert not adapter.diff_from(source).has_diffs()


def synced_from(make: Callable[[], Adapter]) -> None:
    adapter, target = make(), local(load=False)
    adapter.load()
    adapter.sync_to(target)
    assert target.dict() == local().dict()


STEPS = (loaded, got, got_none, refused_a_second_one, instantiated, removed, compared, synced, synced_from)


def take(url: str, store_id: str, step: str) -> None:
    """Take one of the steps, with a store that is given as an instance and with one that is given as a factory."""
    assert importlib.import_module("diffsync").Adapter.__module__.startswith("diffsync")
    for name, engine in ENGINES.items():
        globals()[step](partial(engine, url, f"{store_id}-{name}"))
        open_store(url, f"{store_id}-{name}").drop()


@pytest.mark.slow
@pytest.mark.parametrize("step", [step.__name__ for step in STEPS])
def test_an_adapter_of_diffsync_has(redis_url: str, store_id: str, diffsync_dir: Path, step: str) -> None:
    run(take, path=[diffsync_dir], url=redis_url, store_id=store_id, step=step)


def load_and_end(url: str, store_id: str) -> None:
    as_instance(url, store_id).load()


def sync_and_end(url: str, store_id: str) -> None:
    as_instance(url, store_id).sync_from(changed_source())


def read_with_diffsync(url: str, store_id: str) -> list[Any]:
    """What a new process of diffsync reads, and what it finds to do after the sync."""
    adapter = as_instance(url, store_id)
    return [adapter.dict(), changed_source().dict(), adapter.diff_from(changed_source()).dict()]


@pytest.mark.slow
def test_what_diffsync_has_loaded_and_synced_is_there_for_the_next_process(
    open_redis: OpenStore, redis_url: str, store_id: str, diffsync_dir: Path
) -> None:
    run(load_and_end, path=[diffsync_dir], url=redis_url, store_id=store_id)
    run(sync_and_end, path=[diffsync_dir], url=redis_url, store_id=store_id)
    stored, expected, diff = run(read_with_diffsync, path=[diffsync_dir], url=redis_url, store_id=store_id)
    assert stored == expected
    assert diff == {}


@pytest.mark.slow
def test_what_diffsync_has_loaded_is_read_by_this_library(
    open_redis: OpenStore, redis_url: str, store_id: str, diffsync_dir: Path
) -> None:
    run(load_and_end, path=[diffsync_dir], url=redis_url, store_id=store_id)
    stored = read_sites(redis_url, store_id)
    assert [site["name"] for site in stored["site"]] == ["ber", "muc"]
    assert stored["site"][0]["devices"] == ["ber-0", "ber-1", "ber-2"]
    assert len(stored["device"]) == 6
