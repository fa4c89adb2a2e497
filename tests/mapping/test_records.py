from decimal import Decimal
from typing import Any

import pytest

from diffsync_store.mapping import Mapper, ModelDefinition, RecordMapping, build_models, transforms
from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import InvalidPath, compile_getter
from diffsync_store.mapping.records import CannotWrite
from diffsync_store.mapping.transforms import TRANSFORM_NAMES, CannotInvert, InvalidTransform, compile_transform

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
    with pytest.raises(ValueError, match="the record has none"):
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
        ({"round": 1}, [1]),
        ({"round": 1}, True),
        ({"join": "-"}, "ab"),
    ):
        with pytest.raises(TypeError, match="takes"):
            compile_transform(transform)(value)


ODD: list[tuple[Any, Any, Any]] = [
    ("strip", "\u00a0\t a\n", "a"),
    ("strip", 1.5, "1.5"),
    ("lower", "İ", "i̇"),
    ("upper", "straße", "STRASSE"),
    ("slug", "--Öl & Gas--", "ol-gas"),
    ("slug", "北京", ""),
    ("slug", 7, "7"),
    ("sort", (3, 1), [1, 3]),
    ("unique", [{"a": 1}, {"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}]),
    ("unique", [], []),
    ("length", [], 0),
    ({"split": ","}, "", []),
    ({"split": ","}, ",,", []),
    ({"split": " "}, "a  b", ["a", "b"]),
    ({"split": ","}, 1.5, ["1.5"]),
    ({"join": ","}, [], ""),
    ({"join": ","}, [None, True, 2], "True,2"),
    ({"round": 0}, "2.4", 2.0),
    ({"round": -2}, 149, 100),
    ({"round": 2}, Decimal("1.005"), Decimal("1.00")),
    ({"regex": {"pattern": "(a)?b"}}, "b", None),
    ({"regex": {"pattern": "", "replace": "-"}}, "ab", "-a-b-"),
    ({"regex": {"pattern": r"(?<n>\d+)", "replace": r"<\g<n>>"}}, "a1", "a<1>"),
]


@pytest.mark.parametrize(("transform", "given", "result"), ODD)
def test_odd_values_of_transforms(transform: Any, given: Any, result: Any) -> None:
    assert compile_transform(transform)(given) == result


@pytest.mark.parametrize("text", ["", "one", "1,5", "0x10"])
def test_what_is_no_number_is_not_rounded(text: str) -> None:
    with pytest.raises(ValueError, match="takes a number"):
        compile_transform({"round": 1})(text)


def test_a_pattern_that_takes_too_long_rejects_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "REGEX_SECONDS", 0.05)
    for argument in ({"pattern": r"^(a|aa)+$"}, {"pattern": r"^(a|aa)+$", "replace": ""}):
        apply = compile_transform({"regex": argument})
        assert apply("aaa") in {"a", "aa", ""}
        with pytest.raises(ValueError, match=r"takes more than 0\.05 s for a text of \d+ characters"):
            apply("a" * 60 + "!")


INVERTED: list[tuple[list[Any], Any, Any]] = [
    ([{"split": ","}], "a,b", ["a", "b"]),
    ([{"join": ","}], ["a", "b"], "a,b"),
    ([{"prefix": "eth"}], "0", "eth0"),
    ([{"suffix": ".local"}], "a", "a.local"),
    (["strip", {"split": ";"}, "sort"], "a;b", ["a", "b"]),
    ([{"prefix": "a"}, {"prefix": "b"}], "x", "bax"),
]


@pytest.mark.parametrize(("steps", "outside", "inside"), INVERTED)
def test_a_transformed_value_is_written_back(steps: list[Any], outside: Any, inside: Any) -> None:
    mapped = mapper(a={"path": "x", "transforms": steps})
    assert mapped.fields_of({"name": "n", "x": outside})["a"] == inside
    assert mapped.payload_of({"a": inside}) == {"x": outside}
    assert mapped.payload_of({"a": None}) == {"x": None}


@pytest.mark.parametrize(
    ("steps", "value", "message"),
    [
        ([{"split": ","}], ["a,b"], "'a,b' contains ','"),
        ([{"prefix": "eth"}], "xe-0", "does not begin with 'eth'"),
        ([{"suffix": ".local"}], "a.org", "does not end with '.local'"),
    ],
)
def test_a_value_that_would_be_read_back_as_another_is_not_written(steps: list[Any], value: Any, message: str) -> None:
    with pytest.raises(CannotInvert, match=message):
        mapper(a={"path": "x", "transforms": steps}).payload_of({"a": value})


@pytest.mark.parametrize("step", ["first", "length", {"regex": {"pattern": "x"}}])
def test_what_has_no_inverse_is_written_only_where_the_mapping_says_so(step: Any) -> None:
    assert not mapper(a={"path": "x", "transforms": [step]}).is_written("a")
    assert mapper(a={"path": "x", "transforms": [step]}).left_alone == {"a": "always"}
    assert mapper(a={"path": "x", "transforms": [step], "write": "y"}).payload_of({"a": 1}) == {"y": 1}


def test_keys_with_blanks_stand_in_quotes() -> None:
    mapped = mapper(a='"Serial no."', b='site."Room / Rack".x')
    record = {"name": "n", "Serial no.": "S1", "site": {"Room / Rack": {"x": 1}}}
    assert mapped.fields_of(record) == {"name": "n", "a": "S1", "b": 1}
    assert mapped.payload_of({"a": "S1", "b": 1}) == {"Serial no.": "S1", "site": {"Room / Rack": {"x": 1}}}
    with pytest.raises(InvalidPath, match="Write a key with blanks in double quotes"):
        compile_getter("Serial no.")


def test_a_key_may_be_of_any_alphabet() -> None:
    assert compile_getter("größe.höhe")({"größe": {"höhe": 1}}, None) == 1


def test_a_map_keeps_the_kind_of_its_keys_and_takes_lists() -> None:
    mapped = mapper(
        a={"path": "x", "map": {1: "one", 2: "two", "x": None}}, b={"path": "y", "map": {True: "yes", False: "no"}}
    )
    assert mapped.fields_of({"name": "n", "x": [1, "2", 3], "y": False}) == {
        "name": "n",
        "a": ["one", "two", 3],
        "b": "no",
    }
    assert mapped.payload_of({"a": ["one", "two", 3], "b": "yes"}) == {"x": [1, 2, 3], "y": True}
    assert mapped.payload_of({"a": None}) == {"x": "x"}
    with pytest.raises(ValueError, match="`map` has '1' twice"):
        mapper(a={"path": "x", "map": {1: "a", "1": "b"}})


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
        ({"a": {"read_only": True, "write": "x"}}, "remove `write`"),
        ({"a": {"write": "tags[].x"}}, "can be read only"),
        ({"a": {"transform": "strip"}}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_mapping_names_the_thing(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        mapper(**fields)
    assert message in str(caught.value)
