from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from pydantic import field_validator

from diffsync_store import DiffSyncFlags, LocalStore, StoreState, Sync, SyncOptions
from diffsync_store.adapters import mapped
from diffsync_store.adapters.mapped import MappedAdapter, MappedModel
from diffsync_store.exceptions import ObjectNotCreated, ObjectStoreException, OutcomeUnknown
from diffsync_store.guards import Completeness, Guards
from diffsync_store.mapping import ModelDefinition
from diffsync_store.store.redis import RedisStore
from diffsync_store.stored_adapter import StoredAdapter
from diffsync_store.transient import was_not_done
from tests.adapters.memory import MemoryAdapter, MemorySystem

Data = dict[str, Any]


def models_of(**definitions: Data) -> dict[str, ModelDefinition]:
    return {name: ModelDefinition.model_validate(found) for name, found in definitions.items()}


SITES = models_of(
    site={"identifiers": {"name": "str"}, "attributes": {"size": "int?"}, "children": ["rack"]},
    rack={
        "identifiers": {"site": "str", "name": "str"},
        "attributes": {"units": "int?"},
        "references": {"site": "site"},
    },
)
EMPTY = {"type": "str?", "compare": "empty_is_none"}
RECORDS: dict[str, Data] = {"site": {}, "rack": {"fields": {"site": "site.name"}, "references": {"site": "site_id"}}}


def loaded(system: MemorySystem, models: Any = SITES, records: Any = RECORDS, kind: Any = MemoryAdapter) -> Any:
    adapter = kind({"system": system}, models, records)
    with adapter.store.loading():
        adapter.load()
    return adapter


def apply(source: Any, target: Any, **options: Any) -> Any:
    diff = target.diff_from(source)
    return Sync(diff, source, target, SyncOptions(**options), flags=DiffSyncFlags.CONTINUE_ON_FAILURE).run()


def names(adapter: Any, model: str) -> list[str]:
    return [obj.get_unique_id() for obj in adapter.get_all(model)]


# Loading


def test_a_record_below_one_that_was_not_loaded_is_rejected_with_its_key() -> None:
    system = MemorySystem(
        site=[{"name": "a"}], rack=[{"name": "1", "site": {"name": "a"}}, {"name": "2", "site": {"name": "b"}}]
    )
    adapter = loaded(system)
    [reject] = adapter.store.record().gaps["rack"].rejects
    assert (reject.what, reject.reason) == ("b__2", "ObjectNotFound: The parent site 'b' was not loaded.")
    assert names(adapter, "rack") == ["a__1"]
    assert adapter.get("site", "a").rack_children == ["a__1"]


NESTED = models_of(
    site={"identifiers": {"name": "str"}, "attributes": {"size": "int?"}, "children": ["rack"]},
    rack={"identifiers": {"site": "str", "name": "str"}, "children": ["slot"], "references": {"site": "site"}},
    slot={"identifiers": {"site": "str", "rack": "str", "name": "int"}},
)
NESTED_RECORDS: dict[str, Data] = {
    "site": {},
    "rack": {"from": "racks[]"},
    "slot": {"from": "slots[]", "fields": {"site": "$parent.site", "rack": "$parent.name"}},
}


def test_lists_inside_lists_are_loaded_below_each_other() -> None:
    slots = {"name": "1", "slots": [{"name": 1}, {"name": 2}]}
    adapter = loaded(MemorySystem(site=[{"name": "a", "racks": [slots, {"name": "2"}]}]), NESTED, NESTED_RECORDS)
    assert names(adapter, "slot") == ["a__1__1", "a__1__2"]
    assert adapter.get("rack", "a__1").slot_children == ["a__1__1", "a__1__2"]
    assert adapter.store.record().state is StoreState.COMPLETE


def test_what_a_rejected_record_holds_is_missing_too() -> None:
    sites: list[Data] = [
        {"name": "a", "size": "big", "racks": [{"name": "1"}]},
        {"name": "b", "racks": "none"},
        {"name": "c", "racks": ["x", {}]},
    ]
    adapter = loaded(MemorySystem(site=sites), NESTED, NESTED_RECORDS)
    gaps = adapter.store.record().gaps
    assert gaps["site"].rejects[0].what == "a"
    assert "site a was rejected, with the records inside it" in gaps["rack"].reasons
    assert "site a was rejected, with the records inside it" in gaps["slot"].reasons
    assert "`racks[]` is not a list in site b" in gaps["rack"].reasons
    assert [reject.what for reject in gaps["rack"].rejects] == ["x", "c__None"]
    assert names(adapter, "site") == ["b", "c"]


def test_all_lists_of_a_path_are_read_together() -> None:
    models = models_of(
        site={"identifiers": {"name": "str"}, "children": ["rack"]},
        rack={"identifiers": {"site": "str", "name": "str"}, "references": {"site": "site"}},
    )
    record = {"name": "a", "rooms": [{"racks": [{"name": "1"}]}, {"racks": [{"name": "2"}]}, {}]}
    adapter = loaded(MemorySystem(site=[record]), models, {"site": {}, "rack": {"from": "rooms[].racks[]"}})
    assert names(adapter, "rack") == ["a__1", "a__2"]


def test_only_records_that_fit_a_condition_are_read_and_expected() -> None:
    class Counting(MemoryAdapter):
        def read(self, mapper: Any) -> Any:
            records = list(super().read(mapper))
            self.expect(mapper.model, len(records))
            return records

    system = MemorySystem(site=[{"name": "a", "size": 1}, {"name": "b", "size": 20}, {"name": "c"}])
    adapter = loaded(system, SITES, {"site": {"where": "size && size > `10`"}}, Counting)
    assert names(adapter, "site") == ["b"]
    assert adapter.store.record().state is StoreState.COMPLETE


COUNTRIES = models_of(country={"identifiers": {"code": "str"}, "attributes": {"label": "str?"}})


def test_a_distinct_record_counts_once_and_contradictions_are_rejected() -> None:
    rows = [("NO", "Norway"), ("NO", "Norway"), ("SE", "Sweden"), ("NO", "Norge")]
    system = MemorySystem(airport=[{"country": code, "label": label} for code, label in rows])
    records = {"country": {"from": "airport", "distinct": True, "fields": {"code": "country"}}}
    adapter = loaded(system, COUNTRIES, records)
    assert names(adapter, "country") == ["NO", "SE"]
    [reject] = adapter.store.record().gaps["country"].rejects
    assert reject.what == "NO"
    assert "label is 'Norway' in one and 'Norge' in another. The first one counts." in reject.reason


@pytest.mark.parametrize("most", [1, 50_000])
def test_a_load_does_not_ask_the_store_for_what_it_has_just_added(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    class Counting(LocalStore):
        reads = 0

        def get(self, **options: Any) -> Any:
            Counting.reads += 1
            return super().get(**options)

    monkeypatch.setattr(mapped, "MOST_HELD", most)
    racks = [{"name": str(number), "site": {"name": "ab"[number % 2]}} for number in range(10)]
    system = MemorySystem(site=[{"name": "a"}, {"name": "b"}, {"name": "a"}], rack=racks)
    records = {**RECORDS, "site": {"distinct": True}}
    adapter = MemoryAdapter({"system": system}, SITES, records, internal_storage_engine=Counting())
    with adapter.store.loading():
        adapter.load()
    assert (adapter.count("site"), adapter.count("rack")) == (2, 10)
    assert [len(site.rack_children) for site in adapter.get_all("site")] == [5, 5]
    assert (Counting.reads == 0) is (most > 1)


def test_a_store_that_fails_ends_the_load() -> None:
    class Failing(LocalStore):
        def add(self, *, obj: Any) -> None:
            raise ObjectStoreException("The store cannot be reached.")

    store = Failing()
    adapter = MemoryAdapter(
        {"system": MemorySystem(site=[{"name": "a"}])}, SITES, RECORDS, internal_storage_engine=store
    )
    with pytest.raises(ObjectStoreException, match="cannot be reached"), store.loading():
        adapter.load()
    assert store.state is StoreState.FAILED


# The models of an adapter


def test_a_model_that_one_side_does_not_read_is_neither_compared_nor_deleted() -> None:
    models = models_of(
        site={"identifiers": {"name": "str"}, "children": ["rack"]},
        rack={"identifiers": {"site": "str", "name": "str"}},
        tag={"identifiers": {"name": "str"}},
    )
    records: Data = {"site": {}, "rack": {"fields": {"site": "site.name"}}, "tag": {}}
    target = loaded(
        MemorySystem(site=[{"name": "a"}], rack=[{"name": "1", "site": {"name": "a"}}], tag=[{"name": "x"}]),
        models,
        records,
    )
    source = loaded(MemorySystem(site=[{"name": "a"}]), models, {"site": {}})
    assert not target.diff_from(source).has_diffs()
    assert (target.top_level, source.top_level) == (["site", "tag"], ["site"])


def test_adapters_of_one_class_do_not_share_models() -> None:
    one, two = loaded(MemorySystem(), SITES), loaded(MemorySystem(), COUNTRIES, {"country": {}})
    assert (one._get_initial_value_order(), two._get_initial_value_order()) == (["site", "rack"], ["country"])
    assert not hasattr(MemoryAdapter, "site")
    assert not hasattr(two, "site")
    assert MemoryAdapter.top_level == []
    assert type(one).__name__ == "MemoryAdapter"


def test_a_field_with_the_name_of_the_parents_model_names_the_parent() -> None:
    models = models_of(
        site={"identifiers": {"name": "str"}, "children": ["rack"]},
        rack={"identifiers": {"site": "str", "name": "str"}},
    )
    adapter = loaded(
        MemorySystem(site=[{"name": "a"}], rack=[{"site": "a", "name": "1"}]), models, {"site": {}, "rack": {}}
    )
    assert adapter.get("site", "a").rack_children == ["a__1"]


@pytest.mark.parametrize(
    ("models", "records", "message"),
    [
        ({"find": {"identifiers": {"name": "str"}}}, {}, "A model cannot be called 'find': MemoryAdapter has a member of this name"),
        ({"store": {"identifiers": {"name": "str"}}}, {}, "A model cannot be called 'store'"),
        ({"settings": {"identifiers": {"name": "str"}}}, {}, "A model cannot be called 'settings'"),
        ({"site": {"identifiers": {"name": "str"}}}, {"sites": {}}, "`records` names 'sites', which is not a model. Models are site."),
        ({"site": {"identifiers": {"name": "str"}}}, {"site": {"from": "sites[]"}}, "Name its model as `parent`"),
        ({"site": {"identifiers": {"name": "str"}}}, {"site": {"fields": {"name": "$parent.name"}}}, "needs a parent"),
        ({"site": {"identifiers": {"name": "str"}}}, {"site": {"fields": {"name": "$file.stem"}}}, "is unknown: MemoryAdapter adds"),
        (
            {"site": {"identifiers": {"name": "str"}, "children": ["rack"]}, "rack": {"identifiers": {"label": "str"}}},
            {"site": {}, "rack": {}},
            "has no field for its 'name'. Add a field of this name, or `references: {FIELD: site}`.",
        ),
        (
            {"site": {"identifiers": {"name": "str"}, "children": ["rack"]}, "rack": {"identifiers": {"label": "str"}}},
            {"site": {}, "rack": {"from": "racks[]", "fields": {"label": "$parent.nme"}}},
            "'site' has no such field",
        ),
    ],
)  # fmt: skip
def test_a_wrong_declaration_names_the_thing_and_the_remedy(models: Data, records: Data, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        MemoryAdapter({"system": MemorySystem()}, models_of(**models), records)
    assert message in str(caught.value)


# Writing


def test_a_bad_record_does_not_keep_the_others_of_its_batch_back() -> None:
    source = loaded(MemorySystem(site=[{"name": name} for name in ("a", "bad", "b")]))
    target = loaded(MemorySystem())
    result = apply(source, target)
    assert (result.created, result.failed) == (2, 1)
    assert result.rejects[0].reason == "bad name"
    assert [call for call in target.system.calls if call[0] == "create"] == [("create", "site", 3)]
    assert [obj.system_id for obj in target.get_all("site")] == [1, 2]


def test_what_does_not_fit_the_model_is_refused_before_it_is_sent() -> None:
    adapter = loaded(MemorySystem())
    made, refused = adapter.create_records(
        adapter.site, [({"name": "a"}, {"size": 1}), ({"name": "b"}, {"size": "big"})]
    )
    assert (made.name, made.system_id) == ("a", 1)
    assert isinstance(refused, ObjectNotCreated)
    assert "big" not in str(refused)
    assert [record["name"] for record in adapter.system.tables["site"].values()] == ["a"]


def test_a_lost_answer_is_looked_up_and_nothing_is_created_twice() -> None:
    source, target = loaded(MemorySystem(site=[{"name": "a", "size": 1}, {"name": "b"}])), loaded(MemorySystem())
    losses = iter([ConnectionResetError("lost")])

    def lose(_action: str) -> None:
        for error in losses:
            raise error

    target.system.after_call = lose
    result = apply(source, target)
    assert (result.created, result.failed, result.unknown) == (2, 0, 0)
    assert [record["name"] for record in target.system.tables["site"].values()] == ["a", "b"]
    assert [obj.system_id for obj in target.get_all("site")] == [1, 2]


def test_a_record_that_is_looked_up_compares_as_its_model_declares() -> None:
    """A system writes "no value" in its own way: a create whose answer was lost was done."""
    models = models_of(site={"identifiers": {"name": "str"}, "attributes": {"note": EMPTY}})
    source = loaded(MemorySystem(site=[{"name": "a", "note": None}]), models, {"site": {}})
    target = loaded(MemorySystem(), models, {"site": {}})

    def lose(_action: str) -> None:
        target.system.after_call = None
        for record in target.system.tables["site"].values():
            record["note"] = ""
        raise ConnectionResetError("lost")

    target.system.after_call = lose
    result = apply(source, target)
    assert (result.created, result.conflicts, result.failed) == (1, 0, 0)


def test_a_reference_without_a_name_of_its_own_leads_nowhere() -> None:
    """An outlet without a power port shares the identifier `site` with the reference to one."""
    models = models_of(
        port={"identifiers": {"site": "str", "name": "str"}},
        outlet={
            "identifiers": {"site": "str", "name": "str"},
            "attributes": {"port": "str?"},
            "references": {"port": {"model": "port", "fields": {"name": "port"}}},
        },
    )
    records = {"port": {}, "outlet": {"fields": {"port": "port.name"}, "references": {"port": "port_id"}}}
    outlets: list[dict[str, Any]] = [
        {"site": "a", "name": "1", "port": {"name": "p"}},
        {"site": "a", "name": "2", "port": None},
    ]
    source = loaded(MemorySystem(port=[{"site": "a", "name": "p"}], outlet=outlets), models, records)
    target = loaded(MemorySystem(), models, records)
    assert apply(source, target).created == 3
    [key] = target.system.tables["port"]
    assert [record["port_id"] for record in target.system.tables["outlet"].values()] == [key, None]


def test_a_reference_that_shares_a_field_with_another_one_leads_nowhere_without_its_own() -> None:
    """A prefix has a site, and maybe a VLAN of that site."""
    models = models_of(
        site={"identifiers": {"name": "str"}},
        vlan={"identifiers": {"site": "str", "vid": "int"}, "references": {"site": "site"}},
        prefix={
            "identifiers": {"prefix": "str"},
            "attributes": {"site": "str?", "vid": "int?"},
            "references": {"site": "site", "vlan": {"model": "vlan", "fields": {"vid": "vid"}}},
        },
    )
    records = {
        "site": {},
        "vlan": {"fields": {"site": "site.name"}, "references": {"site": "site_id"}},
        "prefix": {
            "fields": {"site": "site.name", "vid": "vlan.vid"},
            "references": {"site": "site_id", "vlan": "vlan_id"},
        },
    }
    prefixes: list[Data] = [{"prefix": "a", "site": {"name": "s"}, "vlan": None}, {"prefix": "b", "site": None}]
    source = loaded(MemorySystem(site=[{"name": "s"}], prefix=prefixes), models, records)
    target = loaded(MemorySystem(), models, records)
    result = apply(source, target)
    assert (result.created, result.rejects) == (3, [])
    [key] = target.system.tables["site"]
    made = [(record["site_id"], record["vlan_id"]) for record in target.system.tables["prefix"].values()]
    assert made == [(key, None), (None, None)]


def test_a_wrong_number_of_answers_counts_as_lost() -> None:
    class Short(MemoryAdapter):
        def send_creates(self, mapper: Any, payloads: Any) -> Any:
            return super().send_creates(mapper, payloads)[:-1]

    adapter = loaded(MemorySystem(), kind=Short)
    with pytest.raises(OutcomeUnknown, match="1 answers for 2 records"):
        adapter.create_records(adapter.site, [({"name": "a"}, {}), ({"name": "b"}, {})])


def test_a_batch_is_sent_in_as_many_calls_as_the_system_takes() -> None:
    class Small(MemoryAdapter):
        records_per_call = 2

        def send_creates(self, mapper: Any, payloads: Any) -> Any:
            if any(payload["name"] == "refused" for payload in payloads):
                raise RuntimeError("one of them is wrong")
            return super().send_creates(mapper, payloads)

    adapter = loaded(MemorySystem(), kind=Small)
    answers = adapter.create_records(adapter.site, [({"name": name}, {}) for name in ("a", "b", "c", "refused", "d")])
    assert [getattr(answer, "name", str(answer)) for answer in answers] == ["a", "b", "c", "one of them is wrong", "d"]
    assert [number for _, _, number in adapter.system.calls] == [2, 1, 1]
    assert [record["name"] for record in adapter.system.tables["site"].values()] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_call_that_fails_after_others_of_its_batch_repeats_nothing(lost: int) -> None:
    class Small(MemoryAdapter):
        records_per_call = 1
        calls = 0

        def send_creates(self, mapper: Any, payloads: Any) -> Any:
            self.calls += 1
            if self.calls == lost:
                raise ConnectionRefusedError("nothing listens")
            return super().send_creates(mapper, payloads)

    target = loaded(MemorySystem(), kind=Small)
    source = loaded(MemorySystem(site=[{"name": name} for name in "abc"]))
    result = apply(source, target, batch_size=10, retries=1, backoff=0.0)
    assert (result.created, result.failed) == (3, 0)
    assert [record["name"] for record in target.system.tables["site"].values()] == ["a", "b", "c"]


def test_a_batch_whose_references_cannot_be_looked_up_is_known_not_to_be_sent() -> None:
    class Down(MemoryAdapter):
        def find(self, mapper: Any, identifiers: Any) -> Any:
            raise TimeoutError("no answer")

    target = loaded(MemorySystem(), kind=Down)
    target.system.insert("site", {"name": "later"})
    with pytest.raises(TimeoutError) as caught:
        target.create_records(target.rack, [({"site": "later", "name": "1"}, {})])
    assert was_not_done(caught.value)


def test_a_lookup_has_the_types_of_the_model_and_leaves_out_what_is_not_written() -> None:
    records = {"site": {"fields": {"size": {"path": "length", "read_only": True}}}, "rack": RECORDS["rack"]}
    adapter = loaded(MemorySystem(site=[{"name": "a", "length": "7"}]), records=records)
    assert adapter.look_up_records(adapter.site, [{"name": "a"}, {"name": "b"}]) == [{"system_id": 1}, None]
    other = loaded(MemorySystem(site=[{"name": "a", "size": "7"}]))
    assert other.look_up_records(other.site, [{"name": "a"}]) == [{"size": 7, "system_id": 1}]


# References


def test_references_are_resolved_together_and_unknown_ones_are_asked_once() -> None:
    system = MemorySystem(site=[{"name": "a"}])
    adapter = loaded(system)
    system.insert("site", {"name": "later"})
    racks: list[tuple[Data, Data]] = [
        ({"site": site, "name": str(number)}, {}) for site in ("a", "later", "none") for number in range(3)
    ]
    answers = adapter.create_records(adapter.rack, racks)
    assert [getattr(answer, "system_id", None) is not None for answer in answers] == [True] * 6 + [False] * 3
    assert "The system has no site 'none'. Create it first" in str(answers[-1])
    assert {record["site_id"] for record in system.tables["rack"].values()} == {1, 2}
    assert [call for call in system.calls if call[0] == "find"] == [("find", "site", 2)]


def test_an_id_that_is_gone_is_asked_anew() -> None:
    system = MemorySystem(site=[{"name": "a"}])
    adapter = loaded(system)
    del system.tables["site"][1]
    new = system.insert("site", {"name": "a"})
    [made] = adapter.create_records(adapter.rack, [({"site": "a", "name": "1"}, {})])
    assert system.tables["rack"][made.system_id]["site_id"] == new
    site = adapter.get("site", "a")
    assert adapter.update_records(adapter.site, [(site, {"size": 3})]) == [site]
    assert (system.tables["site"][new]["size"], site.system_id) == (3, new)


def test_threads_write_at_once() -> None:
    system = MemorySystem(site=[{"name": str(number)} for number in range(20)])
    adapter = loaded(system)

    def write(number: int) -> list[Any]:
        created: list[Any] = adapter.create_records(
            adapter.rack, [({"site": str(number % 25), "name": str(number)}, {})]
        )
        return created

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for found in pool.map(write, range(500)) for answer in found]
    assert sum(isinstance(answer, ObjectNotCreated) for answer in answers) == 100
    assert len(system.tables["rack"]) == 400


# Fields that are left alone

LEFT = models_of(
    site={
        "identifiers": {"name": "str"},
        "attributes": {
            "count": "int?",
            "note": "str?",
            "tags": "list[str]?",
            "owner": {"type": "str?", "compare": "never"},
            "size": "int?",
        },
    }
)
LEFT_RECORDS: Data = {
    "site": {"fields": {"count": {"read_only": True}, "note": {"fill_empty": True}, "tags": {"fill_empty": True}}}
}


def test_a_target_keeps_what_is_read_only_filled_or_never_compared() -> None:
    new = {"count": 5, "note": "new", "tags": ["x"], "owner": "source", "size": 1}
    target_system = MemorySystem(
        site=[
            {"name": "empty", "count": 1, "note": "", "tags": [], "owner": "kept", "size": 1},
            {"name": "filled", "count": 1, "note": "old", "tags": ["y"], "owner": "kept", "size": 1},
            {"name": "mixed", "count": 1, "note": "old", "tags": None, "owner": "kept", "size": 0},
            {"name": "both empty", "note": "", "tags": []},
        ]
    )
    rows = [{"name": name, **new} for name in ("empty", "filled", "mixed", "created")]
    source = loaded(MemorySystem(site=[*rows, {"name": "both empty"}]), LEFT, {"site": {}})
    target = loaded(target_system, LEFT, LEFT_RECORDS)
    changes = {element.name: element.get_attrs_diffs().get("+") for element in target.diff_from(source).get_children()}
    assert changes == {
        "empty": {"note": "new", "tags": ["x"]},
        "mixed": {"tags": ["x"], "size": 1},
        "created": new,
    }
    result = apply(source, target)
    assert (result.created, result.updated, result.failed) == (1, 2, 0)
    found = {record["name"]: record for record in target_system.tables["site"].values()}
    assert found["mixed"] == {
        "id": 3,
        "name": "mixed",
        "count": 1,
        "note": "old",
        "tags": ["x"],
        "owner": "kept",
        "size": 1,
    }
    assert {key: value for key, value in found["created"].items() if key != "id"} == {
        "name": "created", "note": "new", "tags": ["x"], "owner": "source", "size": 1,
    }  # fmt: skip
    assert not target.diff_from(source).has_diffs()
    assert not loaded(target_system, LEFT, LEFT_RECORDS).diff_from(source).has_diffs()


def test_the_source_is_compared_whatever_it_does_not_write_itself() -> None:
    source = loaded(MemorySystem(site=[{"name": "a", "count": 5, "note": "x"}]), LEFT, LEFT_RECORDS)
    target = loaded(MemorySystem(site=[{"name": "a", "count": 1, "note": "y"}]), LEFT, {"site": {}})
    [element] = target.diff_from(source).get_children()
    assert element.get_attrs_diffs()["+"] == {"count": 5, "note": "x"}


# Own code

THINGS = models_of(
    site={"identifiers": {"name": "str"}, "attributes": {"size": "int?"}},
    tag={"identifiers": {"name": "str"}, "attributes": {"color": "str?"}},
)


class Site(MappedModel):
    _modelname = "site"
    asked: ClassVar[list[Any]] = []

    @field_validator("size", mode="before", check_fields=False)
    @classmethod
    def _without_unit(cls, value: Any) -> Any:
        return value.removesuffix(" m²") if isinstance(value, str) else value

    @classmethod
    def create_many(cls, adapter: Any, records: Any) -> list[Any]:
        cls.asked.append([ids["name"] for ids, _ in records])
        return super().create_many(adapter, records)


class WithOwnSite(MemoryAdapter):
    site = Site


def test_a_subclass_extends_one_model() -> None:
    Site.asked.clear()
    source = loaded(
        MemorySystem(site=[{"name": "a", "size": "7 m²"}], tag=[{"name": "t"}]),
        THINGS,
        {"site": {}, "tag": {}},
        WithOwnSite,
    )
    target = loaded(MemorySystem(), THINGS, {"site": {}, "tag": {}}, WithOwnSite)
    result = apply(source, target)
    assert (result.created, result.failed) == (2, 0)
    assert Site.asked == [["a"]]
    assert target.system.tables["site"][1]["size"] == 7
    assert isinstance(target.get("site", "a"), Site)
    assert WithOwnSite.site is Site
    assert not loaded(target.system, THINGS, {"site": {}, "tag": {}}).diff_from(source).has_diffs()


def test_a_subclass_may_have_a_whole_model_and_write_single_records() -> None:
    class Tag(MappedModel):
        _modelname = "tag"
        _identifiers = ("name",)
        _attributes = ("color",)
        name: str
        color: str | None = None

        @classmethod
        def create(cls, adapter: Any, ids: Data, attrs: Data) -> Any:
            if attrs["color"] is None:
                raise ObjectNotCreated("a tag needs a color")
            [made] = adapter.create_records(cls, [(ids, attrs)])
            return made

        def update(self, attrs: Data) -> Any:
            return super().update(attrs)

        def delete(self) -> Any:
            return None

    class WithOwnTag(MemoryAdapter):
        tag = Tag

    source = loaded(MemorySystem(tag=[{"name": "a"}, {"name": "b", "color": "red"}]), THINGS, {"tag": {}})
    target = loaded(MemorySystem(tag=[{"name": "old", "color": "x"}]), THINGS, {"tag": {}}, WithOwnTag)
    result = apply(source, target, batch_size=1)
    assert (result.created, result.failed, result.skipped) == (1, 1, 1)
    assert [record["name"] for record in target.system.tables["tag"].values()] == ["old", "b"]


def test_an_own_model_has_to_fit() -> None:
    class Other(MappedModel):
        _modelname = "tag"
        _identifiers = ("name",)
        name: str

    class Wrong(MemoryAdapter):
        tag = Other

    with pytest.raises(ValueError, match="has no field 'color', which is declared"):
        Wrong({"system": MemorySystem()}, THINGS, {})


def test_the_conditions_of_a_stored_target_hold_without_its_code(redis_url: str, store_id: str) -> None:
    redis_store = RedisStore(store_id=store_id, url=redis_url)
    adapter = MemoryAdapter(
        {"system": MemorySystem(site=[{"name": "a", "count": 1, "note": "old"}])},
        LEFT,
        LEFT_RECORDS,
        internal_storage_engine=redis_store,
    )
    with adapter.store.loading():
        adapter.load()
    source = loaded(MemorySystem(site=[{"name": "a", "count": 2, "note": "new"}]), LEFT, {"site": {}})
    assert not StoredAdapter(redis_store).diff_from(source).has_diffs()
    assert not adapter.diff_from(source).has_diffs()


def test_a_second_record_of_one_object_suppresses_only_what_is_below_it() -> None:
    racks = [{"name": "1", "site": {"name": name}} for name in ("a", "b", "c")]
    source = loaded(MemorySystem(site=[{"name": "a", "size": 1}, {"name": "b"}, {"name": "a", "size": 2}]))
    target = loaded(MemorySystem(site=[{"name": "a", "size": 1}, {"name": "b"}, {"name": "c"}], rack=racks))
    guards = Guards(completeness=Completeness(allow_empty=frozenset({"rack"})))
    target.sync_from(source, guards=guards)
    assert (names(target, "site"), names(target, "rack")) == (["a", "b"], ["a__1"])


def test_guards_know_what_is_missing_below() -> None:
    source = loaded(MemorySystem(site=[{"name": "a", "size": "big"}, {"name": "b"}]))
    target = loaded(
        MemorySystem(site=[{"name": "a", "size": 1}, {"name": "b"}], rack=[{"name": "1", "site": {"name": "a"}}])
    )
    diff = target.sync_from(source, guards=Guards())
    assert diff.summary()["delete"] == 0
    assert isinstance(target, MappedAdapter)
