"""Identifiers and model names of every kind, through load, diff and sync on every store."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.behaviour.api import Adapter, DiffSyncModel
from tests.behaviour.drawn import drawn
from tests.behaviour.inventory import Adapters, Device, Inventory, Site, Sites

NAMES = [
    "a", "*", ":", "?[a-z]", "{}", "{a}", "a:b", "\n", "x\ny", "\t", "\x00", "\\", '"', "'", " ", "", "__", "a__", "😀",
    "é", "e\u0301", "\u2028", "%s", "$1", "../x", "None", "0", "None\n", "L" * 10_240,
]  # fmt: skip
"""All of these are different names, even for code that treats them as patterns, paths, formats or equal letters."""


values = st.sampled_from(["new", "old"])
some_devices = st.dictionaries(st.sampled_from(NAMES[:9]), values)
"""Draw sites with names without `__`, because with it devices of two sites could have the same unique id."""


def sites(*, min_size: int) -> st.SearchStrategy[Sites]:
    return st.dictionaries(st.sampled_from(NAMES), st.tuples(values, some_devices), min_size=min_size)


def content(adapter: Adapter) -> dict[str, dict[str, list[str]]]:
    """Return all objects as text by model and unique id, independent of the order of children."""
    return {
        model: {
            obj.get_unique_id(): [
                f"{key}={sorted(value) if isinstance(value, list) else value}" for key, value in obj.dict().items()
            ]
            for obj in adapter.get_all(model)
        }
        for model in ("site", "device")
    }


@pytest.mark.slow
@drawn(max_examples=5)
@given(source_sites=sites(min_size=len(NAMES)), target_sites=sites(min_size=5))
def test_a_sync_of_any_names_in_any_order_makes_both_equal(
    adapters: Adapters, source_sites: Sites, target_sites: Sites
) -> None:
    source, target = adapters.pair(source_sites, target_sites)
    target.sync_from(source)
    assert content(target) == content(source)
    assert not target.diff_from(source).has_diffs()


def test_a_diff_has_exactly_the_existing_names(adapters: Adapters) -> None:
    source, target = adapters.pair({name: ("r", {}) for name in NAMES}, {})
    diff = target.diff_from(source)
    assert list(diff.dict()["site"]) == NAMES
    assert [element.keys for element in diff.get_children()] == [{"name": name} for name in NAMES]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:12])
def test_reading_changing_and_removing_any_name_affects_only_that_object(adapters: Adapters, name: str) -> None:
    adapter = adapters.filled(Inventory, {other: (None, {}) for other in NAMES})
    adapter.get(Site, name).region = "changed"
    assert [site.name for site in adapter.get_all(Site) if site.region] == [name]
    adapter.remove(adapter.get(Site, name))
    assert [site.name for site in adapter.get_all(Site)] == [other for other in NAMES if other != name]


def test_two_spellings_of_one_letter_are_two_names(adapters: Adapters) -> None:
    source, target = adapters.pair({"é": ("r", {})}, {"e\u0301": ("r", {})})
    assert target.diff_from(source).summary() == {"create": 1, "update": 0, "delete": 1, "no-change": 0, "skip": 0}


def test_children_of_any_name_are_listed_in_order(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, {"a": (None, dict.fromkeys(NAMES, "x"))})
    assert adapter.get(Site, "a").devices == [f"a__{name}" for name in NAMES]
    assert [device.name for device in adapter.get_by_uids(adapter.get(Site, "a").devices, Device)] == NAMES


def model_of(modelname: str) -> type[DiffSyncModel]:
    members: dict[str, Any] = {
        "__module__": __name__,
        "__annotations__": {"name": str, "value": int},
        "_modelname": modelname,
        "_identifiers": ("name",),
        "_attributes": ("value",),
    }
    metaclass: Any = type(DiffSyncModel)
    model: type[DiffSyncModel] = metaclass("Declared", (DiffSyncModel,), members)
    return model


MODEL_NAMES = ["InfraVlan", "infravlan", "INFRAVLAN", "Infra:Vlan", "a*", "a b", "{vlan}", "vlan\n", "ÄÖ"]


def test_any_two_model_names_are_different_models(adapters: Adapters) -> None:
    models: dict[str, Any] = {name: model_of(name) for name in MODEL_NAMES}
    many: type[Adapter] = type("Many", (Adapter,), {**models, "top_level": MODEL_NAMES[::-1]})
    source, target = adapters.make(many, "S"), adapters.make(many, "T")
    for number, model in enumerate(models.values()):
        source.add(model(name="x", value=number))
        target.add(model(name="x", value=0))
    assert [source.count(name) for name in MODEL_NAMES] == [1] * len(MODEL_NAMES)
    assert source.count("Infravlan") == 0
    diff = target.diff_from(source)
    assert list(diff.dict()) == MODEL_NAMES[:0:-1]
    target.sync_from(source)
    assert [[obj.get_attrs()["value"] for obj in target.get_all(name)] for name in MODEL_NAMES] == [
        [number] for number in range(len(MODEL_NAMES))
    ]
