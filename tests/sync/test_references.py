"""Creates and deletes are ordered by references beside the tree."""

import multiprocessing
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from diffsync_store import Adapter, DiffSyncFlags, DiffSyncModel, LocalStore, Sync, SyncOptions
from diffsync_store.mapping import ModelDefinition, build_models
from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.store.redis import RedisStore
from diffsync_store.sync import scheduler
from tests.adapters.memory import MemoryAdapter, MemorySystem

Data = dict[str, Any]
NewStore = Callable[[str], Any]

MODELS = {
    name: ModelDefinition.model_validate(found)
    for name, found in {
        "device": {
            "identifiers": {"name": "str"},
            "attributes": {"kind": "str", "rack_site": "str?", "rack_name": "str?"},
            "references": {"kind": "kind", "rack": {"model": "rack", "fields": {"site": "rack_site", "name": "rack_name"}}},
            "children": ["port", "module"],
        },
        "port": {
            "identifiers": {"device": "str", "name": "str"},
            "attributes": {"module": "str?"},
            "references": {"device": "device", "module": {"model": "module", "fields": {"device": "device", "name": "module"}}},
        },
        "module": {"identifiers": {"device": "str", "name": "str"}, "references": {"device": "device"}},
        "kind": {"identifiers": {"name": "str"}},
        "site": {"identifiers": {"name": "str"}, "attributes": {"parent": "str?"}, "references": {"parent": "site"}, "children": ["rack"]},
        "rack": {"identifiers": {"site": "str", "name": "str"}, "references": {"site": "site"}},
    }.items()
}  # fmt: skip
RECORDS: Data = {
    "site": {"fields": {"parent": "parent.name"}, "references": {"parent": "parent_id"}},
    "rack": {"fields": {"site": "site.name"}, "references": {"site": "site_id"}},
    "kind": {},
    "device": {
        "fields": {"kind": "kind.name", "rack_site": "rack.site", "rack_name": "rack.name"},
        "references": {"kind": "kind_id", "rack": "rack_id"},
    },
    "module": {"fields": {"device": "device.name"}, "references": {"device": "device_id"}},
    "port": {
        "fields": {"device": "device.name", "module": "module.name"},
        "references": {"device": "device_id", "module": "module_id"},
    },
}


def whole(sites: int = 4) -> dict[str, list[Data]]:
    """Sites, each part of the next one, with racks, devices, modules and ports."""
    names = [str(number) for number in range(sites)]
    return {
        "site": [{"name": name, "parent": {"name": above}} for name, above in pairwise(names)] + [{"name": names[-1]}],
        "rack": [{"site": {"name": name}, "name": "r"} for name in names],
        "kind": [{"name": "switch"}, {"name": "router"}],
        "device": [
            *({"name": f"d{name}", "kind": {"name": "switch"}, "rack": {"site": name, "name": "r"}} for name in names),
            {"name": "loose", "kind": {"name": "router"}},
        ],
        "module": [{"device": {"name": f"d{name}"}, "name": "m"} for name in names],
        "port": [{"device": {"name": f"d{name}"}, "name": "p", "module": {"name": "m"}} for name in names],
    }  # fmt: skip


@pytest.fixture(params=["local", "redis"])
def new_store(request: pytest.FixtureRequest, store_id: str, redis_url: str) -> NewStore:
    if request.param == "local":
        return lambda _side: LocalStore()
    return lambda side: RedisStore(store_id=f"{store_id}-{side}", url=redis_url)


def loaded(system: MemorySystem, store: Any, models: Any = MODELS, records: Any = RECORDS) -> MemoryAdapter:
    adapter = MemoryAdapter({"system": system}, models, records, internal_storage_engine=store)
    with adapter.store.loading():
        adapter.load()
    assert not adapter.store.record().reason
    return adapter


def sync(source: MemoryAdapter, target: MemoryAdapter, **options: Any) -> Any:
    result = Sync(target.diff_from(source), source, target, SyncOptions(**options), flags=DiffSyncFlags.NONE).run()
    assert not target.diff_from(source).has_diffs()
    return result


OPTIONS = [
    {"batch_size": 1},
    {"batch_size": 1, "deletes_last": True},
    {"batch_size": 100},
    {"batch_size": 100, "deletes_last": True},
    {"batch_size": 1, "workers": 4},
    {"batch_size": 2, "workers": 3, "deletes_last": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_is_referenced_is_created_first_and_deleted_last(new_store: NewStore, options: Data) -> None:
    system = MemorySystem()
    full = loaded(MemorySystem(**whole()), new_store("full"))
    target = loaded(system, new_store("target"))
    assert sync(full, target, **options).created == 4 + 4 + 2 + 5 + 4 + 4
    empty = loaded(MemorySystem(), new_store("empty"))
    assert sync(empty, target, **options).deleted == 23
    assert not any(system.tables.values())


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_record_that_is_no_longer_referenced_is_deleted_in_the_same_sync(new_store: NewStore, options: Data) -> None:
    before, after = whole(), whole()
    before["kind"].append({"name": "old"})
    before["device"].append({"name": "x", "kind": {"name": "old"}})
    after["device"].append({"name": "x", "kind": {"name": "new"}})
    after["kind"].append({"name": "new"})
    after["site"][0]["parent"] = {"name": "top"}
    after["site"].append({"name": "top"})
    system, start = MemorySystem(), loaded(MemorySystem(**before), new_store("before"))
    target = loaded(system, new_store("target"))
    sync(start, target, **options)
    system.log.clear()
    result = sync(loaded(MemorySystem(**after), new_store("after")), target, **options)
    assert (result.created, result.updated, result.deleted, result.failed) == (2, 2, 1, 0)
    assert system.log[-1] == ("delete", "kind", "old")


def test_the_order_holds_however_many_records_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_WINDOW", 3)
    monkeypatch.setattr(scheduler, "_MAX_WINDOW", 3)
    full, target = loaded(MemorySystem(**whole(30)), LocalStore()), loaded(MemorySystem(), LocalStore())
    assert sync(full, target, batch_size=10).failed == 0
    assert sync(loaded(MemorySystem(), LocalStore()), target, batch_size=10).failed == 0


def test_records_that_refer_to_each_other_in_a_circle_are_refused_alone() -> None:
    sites: list[Data] = [
        {"name": "a", "parent": {"name": "b"}},
        {"name": "b", "parent": {"name": "a"}},
        {"name": "c", "parent": {"name": "d"}},
        {"name": "d"},
    ]
    source, target = loaded(MemorySystem(site=sites), LocalStore()), loaded(MemorySystem(), LocalStore())
    flags = DiffSyncFlags.CONTINUE_ON_FAILURE
    result = Sync(target.diff_from(source), source, target, SyncOptions(), flags=flags).run()
    assert (result.created, result.failed) == (2, 2)
    assert "The system has no site 'a'. Create it first" in result.rejects[-1].reason


def order_of(definitions: dict[str, Data]) -> list[str]:
    return list(
        build_models({name: ModelDefinition.model_validate(one) for name, one in definitions.items()}, DeclaredModel)
    )


def test_models_below_one_parent_come_in_the_order_of_their_references() -> None:
    assert list(build_models(MODELS, DeclaredModel)["device"]._children) == ["module", "port"]
    assert order_of({name: found.model_dump() for name, found in MODELS.items()}) == [
        "kind",
        "site",
        "rack",
        "device",
        "module",
        "port",
    ]


NAMED: Data = {"identifiers": {"name": "str"}}


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        (
            {"a": {**NAMED, "attributes": {"b": "str"}, "references": {"b": "b"}}, "b": {**NAMED, "attributes": {"a": "str"}, "references": {"a": "a"}}},
            "Models refer to each other in a circle: a → b → a. Leave one reference out.",
        ),
        (
            {"a": {**NAMED, "attributes": {"b": "str"}, "children": ["b"], "references": {"b": "b"}}, "b": NAMED},
            "Leave the reference out, or do not make 'b' a child of 'a'.",
        ),
        (
            {
                "top": {**NAMED, "children": ["a", "b"]},
                "a": {**NAMED, "attributes": {"b": "str"}, "references": {"b": "b"}},
                "b": {**NAMED, "attributes": {"a": "str"}, "references": {"a": "a"}},
            },
            "Models refer to each other in a circle: a → b → a.",
        ),
    ],
)  # fmt: skip
def test_a_circle_of_models_is_an_error_with_a_remedy(definitions: dict[str, Data], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        order_of(definitions)
    assert message in str(caught.value)


def test_a_reference_to_a_record_that_is_not_loaded_is_found_in_the_system() -> None:
    records = {"device": RECORDS["device"], "kind": {"lookup_only": True}}
    source = loaded(MemorySystem(device=[{"name": "x", "kind": {"name": "switch"}}]), LocalStore(), records=records)
    system = MemorySystem(kind=[{"name": "other"}, {"name": "switch"}])
    target = loaded(system, LocalStore(), records=records)
    assert sync(source, target).created == 1
    assert system.tables["device"][3]["kind_id"] == 2
    assert system.calls == [("find", "kind", 1), ("create", "device", 1)]


def _sync_in_another_process(store_id: str, url: str, tables: Data, number: int, answers: Any) -> None:
    """Apply a diff without having loaded the target: what the system has is known from its store."""
    system = MemorySystem()
    system.tables, system.number = tables, number
    source = MemoryAdapter(
        {"system": system}, MODELS, RECORDS, internal_storage_engine=RedisStore(store_id=f"{store_id}-s", url=url)
    )
    target = MemoryAdapter(
        {"system": system}, MODELS, RECORDS, internal_storage_engine=RedisStore(store_id=f"{store_id}-t", url=url)
    )
    result = Sync(target.diff_from(source), source, target, SyncOptions(), flags=DiffSyncFlags.NONE).run()
    answers.put((result.created, result.failed, system.calls, system.tables))


def test_another_process_finds_the_ids_in_the_store(redis_url: str, store_id: str) -> None:
    before, after = whole(), whole()
    after["device"] += [
        {"name": f"new{number}", "kind": {"name": "router"}, "rack": {"site": "1", "name": "r"}} for number in range(5)
    ]
    system = MemorySystem(**before)
    loaded(MemorySystem(**after), RedisStore(store_id=f"{store_id}-s", url=redis_url)).store.close()
    loaded(system, RedisStore(store_id=f"{store_id}-t", url=redis_url)).store.close()
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(
        target=_sync_in_another_process, args=(f"{store_id}", redis_url, system.tables, system.number, answers)
    )
    process.start()
    created, failed, calls, tables = answers.get(timeout=200)
    process.join(timeout=100)
    assert (created, failed) == (5, 0)
    assert calls == [("create", "device", 5)]
    [rack] = [key for key, rack in tables["rack"].items() if rack["site"]["name"] == "1"]
    [kind] = [key for key, found in tables["kind"].items() if found["name"] == "router"]
    assert [
        (found["kind_id"], found["rack_id"]) for found in tables["device"].values() if found["name"].startswith("new")
    ] == [(kind, rack)] * 5


class Disk(DiffSyncModel):
    _modelname = "disk"
    _identifiers = ("name",)
    _children = {"folder": "folders"}
    name: str
    folders: list[str] = []


class Folder(DiffSyncModel):
    _modelname = "folder"
    _identifiers = ("name",)
    _children = {"folder": "folders"}
    name: str
    folders: list[str] = []


class Computer(Adapter):
    disk, folder = Disk, Folder
    top_level: ClassVar[list[str]] = ["disk"]


@pytest.mark.timeout(200)
def test_a_model_may_be_its_own_child() -> None:
    source, target = Computer(), Computer()
    disk, outer, inner = Disk(name="a"), Folder(name="b"), Folder(name="c")
    for obj in (disk, outer, inner):
        source.add(obj)
    disk.add_child(outer)
    outer.add_child(inner)
    flags = DiffSyncFlags.NONE
    assert Sync(target.diff_from(source), source, target, SyncOptions(), flags=flags).run().created == 3
    assert not target.diff_from(source).has_diffs()
