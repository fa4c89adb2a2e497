"""`shards` of an adapter in the file: its forms, its problems, and the names that a load gets."""

from typing import Any

import pytest

from diffsync_store import LocalStore
from diffsync_store.project import ConfigError
from tests.project.adapters import Item
from tests.project.conftest import Problems, Read
from tests.project.files import ADAPTERS, STORE

OWN = f"{STORE}adapters:\n  a:\n    class: {ADAPTERS}:%s\n    shards: %s\n"
READY = f"""{STORE}models:
  device: {{identifiers: {{name: str}}}}
adapters:
  a:
    type: %s
    settings: %s
    records: {{device: {{from: devices, shard: region}}}}
    shards: %s
"""
SQL = "sql", "{url: 'sqlite:///x.db'}"
FORMS = "write auto, a list of names, or the values of each shard: {eu: [de, fr], us: [us]}"


@pytest.mark.parametrize(
    ("shards", "problem"),
    [
        ("all", f"9:5: adapters.a.shards: {FORMS}; got 'all'"),
        ("true", f"9:5: adapters.a.shards: {FORMS}; got true"),
        ("3", f"9:5: adapters.a.shards: {FORMS}; got 3"),
        ("[]", "9:5: adapters.a.shards: give at least one shard; got a list"),
        ("{}", "9:5: adapters.a.shards: give at least 1"),
        ("[eu, eu]", "9:5: adapters.a.shards: 'eu' is there twice. Remove one; got a list"),
        ("[eu, 1]", "9:18: adapters.a.shards.1: Input should be a valid string; got 1"),
        (
            "[eu, ' ']",
            "9:18: adapters.a.shards.1: The name of a shard must be a text of 1 to 128 printable characters, ",
        ),
        ("{eu: []}", "9:14: adapters.a.shards.eu: give at least one value; got a list"),
        ("{eu: [[de]]}", "9:19: adapters.a.shards.eu.0: a value is a text, a number, true, false or null; got a list"),
        ("{eu: {}}", "9:14: adapters.a.shards.eu: give `from`, `below` or both"),
        (
            "{eu: {form: 1}}",
            "9:19: adapters.a.shards.eu.form: unknown key. Did you mean 'from'? Known keys: from, below",
        ),
    ],
)
def test_a_wrong_form_has_its_place_and_a_remedy(problems: Problems, shards: str, problem: str) -> None:
    [found] = problems(READY % (*SQL, shards))
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("kind", "settings", "shards", "problem"),
    [
        (
            "powerdns",
            "{url: 'http://x', token: t}",
            "auto",
            "`records` of 'device': PowerDnsAdapter cannot cut records.",
        ),
        (
            "python",
            "{module: tests.project.adapters}",
            "{a: {from: 1}}",
            "PythonAdapter cannot read a range of values. ",
        ),
    ],
)
def test_shards_that_do_not_fit_the_type(
    problems: Problems, kind: str, settings: str, shards: str, problem: str
) -> None:
    [found] = problems(
        (READY % (kind, settings, shards)).replace(
            "from: devices", "from: zones" if kind == "powerdns" else "from: SHARDED"
        )
    )
    assert found.startswith(f"9:5: adapters.a.shards: {problem}")


@pytest.mark.parametrize(
    ("name", "shards", "problem"),
    [
        ("PlainAdapter", "[eu]", "PlainAdapter has no method `load_shard`. Define it, or remove `shards`."),
        ("PlainAdapter", "auto", "PlainAdapter has no method `load_shard`. Define it, or remove `shards`."),
        ("ListedShards", "auto", "ListedShards has no method `shards`. Define it, or remove `shards`."),
        ("ListedShards", "{eu: [de]}", "ListedShards knows itself what its shards have. List only their names."),
    ],
)
def test_an_own_class_needs_the_methods(problems: Problems, name: str, shards: str, problem: str) -> None:
    assert problems(OWN % (name, shards)) == [f"5:5: adapters.a.shards: {problem}"]


@pytest.mark.parametrize(
    ("name", "shards", "names"),
    [
        ("ListedShards", "[eu, us]", ["eu", "us"]),
        ("FoundShards", "auto", ["north", "south"]),
        ("FoundShards", "[south]", ["south"]),
    ],
)
def test_the_names_of_the_shards(read: Read, name: str, shards: str, names: list[str]) -> None:
    project = read(OWN % (name, shards))
    adapter = project.make_adapter("a", LocalStore())
    assert list(project.shards("a", adapter)) == names


def test_an_adapter_without_shards_has_none(read: Read) -> None:
    project = read((OWN % ("FoundShards", "x")).replace("    shards: x\n", ""))
    assert project.shards("a", project.make_adapter("a", LocalStore())) == {}


def test_a_mapping_says_below_what_the_records_are(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    project = read(OWN % ("FoundShards", "auto"))
    adapter = project.make_adapter("a", LocalStore())
    found = {"a": ("item", "x"), "b": [("item", "y"), Item(name="z")], "c": None}
    monkeypatch.setattr(type(adapter), "shards", lambda _self: found)
    assert project.shards("a", adapter) == {"a": [("item", "x")], "b": [("item", "y"), ("item", "z")], "c": []}


@pytest.mark.parametrize("found", [[], "ab", {"a": 3}, ["a", "a"], ["\n"], ["secret" * 50]])
def test_wrong_names_of_an_adapter_are_refused(read: Read, monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    project = read(OWN % ("FoundShards", "auto"))
    adapter = project.make_adapter("a", LocalStore())
    monkeypatch.setattr(type(adapter), "shards", lambda _self: found)
    with pytest.raises(ConfigError, match=r"adapters\.a\.shards: "):
        project.shards("a", adapter)
