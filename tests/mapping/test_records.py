from typing import Any

import pytest

from diffsync_store.mapping import Mapper, ModelDefinition, RecordMapping, build_models
from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import InvalidPath, compile_getter
from diffsync_store.mapping.records import CannotWrite
from diffsync_store.mapping.transforms import TRANSFORM_NAMES, InvalidTransform, compile_transform

MODEL = build_models(
    {
        "thing": ModelDefinition.model_validate(
            {"identifiers": {"name": "str"}, "attributes": {"a": "json?", "b": "json?", "state": "str?"}}
        )
    },
    DeclaredModel,
)["thing"]


def mapper(**fields: Any) -> Mapper:
    return Mapper(MODEL, RecordMapping.model_validate({"from": "things", "fields": fields}))


def read(record: dict[str, Any], parent: Any = None, **fields: Any) -> dict[str, Any]:
    return mapper(**fields).fields_of(record, parent)


RECORD: dict[str, Any] = {
    "name": "x",
    "a": 0,
    "b": False,
    "site": {"name": "Oslo", "region": {"slug": "no"}},
    "tags": [{"slug": "t1"}, {"slug": "t2"}],
    "with-dash": 1,
    "null": None,
}


def test_a_field_without_a_line_is_read_under_its_name() -> None:
    assert read(RECORD) == {"name": "x", "a": 0, "b": False}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("site.name", "Oslo"),
        ("site.region.slug", "no"),
        ("with-dash", 1),
        ("tags[].slug", ["t1", "t2"]),
        ("tags[?slug=='t2'] | [0].slug", "t2"),
        ("length(tags)", 2),
        ("none", None),
        ("null", None),
        ("site.none.slug", None),
        ("name.deeper", None),
        ("tags.slug", None),
    ],
)
def test_a_path_leads_to_a_value_or_to_none(path: str, value: Any) -> None:
    assert compile_getter(path)(RECORD, None) == value


def test_a_path_reads_the_parent() -> None:
    parent = MODEL(name="above")
    assert read(RECORD, parent, a="$parent.name")["a"] == "above"
    with pytest.raises(ValueError, match="has no parent"):
        read(RECORD, None, a="$parent.name")


@pytest.mark.parametrize("path", ["$parent._secret", "$parent.a.b", "tags[", "a b", "`"])
def test_a_wrong_path_is_refused_when_it_is_declared(path: str) -> None:
    with pytest.raises(InvalidPath):
        compile_getter(path)
    with pytest.raises(ValueError, match=r"."):
        mapper(a=path)


TRANSFORMED: list[tuple[Any, Any, Any]] = [
    ("strip", "  a ", "a"),
    ("strip", 1, "1"),
    ("lower", "AbÇ", "abç"),
    ("upper", "ab", "AB"),
    ("title", "ab cd", "Ab Cd"),
    ("slug", "Ab  Cd/é!", "ab-cd-e"),
    ("sort", ["b", "a"], ["a", "b"]),
    ("unique", ["b", "a", "b"], ["b", "a"]),
    ("first", ["b", "a"], "b"),
    ("first", [], None),
    ("length", [1, 2], 2),
    ({"split": ","}, "a, b,,c", ["a", "b", "c"]),
    ({"join": "-"}, ["a", None, 1], "a-1"),
    ({"prefix": "eth"}, "0", "eth0"),
    ({"suffix": ".local"}, "a", "a.local"),
    ({"round": 1}, 1.26, 1.3),
    ({"regex": {"pattern": r"(\d+)"}}, "Gi1/0", "1"),
    ({"regex": {"pattern": r"Gi"}}, "Te1", None),
    ({"regex": {"pattern": r"^Gi(\d)", "replace": r"GigabitEthernet\1"}}, "Gi1/0", "GigabitEthernet1/0"),
]


def test_every_transform_has_an_example() -> None:
    assert {next(iter(one)) if isinstance(one, dict) else one for one, _, _ in TRANSFORMED} == set(TRANSFORM_NAMES)


@pytest.mark.parametrize(("transform", "given", "result"), TRANSFORMED)
def test_a_transform_changes_a_value_and_leaves_none(transform: Any, given: Any, result: Any) -> None:
    apply = compile_transform(transform)
    assert apply(given) == result
    assert apply(None) is None


@pytest.mark.parametrize(
    "transform",
    ["stripp", "split", {"strip": 1}, {"round": "a"}, {"round": True}, {"split": ""}, {"join": 1}, {"regex": "a"}, {"regex": {"pattern": "("}},
     {"regex": {"pattern": "a", "replace": r"\2"}}, {"eval": "1"}, {"a": 1, "b": 2}, 7, None],
)  # fmt: skip
def test_a_wrong_transform_is_refused_when_it_is_declared(transform: Any) -> None:
    with pytest.raises(InvalidTransform):
        compile_transform(transform)


def test_a_transform_refuses_a_value_of_another_kind() -> None:
    for transform, value in (
        ("strip", True),
        ("strip", ["a"]),
        ("sort", "ba"),
        ({"round": 1}, "1"),
        ({"join": "-"}, "ab"),
    ):
        with pytest.raises(TypeError, match="takes"):
            compile_transform(transform)(value)


def test_transforms_come_before_the_map_and_the_default_after_it() -> None:
    state = {"path": "s", "transforms": ["strip", "lower"], "map": {"a": "active", "gone": None}, "default": "unknown"}
    assert read({"name": "x", "s": " A "}, state=state)["state"] == "active"
    assert read({"name": "x", "s": "other"}, state=state)["state"] == "other"
    assert read({"name": "x", "s": "gone"}, state=state)["state"] == "unknown"
    assert read({"name": "x"}, state=state)["state"] == "unknown"


def test_a_map_knows_true_false_and_null_as_yaml_does() -> None:
    table = {"true": "yes", "false": "no", "null": "unknown", "1": "one"}
    found = [
        read({"name": "x", "s": value}, state={"path": "s", "map": table})["state"] for value in (True, False, None, 1)
    ]
    assert found == ["yes", "no", "unknown", "one"]


def test_what_was_read_is_written_back_as_it_was() -> None:
    mapped = mapper(
        state={"path": "status.value", "map": {"a": "active", "d": "down"}},
        a="custom.fields.size",
        b={"path": "tags[].slug", "write": "tags"},
    )
    record = {"name": "x", "status": {"value": "d"}, "custom": {"fields": {"size": 3}}, "tags": [{"slug": "t"}]}
    fields = mapped.fields_of(record)
    assert fields == {"name": "x", "state": "down", "a": 3, "b": ["t"]}
    assert mapped.payload_of(fields) == {
        "name": "x",
        "status": {"value": "d"},
        "custom": {"fields": {"size": 3}},
        "tags": ["t"],
    }


def test_what_cannot_be_written_back_is_left_out_or_refused() -> None:
    mapped = mapper(
        a={"path": "id", "read_only": True},
        b="length(tags)",
        state={"path": "s", "map": {"a": "up", "b": "up", "c": "down"}},
    )
    assert [mapped.is_written(name) for name in ("name", "a", "b", "state")] == [True, False, False, True]
    assert mapped.payload_of({"name": "x", "a": 1, "b": 2, "state": "down"}) == {"name": "x", "s": "c"}
    assert mapped.payload_of({"state": "other"}) == {"s": "other"}
    with pytest.raises(CannotWrite, match="'up' for several values"):
        mapped.payload_of({"state": "up"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nme": "x"}, "has no field 'nme'. Its fields are name, a, b, state."),
        ({"a": {"path": "x", "value": 1}}, "a `path` or a `value`, not both"),
        ({"a": {"read_only": True, "write": "x"}}, "leave `write` out"),
        ({"a": {"write": "tags[].x"}}, "can be read only"),
        ({"a": {"transform": "strip"}}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_mapping_names_the_thing(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        mapper(**fields)
    assert message in str(caught.value)
