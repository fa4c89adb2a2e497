from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.behaviour.api import (
    Adapter,
    BaseStore,
    DiffSync,
    DiffSyncModel,
    DiffSyncModelFlags,
    LocalStore,
    ObjectAlreadyExists,
    ObjectNotFound,
)
from tests.behaviour.inventory import Adapters, Device, Interface, Inventory, Site

SITES: Any = {"z": ("r1", {"d2": "leaf", "d1": "spine"}), "a": (None, {})}


# The class


def test_a_top_level_name_without_a_member_is_refused() -> None:
    with pytest.raises(AttributeError, match="nowhere"):

        class Wrong(Adapter):
            site = Site
            top_level = ["site", "nowhere"]


def test_a_top_level_name_of_a_member_that_is_not_a_model_is_refused() -> None:
    with pytest.raises(AttributeError, match="place"):

        class Wrong(Adapter):
            place = "here"
            top_level = ["place"]


def test_a_member_with_another_name_than_its_model_is_refused() -> None:
    with pytest.raises(AttributeError, match="elsewhere"):

        class Wrong(Adapter):
            elsewhere = Site


def test_a_child_model_need_not_be_declared() -> None:
    class Sparse(Adapter):
        site = Site
        top_level = ["site"]

    assert Sparse().count() == 0


def test_a_subclass_has_the_models_of_its_parent_and_may_replace_them() -> None:
    class Router(Device):
        pass

    class Other(Inventory):
        device = Router

    assert (Other.site, Other.device, Other.top_level) == (Site, Router, ["site"])


def test_the_type_is_the_name_of_the_class() -> None:
    assert Inventory().type == "Inventory"


def test_the_type_may_be_set() -> None:
    class Custom(Adapter):
        type = "custom"

    class Later(Custom):
        pass

    assert (Custom.type, Custom().type, Custom().name) == ("custom", "custom", "custom")
    assert Later().type == "custom"


def test_the_name_defaults_to_the_type() -> None:
    assert Inventory().name == "Inventory"
    assert Inventory("lab").name == "lab"
    assert Adapter("lab").name == "lab"
    assert Adapter().name == "Adapter"


def test_str_and_repr_show_type_and_name() -> None:
    assert (str(Inventory()), repr(Inventory())) == ("Inventory", "<Inventory>")
    assert (str(Inventory("lab")), repr(Inventory("lab"))) == ('Inventory "lab"', '<Inventory "lab">')


def test_tree_traversal_as_text_draws_the_models() -> None:
    class Other(Inventory):
        top_level = ["interface", "site"]

    assert Inventory.get_tree_traversal() == "Inventory\n└── site\n    └── device\n        └── interface"
    assert Other.get_tree_traversal() == "Other\n├── interface\n└── site\n    └── device\n        └── interface"


def test_tree_traversal_as_text_continues_after_models_without_children() -> None:
    class Hall(DiffSyncModel):
        _modelname = "hall"
        _identifiers = ("name",)
        _children = {"site": "sites", "interface": "interfaces"}
        name: str
        sites: list[str] = []
        interfaces: list[str] = []

    class Halls(Inventory):
        hall = Hall
        top_level = ["hall", "site"]

    assert Halls.get_tree_traversal() == (
        "Halls\n└── hall\n    ├── site\n    │   └── device\n    │       └── interface\n    └── interface"
    )


def test_tree_traversal_as_dict_nests_the_models() -> None:
    assert Inventory.get_tree_traversal(as_dict=True) == {"site": {"device": {"interface": {}}}}
    assert Adapter.get_tree_traversal(as_dict=True) == {}


def test_tree_traversal_of_an_adapter_without_models_is_its_name() -> None:
    assert Adapter.get_tree_traversal() == "Adapter"


# The former name


def test_creating_an_adapter_by_its_former_name_warns() -> None:
    with pytest.warns(DeprecationWarning, match="Adapter"):
        adapter = DiffSync()
    assert isinstance(adapter, Adapter)


def test_declaring_an_adapter_by_its_former_name_warns() -> None:
    with pytest.warns(DeprecationWarning, match="Adapter"):

        class Old(DiffSync):
            site = Site
            top_level = ["site"]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = Old("name")
    assert (old.name, old.type, old.site) == ("name", "Old", Site)


# Stores


def test_a_store_may_be_given_as_class() -> None:
    adapter = Inventory(internal_storage_engine=LocalStore)
    assert isinstance(adapter.store, LocalStore)
    assert adapter.store.adapter is adapter
    assert Inventory(internal_storage_engine=LocalStore).store is not adapter.store


def test_a_store_may_be_given_as_instance(new_store: Callable[[], BaseStore]) -> None:
    store = new_store()
    adapter = Inventory(internal_storage_engine=store)
    assert adapter.store is store
    assert store.adapter is adapter


def test_the_default_store_is_in_memory() -> None:
    assert isinstance(Inventory().store, LocalStore)
    assert isinstance(Adapter().store, LocalStore)


def test_an_adapter_may_have_its_own_arguments(new_store: Callable[[], BaseStore]) -> None:
    class Client:
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("copied")

    class Remote(Adapter):
        def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.client = client

    client = Client()
    assert Remote("r", client=client, internal_storage_engine=new_store()).client is client


def test_load_does_nothing_by_default(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    adapter.load()
    assert adapter.count() == 0


# The whole content


def test_an_empty_adapter_is_false(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    assert len(adapter) == 0
    assert bool(adapter) is False
    adapter.add(Site(name="a"))
    assert bool(adapter) is True


def test_the_length_counts_all_objects(adapters: Adapters) -> None:
    assert len(adapters.filled(Inventory, SITES)) == 4


def test_dict_holds_every_object_by_model_and_unique_id(adapters: Adapters) -> None:
    assert adapters.filled(Inventory, SITES).dict() == {
        "site": {"z": {"name": "z", "region": "r1", "devices": ["z__d2", "z__d1"]}, "a": {"name": "a"}},
        "device": {
            "z__d2": {"site": "z", "name": "d2"},
            "z__d1": {"site": "z", "name": "d1", "role": "spine"},
        },
    }


def test_dict_keeps_the_order_of_insertion(adapters: Adapters) -> None:
    content = adapters.filled(Inventory, SITES).dict()
    assert list(content["site"]) == ["z", "a"]
    assert list(content["device"]) == ["z__d2", "z__d1"]


def test_dict_can_include_default_values(adapters: Adapters) -> None:
    content = adapters.filled(Inventory, {"a": (None, {})}).dict(exclude_defaults=False)
    assert content == {
        "site": {
            "a": {
                "model_flags": DiffSyncModelFlags.NONE,
                "name": "a",
                "region": None,
                "tags": [],
                "devices": [],
                "note": 4,
            }
        }
    }


def test_dict_of_an_empty_adapter_is_empty(adapters: Adapters) -> None:
    assert adapters.make(Inventory).dict() == {}


def test_load_from_dict_restores_everything(adapters: Adapters) -> None:
    first, second = adapters.filled(Inventory, SITES), adapters.make(Inventory)
    first.get(Site, "a").model_flags = DiffSyncModelFlags.IGNORE
    second.load_from_dict(first.dict())
    assert second.dict() == first.dict()
    assert second.str() == first.str()
    assert second.get(Site, "a").model_flags == DiffSyncModelFlags.IGNORE
    assert not second.diff_from(first).has_diffs()


def test_load_from_dict_ignores_models_outside_the_tree(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    adapter.load_from_dict({"zed": {"1": {"name": "1"}}, "site": {"a": {"name": "a"}}})
    assert adapter.dict() == {"site": {"a": {"name": "a"}}}


def test_load_from_dict_refuses_existing_objects(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    with pytest.raises(ObjectAlreadyExists):
        adapter.load_from_dict(adapter.dict())


def test_str_shows_the_tree_in_order_of_insertion(adapters: Adapters) -> None:
    assert adapters.filled(Inventory, SITES).str() == (
        "site\n"
        "  site: z: {'region': 'r1', 'tags': []}\n"
        "    devices\n"
        "      device: z__d2: {'role': 'leaf', 'slots': None}\n"
        "        interfaces: []\n"
        "      device: z__d1: {'role': 'spine', 'slots': None}\n"
        "        interfaces: []\n"
        "  site: a: {'region': None, 'tags': []}\n"
        "    devices: []"
    )


def test_str_indents_every_line(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    assert adapter.str(indent=2) == "\n".join("  " + line for line in adapter.str().splitlines())


def test_str_names_top_level_models_without_objects(adapters: Adapters) -> None:
    assert adapters.make(Inventory).str() == "site: []"
    assert Adapter().str() == ""


# Reading


@pytest.mark.parametrize("model", ["device", Device, Device(site="any", name="any")], ids=["name", "class", "instance"])
@pytest.mark.parametrize("identifier", ["z__d1", {"name": "d1", "site": "z"}], ids=["unique id", "identifiers"])
def test_get_takes_name_class_or_instance_and_unique_id_or_identifiers(
    adapters: Adapters, model: Any, identifier: Any
) -> None:
    assert adapters.filled(Inventory, SITES).get(model, identifier).role == "spine"


def test_get_of_a_missing_object_raises(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    with pytest.raises(ObjectNotFound, match="nowhere"):
        adapter.get(Site, "nowhere")
    with pytest.raises(ObjectNotFound, match="zed"):
        adapter.get("zed", "q")


def test_get_by_identifiers_of_an_unknown_model_raises(adapters: Adapters) -> None:
    with pytest.raises(ValueError, match="zed"):
        adapters.make(Inventory).get("zed", {"name": "q"})


def test_get_returns_the_same_object_each_time(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site = adapter.get(Site, "z")
    assert adapter.get("site", "z") is site
    assert adapter.get_all("site")[0] is site
    assert adapter.get_by_uids(["z"], Site)[0] is site


def test_get_returns_the_object_that_was_added(adapters: Adapters) -> None:
    adapter, site = adapters.make(Inventory), Site(name="a")
    adapter.add(site)
    assert adapter.get(Site, "a") is site


def test_get_or_none_returns_none_for_a_missing_object(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    assert adapter.get_or_none(Site, "nowhere") is None
    assert adapter.get_or_none("zed", "q") is None
    found = adapter.get_or_none("site", {"name": "z"})
    assert found.region == "r1"


def test_get_all_keeps_the_order_of_insertion(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    names = [str((number * 37) % 101) for number in range(100)]
    for name in names:
        adapter.add(Site(name=name))
    assert [site.name for site in adapter.get_all(Site)] == names
    assert [site.name for site in adapter.get_all("site")] == names


def test_get_all_of_a_model_without_objects_is_empty(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    assert adapter.get_all(Site) == []
    assert adapter.get_all("zed") == []


def test_get_by_uids_keeps_the_order_of_the_ids(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    assert [site.name for site in adapter.get_by_uids(["a", "z"], Site)] == ["a", "z"]
    assert [device.name for device in adapter.get_by_uids(["z__d1", "z__d2"], "device")] == ["d1", "d2"]
    assert adapter.get_by_uids([], Site) == []


def test_get_by_uids_raises_for_a_missing_object(adapters: Adapters) -> None:
    with pytest.raises(ObjectNotFound, match="nowhere"):
        adapters.filled(Inventory, SITES).get_by_uids(["z", "nowhere"], Site)


def test_get_by_uids_repeats_a_repeated_id(adapters: Adapters) -> None:
    assert [site.name for site in adapters.filled(Inventory, SITES).get_by_uids(["z", "z"], Site)] == ["z", "z"]


def test_count_accepts_no_argument_a_name_a_class_or_an_instance(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    assert adapter.count() == 4
    assert adapter.count("site") == adapter.count(Site) == adapter.count(Site(name="any")) == 2
    assert adapter.count(Interface) == adapter.count("zed") == 0


def test_model_names_are_those_of_the_objects(adapters: Adapters) -> None:
    assert adapters.filled(Inventory, SITES).get_all_model_names() == {"site", "device"}
    assert adapters.make(Inventory).get_all_model_names() == set()


# Writing


def test_add_sets_the_adapter_of_the_object(adapters: Adapters) -> None:
    adapter, site = adapters.make(Inventory), Site(name="a")
    adapter.add(site)
    assert site.adapter is adapter


def test_adding_the_same_object_again_changes_nothing(adapters: Adapters) -> None:
    adapter, site = adapters.make(Inventory), Site(name="a")
    adapter.add(site)
    adapter.add(site)
    assert adapter.count() == 1


@pytest.mark.parametrize("second", [Site(name="a"), Site(name="a", region="q")], ids=["equal", "different"])
def test_a_second_object_with_the_same_identifiers_is_refused(adapters: Adapters, second: Site) -> None:
    adapter, first = adapters.make(Inventory), Site(name="a")
    adapter.add(first)
    with pytest.raises(ObjectAlreadyExists) as caught:
        adapter.add(second)
    assert str(caught.value.existing_object) == "a"
    assert adapter.get_all(Site) == [first]


def test_objects_of_two_models_may_share_a_unique_id(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    adapter.add(Device(site="a", name="b"))
    adapter.add(Interface(device="a", name="b"))
    assert adapter.get(Device, "a__b").role == "leaf"
    assert adapter.get(Interface, "a__b").speed == 1


def test_adding_a_parent_adds_no_children(adapters: Adapters) -> None:
    adapter, site = adapters.make(Inventory), Site(name="a")
    site.add_child(Device(site="a", name="d"))
    adapter.add(site)
    assert adapter.count() == 1


def test_update_replaces_an_existing_object(adapters: Adapters) -> None:
    adapter, new = adapters.filled(Inventory, SITES), Site(name="z", region="new")
    adapter.update(new)
    assert adapter.get(Site, "z") is new
    assert [site.name for site in adapter.get_all(Site)] == ["z", "a"]


def test_update_replaces_an_object_without_references(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    adapter.add(Site(name="a", region="old"))
    adapter.update(Site(name="a", region="new"))
    assert adapter.get(Site, "a").region == "new"


def test_a_removed_object_belongs_to_no_adapter(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site = adapter.get(Site, "z")
    adapter.remove(site)
    assert site.adapter is None


def test_update_adds_a_missing_object(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    adapter.update(Site(name="m"))
    assert [site.name for site in adapter.get_all(Site)] == ["z", "a", "m"]


def test_update_with_the_same_object_keeps_it(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site = adapter.get(Site, "z")
    site.region = "new"
    adapter.update(site)
    assert adapter.get(Site, "z") is site


def test_remove_keeps_children(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    adapter.remove(adapter.get(Site, "z"))
    assert adapter.dict().keys() & {"device"}
    assert [site.name for site in adapter.get_all(Site)] == ["a"]
    assert adapter.count(Device) == 2


def test_remove_can_remove_children_too(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    interface = Interface(device="d1", name="e0")
    adapter.add(interface)
    adapter.get(Device, "z__d1").add_child(interface)
    adapter.remove(adapter.get(Site, "z"), remove_children=True)
    assert adapter.count() == adapter.count(Site) == 1


def test_remove_ignores_missing_children(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site = adapter.get(Site, "z")
    site.devices.insert(0, "z__ghost")
    adapter.remove(site, remove_children=True)
    assert adapter.count() == 1


def test_remove_of_a_missing_object_raises(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    with pytest.raises(ObjectNotFound, match="nowhere"):
        adapter.remove(Site(name="nowhere"))
    site = adapter.get(Site, "a")
    adapter.remove(site)
    with pytest.raises(ObjectNotFound):
        adapter.remove(site)


def test_remove_item_removes_by_name_and_unique_id(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    adapter.store.remove_item("site", "a")
    assert adapter.get_or_none(Site, "a") is None
    with pytest.raises(ObjectNotFound):
        adapter.store.remove_item("site", "a")


def test_a_removed_object_may_be_added_again_and_comes_last(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, {"a": (None, {}), "b": (None, {})})
    site = adapter.get(Site, "a")
    adapter.remove(site)
    adapter.add(site)
    assert [site.name for site in adapter.get_all(Site)] == ["b", "a"]
    adapter.get(Site, "a").region = "later"
    assert adapter.get(Site, "a").region == "later"


def test_get_or_instantiate_does_not_change_an_existing_object(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site, created = adapter.get_or_instantiate(Site, {"name": "z"}, {"region": "other"})
    assert (site is adapter.get(Site, "z"), created, site.region) == (True, False, "r1")


def test_get_or_instantiate_creates_and_adds_a_missing_object(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    site, created = adapter.get_or_instantiate(Site, {"name": "new"}, {"region": "r"})
    assert (created, site.region, adapter.get(Site, "new") is site) == (True, "r", True)
    assert site.adapter is adapter
    assert adapter.get_or_instantiate(Site, {"name": "bare"})[0].region is None


def test_get_or_add_model_instance_does_not_change_an_existing_object(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site, created = adapter.get_or_add_model_instance(Site(name="z", region="other"))
    assert (site is adapter.get(Site, "z"), created, site.region) == (True, False, "r1")


def test_get_or_add_model_instance_adds_a_missing_object(adapters: Adapters) -> None:
    adapter, new = adapters.make(Inventory), Site(name="new")
    site, created = adapter.get_or_add_model_instance(new)
    assert (site is new, created, adapter.count()) == (True, True, 1)


def test_update_or_instantiate_changes_attributes(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site, created = adapter.update_or_instantiate(Site, {"name": "z"}, {"region": "new"})
    assert (site is adapter.get(Site, "z"), created, site.region) == (True, False, "new")
    assert site.devices == ["z__d2", "z__d1"]


def test_update_or_instantiate_refuses_an_unknown_attribute(adapters: Adapters) -> None:
    with pytest.raises((AttributeError, ValueError), match="bogus"):
        adapters.filled(Inventory, SITES).update_or_instantiate(Site, {"name": "z"}, {"bogus": 1})


def test_update_or_instantiate_creates_and_adds_a_missing_object(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    site, created = adapter.update_or_instantiate(Site, {"name": "new"}, {"region": "r"})
    assert (created, site.region, adapter.get(Site, "new") is site) == (True, "r", True)


def test_update_or_add_model_instance_changes_attributes_and_nothing_else(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    site, created = adapter.update_or_add_model_instance(Site(name="z", region="new", devices=["z__other"], note=9))
    assert (site is adapter.get(Site, "z"), created, site.region) == (True, False, "new")
    assert (site.devices, site.note) == (["z__d2", "z__d1"], 4)


def test_update_or_add_model_instance_adds_a_missing_object(adapters: Adapters) -> None:
    adapter, new = adapters.make(Inventory), Site(name="new", devices=["new__d"])
    site, created = adapter.update_or_add_model_instance(new)
    assert (site is new, created, adapter.get(Site, "new").devices) == (True, True, ["new__d"])


def test_the_adapter_calls_the_store_with_keywords(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    store = adapter.store
    assert store.get(model="site", identifier="z") is adapter.get(Site, "z")
    assert store.get_all(model=Site) == adapter.get_all(Site)
    assert store.get_by_uids(uids=["a"], model="site") == adapter.get_by_uids(["a"], "site")
    assert store.count(model="site") == 2
    assert store.count() == 4
    assert store.get_all_model_names() == {"site", "device"}
    site = Site(name="m")
    store.add(obj=site)
    store.update(obj=site)
    store.remove(obj=site)
    assert store.get_or_instantiate(model=Site, ids={"name": "z"})[1] is False
    assert store.update_or_instantiate(model=Site, ids={"name": "z"}, attrs={"region": "q"})[0].region == "q"
    assert store.get_or_add_model_instance(obj=Site(name="n"))[1] is True
    assert store.update_or_add_model_instance(obj=Site(name="n", region="o"))[0].region == "o"


# Live objects


def test_an_assignment_to_an_object_is_in_the_store(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    adapter.get(Site, "z").region = "new"
    assert adapter.get(Site, "z").region == "new"


def test_a_change_in_place_is_in_the_store(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    adapter.get(Site, "z").tags.append("x")
    assert adapter.get(Site, "z").tags == ["x"]


def test_a_child_that_is_added_after_its_parent_is_in_the_store(adapters: Adapters) -> None:
    source, target = adapters.filled(Inventory, {"a": (None, {})}), adapters.make(Inventory)
    device = Device(site="a", name="late")
    source.add(device)
    source.get(Site, "a").add_child(device)
    assert target.diff_from(source).summary()["create"] == 2
