from typing import Any

import pytest
from pydantic import ValidationError

from diffsync_store import Adapter, LocalStore
from diffsync_store.mapping import ModelDefinition, build_models, top_level
from diffsync_store.mapping.models import DeclaredModel, children_field
from diffsync_store.mapping.types import TYPE_NAMES, payload_form


def models_of(**definitions: dict[str, Any]) -> dict[str, type[DeclaredModel]]:
    return build_models(
        {name: ModelDefinition.model_validate(found) for name, found in definitions.items()}, DeclaredModel
    )


def one(attributes: dict[str, Any]) -> Any:
    return models_of(thing={"identifiers": {"name": "str"}, "attributes": attributes})["thing"]


EXAMPLES: dict[str, tuple[Any, Any]] = {
    "str": (1, "1"),
    "int": ("7", 7),
    "float": ("1.5", 1.5),
    "number": (1, 1.0),
    "decimal": ("1.10", "1.10"),
    "bool": ("true", True),
    "date": ("2026-01-02", "2026-01-02"),
    "time": ("03:04:05", "03:04:05"),
    "datetime": ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
    "duration": ("PT90S", 90.0),
    "uuid": ("12345678123456781234567812345678", "12345678-1234-5678-1234-567812345678"),
    "ip": ("2001:DB8:0::1", "2001:db8::1"),
    "interface": ("10.0.0.1 255.255.255.0", "10.0.0.1/24"),
    "network": ("10.0.0.7/24", "10.0.0.0/24"),
    "mac": ("001b.4411.3AB7", "00:1b:44:11:3a:b7"),
    "json": ({"a": [1, None]}, {"a": [1, None]}),
}


def test_every_type_has_an_example() -> None:
    assert set(EXAMPLES) == set(TYPE_NAMES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_type_has_one_form_of_a_value_and_takes_that_form_again(name: str) -> None:
    given, form = EXAMPLES[name]
    model = one({"field": name, "some": f"list[{name}]", "none": f"{name}?"})
    thing = model(name="x", field=given, some=[given, given])
    assert payload_form(thing.field) == form
    assert payload_form(thing.some) == [form, form]
    assert thing.none is None
    again = model(name="x", field=payload_form(thing.field), some=payload_form(thing.some))
    assert again.dict() == thing.dict()


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "json"])
def test_a_type_takes_its_form_as_text_too(name: str) -> None:
    given, form = EXAMPLES[name]
    model = one({"field": name})
    assert model(name="x", field=str(form)).dict() == model(name="x", field=given).dict()


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "3456000.0", "1e3", " 90 "])
def test_a_duration_in_a_text_is_a_number_of_seconds(text: str) -> None:
    model = one({"field": "duration"})
    assert model(name="x", field=text).field.total_seconds() == float(text)


@pytest.mark.parametrize("text", ["90 s", "1e", "", "1e400", "nan"])
def test_a_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        one({"field": "duration"})(name="x", field=text)


def test_a_number_is_written_without_a_fraction_that_it_does_not_have() -> None:
    assert [repr(payload_form(number)) for number in (1.0, 0.5, 2)] == ["1", "0.5", "2"]


@pytest.mark.parametrize(
    ("name", "value"), [("int", "x"), ("mac", "00:11"), ("ip", "10.0.0.1/24"), ("bool", "perhaps"), ("str", None)]
)
def test_a_value_that_does_not_fit_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        one({"field": name})(name="x", field=value)


def test_defaults_choices_and_required_fields() -> None:
    model = one({"state": {"type": "str", "choices": ["on", "off"], "default": "on"}, "size": "int"})
    assert model(name="x", size=1).state == "on"
    for wrong in ({"size": 1, "state": "broken"}, {}):
        with pytest.raises(ValidationError):
            model(name="x", **wrong)


def test_declared_models_compare_as_they_say() -> None:
    models = models_of(
        thing={
            "identifiers": {"name": "str"},
            "attributes": {
                "tags": {"type": "list[str]", "compare": "unordered"},
                "note": {"type": "str?", "compare": ["empty_is_none", "ignore_case"]},
                "length": {"type": "float", "precision": 1},
                "seen": {"type": "str", "compare": "never"},
            },
        }
    )

    def side(**fields: Any) -> Adapter:
        kind = type("Side", (Adapter,), {"thing": models["thing"], "top_level": ["thing"]})
        adapter: Adapter = kind(internal_storage_engine=LocalStore())
        adapter.add(models["thing"](name="x", **fields))
        return adapter

    left = side(tags=["a", "b"], note="", length=1.04, seen="today")
    assert not left.diff_to(side(tags=["b", "a"], note=None, length=1.0, seen="then")).has_diffs()
    assert left.diff_to(side(tags=["b"], note=None, length=1.0, seen="then")).has_diffs()


def test_references_and_children_decide_the_order_of_models() -> None:
    models = models_of(
        interface={
            "identifiers": {"manufacturer": "str", "device_type": "str", "name": "str"},
            "references": {"device_type": {"model": "device_type", "fields": {"model": "device_type"}}},
        },
        device_type={
            "identifiers": {"manufacturer": "str", "model": "str"},
            "references": {"manufacturer": "manufacturer"},
            "children": ["bay"],
        },
        bay={"identifiers": {"device_type": "str", "name": "str"}},
        manufacturer={"identifiers": {"name": "str"}},
    )
    assert list(models) == ["manufacturer", "device_type", "bay", "interface"]
    assert top_level(models.values()) == ["manufacturer", "device_type", "interface"]
    assert models["interface"]._references["device_type"].fields == {
        "manufacturer": "manufacturer",
        "model": "device_type",
    }
    assert models["device_type"]._references["manufacturer"].fields == {"name": "manufacturer"}
    assert models["device_type"]._children == {"bay": children_field("bay")}


def test_a_model_may_refer_to_itself() -> None:
    models = models_of(
        place={"identifiers": {"name": "str"}, "attributes": {"parent": "str?"}, "references": {"parent": "place"}}
    )
    assert models["place"]._references["parent"].fields == {"name": "parent"}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown type": ({"a": {"identifiers": {"x": "strng"}}}, "There is no type 'strng'"),
    "no identifiers": ({"a": {"identifiers": {}}}, "at least 1 item"),
    "twice": ({"a": {"identifiers": {"x": "str"}, "attributes": {"x": "str"}}}, "'x' cannot be both"),
    "taken": ({"a": {"identifiers": {"str": "str"}}}, "A field cannot be called 'str'"),
    "private": ({"a": {"identifiers": {"_x": "str"}}}, "'_x' cannot be the name of a field"),
    "model name": ({"a-b": {"identifiers": {"x": "str"}}}, "Model 'a-b'"),
    "unknown child": (
        {"a": {"identifiers": {"x": "str"}, "children": ["b"]}},
        "has the child 'b', which is not declared",
    ),
    "child of itself": (
        {"a": {"identifiers": {"x": "str"}, "children": ["a"]}},
        "Models are below themselves: a → a",
    ),
    "two parents": (
        {
            "a": {"identifiers": {"x": "str"}, "children": ["c"]},
            "b": {"identifiers": {"x": "str"}, "children": ["c"]},
            "c": {"identifiers": {"x": "str"}},
        },
        "is a child of both 'a' and 'b'",
    ),
    "unknown reference": (
        {"a": {"identifiers": {"x": "str"}, "references": {"b": "b"}}},
        "names the model 'b', which is not declared",
    ),
    "no field": (
        {"a": {"identifiers": {"x": "str"}, "references": {"b": "b"}}, "b": {"identifiers": {"y": "str", "z": "str"}}},
        "No field of 'a' holds the 'y' of 'b'",
    ),
    "circle": (
        {
            "a": {"identifiers": {"x": "str"}, "references": {"x": "b"}},
            "b": {"identifiers": {"x": "str"}, "references": {"x": "a"}},
        },
        "refer to each other in a circle",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_names_the_thing(case: str) -> None:
    definitions, message = WRONG[case]
    with pytest.raises(ValueError, match=r".") as caught:
        models_of(**definitions)
    assert message in str(caught.value)
