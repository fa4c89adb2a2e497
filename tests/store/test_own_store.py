"""A store of a program's own: a subclass of BaseStore that has diffsync's methods and no others."""

from __future__ import annotations

import copy
import pickle
from threading import Lock
from typing import Any

import pytest

from diffsync_store import Adapter, BaseStore, LocalStore, ObjectAlreadyExists, ObjectNotFound, StoreState
from diffsync_store.diffs import RedisDiffs
from tests.behaviour.inventory import Device, Inventory, Site, Sites

SITES: Sites = {"z": ("r1", {"d2": "leaf", "d1": "spine"}), "a": (None, {})}


class DictStore(BaseStore):
    """Keeps its objects in one dict."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows: dict[tuple[str, str], Any] = {}
        self._lock, self._state, self._created = Lock(), "open", 0  # names that a store may well have of its own

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())

    def _key(self, model: Any, identifier: Any) -> tuple[str, str]:
        model_class, name = self._get_object_class_and_model(model)
        return name, self._get_uid(model, model_class, identifier)

    def get_all_model_names(self) -> set[str]:
        return {name for name, _ in self.rows}

    def get(self, *, model: Any, identifier: Any) -> Any:
        with self._lock:
            try:
                return self.rows[self._key(model, identifier)]
            except KeyError:
                raise ObjectNotFound(f"{model} {identifier}") from None

    def get_all(self, *, model: Any) -> list[Any]:
        wanted = self._get_object_class_and_model(model)[1]
        return [obj for (name, _), obj in self.rows.items() if name == wanted]

    def get_by_uids(self, *, uids: list[str], model: Any) -> list[Any]:
        return [self.get(model=model, identifier=uid) for uid in uids]

    def add(self, *, obj: Any) -> None:
        with self._lock:
            existing = self.rows.setdefault((obj.get_type(), obj.get_unique_id()), obj)
        if existing is not obj:
            raise ObjectAlreadyExists("there", existing)
        obj.adapter = obj.adapter or self.adapter

    def update(self, *, obj: Any) -> None:
        self.rows[obj.get_type(), obj.get_unique_id()] = obj
        obj.adapter = obj.adapter or self.adapter

    def remove_item(self, modelname: str, uid: str) -> None:
        if self.rows.pop((modelname, uid), None) is None:
            raise ObjectNotFound(f"{modelname} {uid}")

    def count(self, *, model: Any = None) -> int:
        return len(self.rows if model is None else self.get_all(model=model))


def filled(sites: Sites = SITES) -> Inventory:
    made = Inventory(internal_storage_engine=DictStore)
    made.fill(sites)
    return made


def beside(sites: Sites = SITES) -> Inventory:
    made = Inventory()
    made.fill(sites)
    return made


def test_an_adapter_with_it_reads_as_any_other() -> None:
    own, local = filled(), beside()
    assert (own.dict(), own.str(), len(own), own.count(Site)) == (local.dict(), local.str(), 4, 2)
    assert own.get(Site, {"name": "z"}).adapter is own
    assert (own.get_or_none(Site, "q"), own.get_all_model_names()) == (None, {"site", "device"})
    assert [each.name for each in own.store.iter_all(model=Site)] == ["z", "a"]


def test_get_or_instantiate_and_similar_methods_use_its_methods() -> None:
    own = filled()
    assert own.get_or_instantiate(Site, {"name": "z"}) == (own.get(Site, "z"), False)
    assert own.get_or_instantiate(Site, {"name": "q"}, {"region": "r"})[1]
    assert own.update_or_instantiate(Site, {"name": "q"}, {"region": "s"})[0].region == "s"
    assert own.get_or_add_model_instance(Site(name="q")) == (own.get(Site, "q"), False)
    assert own.update_or_add_model_instance(Site(name="q", region="t"))[0].region == "t"
    own.remove(own.get(Site, "z"), remove_children=True)
    assert own.dict() == {"site": {"a": {"name": "a"}, "q": {"name": "q", "region": "t"}}}


@pytest.mark.parametrize(
    ("source", "target"),
    [(filled, filled), (filled, beside), (beside, filled)],
    ids=["own from own", "local from own", "own from local"],
)
def test_it_is_diffed_and_synced(source: Any, target: Any) -> None:
    right, changed = source(), target({"z": ("old", {"d1": "leaf", "gone": "x"}), "gone": ("r", {"d": "x"})})
    expected = beside({"z": ("old", {"d1": "leaf", "gone": "x"}), "gone": ("r", {"d": "x"})})
    diff = changed.diff_from(right)
    assert diff.dict() == expected.diff_from(beside()).dict()
    changed.sync_from(right)
    assert not changed.diff_from(right).has_diffs()
    assert changed.count() == right.count()


def test_it_is_copied_with_its_adapter() -> None:
    own = filled()
    for found in (copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
        assert found.get(Site, "z").adapter is found
        assert found.get(Site, "z") is not own.get(Site, "z")


def test_it_has_the_state_of_a_load() -> None:
    own = filled({"old": ("r", {})})
    with own.store.loading():
        assert own.count() == 0
        own.fill(SITES)
        with own.store.rejecting(Site, "bad"):
            raise ValueError("bad")
    record = own.store.require_loaded()
    assert (record.state, record.counts, record.adapter) == (StoreState.PARTIAL, {"site": 2, "device": 2}, "Inventory")
    assert record.schema_.models["site"].identifiers == ("name",)
    own.store.drop()
    assert own.count() == 0


def test_a_diff_of_it_is_saved_and_applied(redis_url: str) -> None:
    own, target = filled(), filled({"z": ("old", {})})
    for adapter in (own, target):
        adapter.store.mark(StoreState.COMPLETE)
    diffs = RedisDiffs(url=redis_url)
    diff_id = diffs.save(target.diff_from(own), source=own.store.record(), target=target.store.record())
    saved = diffs.open(diff_id)
    assert (saved.record.source_name, saved.record.operations) == ("Inventory", 4)
    target.sync_from(own, diff=saved.diff())
    saved.drop()
    diffs.close()
    assert not target.diff_from(own).has_diffs()


def test_the_error_of_a_missing_method_names_it() -> None:
    class Bare(BaseStore):
        pass

    adapter = Inventory(internal_storage_engine=Bare)
    for call in (lambda: adapter.get(Site, "a"), lambda: adapter.add(Site(name="a")), adapter.count):
        with pytest.raises(NotImplementedError, match="Bare has no"):
            call()


class Filtering(LocalStore):
    """Shows no device whose name begins with a dot."""

    def get(self, *, model: Any, identifier: Any) -> Any:
        found = super().get(model=model, identifier=identifier)
        if found.get_type() == "device" and found.name.startswith("."):
            raise ObjectNotFound("hidden")
        return found


def test_what_a_subclass_of_local_store_overrides_is_used() -> None:
    adapter = Inventory(internal_storage_engine=Filtering)
    adapter.fill({"a": ("r", {".hidden": "x", "seen": "x"})})
    assert adapter.get_or_none(Device, "a__.hidden") is None
    assert "a__.hidden (ERROR: details unavailable)" in adapter.str()
    with pytest.raises(ObjectAlreadyExists):
        adapter.get_or_instantiate(Device, {"site": "a", "name": ".hidden"})


def test_a_store_in_redis_is_not_copied(redis_url: str) -> None:
    from diffsync_store.store.redis import RedisStore

    with RedisStore(url=redis_url) as store:
        adapter: Adapter = Inventory(internal_storage_engine=store)
        adapter.add(Site(name="a"))
        for duplicate in (copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=rf"{store.store_id}.*RedisStore\(store_id="):
                duplicate(adapter)
        site = adapter.get(Site, "a")
        assert copy.deepcopy(site).adapter is adapter
        assert copy.copy(adapter).store is store
        store.drop()
