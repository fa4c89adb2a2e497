"""The shards of ready adapters: together they have each record of a load as a whole, once."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import LocalStore
from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.adapters.python import PythonAdapter
from diffsync_store.adapters.shards import MOST_SHARDS, SHARDS, Part, WrongShards, names_of, parts_of
from diffsync_store.mapping import ModelDefinition
from tests.adapters.sharding import content, gaps, loaded_shards, require_same_as_whole

MODELS = {
    name: ModelDefinition.model_validate(definition)
    for name, definition in {
        "site": {"identifiers": {"name": "str"}, "attributes": {"region": "str"}, "children": ["rack"]},
        "rack": {"identifiers": {"site": "str", "name": "str"}, "references": {"site": "site"}},
        "vendor": {"identifiers": {"name": "str"}},
    }.items()
}
MODULE = "tests.adapters.python_records"


class Given(MappedAdapter):
    """Reads what it is given."""

    given = {
        "site": [{"name": "ber", "region": "eu"}, {"name": "nyc", "region": "us"}],
        "rack": [{"site": "ber", "name": "r1"}, {"site": "nyc", "name": "r1"}],
        "vendor": [{"name": "acme"}],
    }

    def read(self, mapper: Any) -> Sequence[Any]:
        return self.given[mapper.model.get_type()]


class Cut(Given):
    shard_is = "a key"


def given(records: dict[str, Any] | None = None, shards: Any = "auto", kind: type[Given] = Given) -> Given:
    return kind({}, MODELS, records or {"site": {}, "rack": {}, "vendor": {}}, shards=shards)


@pytest.mark.parametrize("names", [None, ["site", "vendor"], ["vendor"]])
def test_a_shard_has_whole_models_with_their_children(names: list[str] | None) -> None:
    shards = require_same_as_whole(lambda: given(shards=names or "auto"), names)
    first = next(iter(shards.values()))
    assert list(content(first)) == (["site", "rack"] if len(shards) == 2 else ["site", "vendor", "rack"])


def test_a_shard_has_the_models_that_the_file_gives_it() -> None:
    shards = require_same_as_whole(lambda: given(shards={"a": ["vendor"], "b": ["site"]}), ["a", "b"])
    assert list(content(shards["b"])) == ["site", "rack"]


def test_a_model_that_no_shard_names_is_in_the_first_one() -> None:
    shards = require_same_as_whole(lambda: given(shards={"a": ["vendor"]}), ["a"])
    assert len(shards["a"]) == 5


@pytest.mark.parametrize(
    ("records", "shards", "kind", "message"),
    [
        ({"site": {"shard": "x"}, "rack": {}}, "auto", Cut, "set `shard` in the records of both 'rack' and 'site'"),
        ({"vendor": {"shard": "x"}}, "auto", Given, "`records` of 'vendor': Given cannot cut records"),
        ({"vendor": {"shard": "x", "lookup_only": True}}, "auto", Cut, "are not loaded. Remove their `shard`"),
        ({"vendor": {}}, ["vendors"], Given, "There is no top-level model 'vendors'"),
    ],
)
def test_shards_that_do_not_fit_are_refused(records: Any, shards: Any, kind: Any, message: str) -> None:
    with pytest.raises(WrongShards, match=re.escape(message)):
        given(records, shards, kind)


def test_an_unknown_shard_is_refused_and_values_that_cannot_be_listed() -> None:
    with pytest.raises(WrongShards, match=r"no shard 'b'\. Shards are a"):
        given(shards={"a": ["vendor"]}).load_shard("b", ["a"])
    with pytest.raises(WrongShards, match=r"cannot list the values of 'x'\. List the shards in the file"):
        given({"vendor": {"shard": "x"}}, "auto", Cut).shards()


def test_many_values_become_ranges_that_have_each_value_once() -> None:
    values = [None, *(f"v{number:03}" for number in range(100))]
    names = names_of([values, ["v050"]])
    assert len(names) == MOST_SHARDS
    parts = parts_of("auto", names)
    assert [sum(part.has(value) for part in parts.values()) for value in [*values, "", "zzz"]] == [1] * 103
    assert names[0].startswith("..")
    assert parts_of("auto", names_of([[None, "a"]])) == {"null": Part((None,)), "a": Part(("a",))}
    with pytest.raises(WrongShards, match="Two values have the same text"):
        names_of([[None, "null"]])


# Files


def files(folder: Path, pattern: str, shard: str, shards: Any = "auto", **more: Any) -> FilesAdapter:
    records = {"vendor": {"from": pattern, "shard": shard, **more}}
    return FilesAdapter({"folder": folder}, MODELS, records, shards=shards, internal_storage_engine=LocalStore())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("eu/a.csv", "eu/deep/b.csv", "us/c.csv", "d.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"name\n{name}\n")
    return tmp_path


def test_files_are_cut_by_folder_or_by_file(folder: Path) -> None:
    assert list(require_same_as_whole(lambda: files(folder, "**/*.csv", "folder"))) == [".", "eu", "us"]
    found = require_same_as_whole(lambda: files(folder, "**/*.csv", "file"))
    assert list(found) == ["d.csv", "eu/a.csv", "eu/deep/b.csv", "us/c.csv"]
    require_same_as_whole(lambda: files(folder, "**/*.csv", "folder", {"a": ["eu", "us"], "b": ["."]}), ["a", "b"])


def test_files_of_no_shard_are_reported_and_a_shard_without_files_fails(folder: Path) -> None:
    eu, us = loaded_shards(lambda: files(folder, "**/*.csv", "folder", ["eu", "us"]), ["eu", "us"]).values()
    assert gaps(eu) == {"vendor": "By 'folder', 1 file is in none of the shards eu, us. Add it to a shard."}
    assert gaps(us) == {}
    with pytest.raises(FileNotFoundError, match="for the shard 'ue'"):
        loaded_shards(lambda: files(folder, "**/*.csv", "folder", ["ue"]), ["ue"])
    with pytest.raises(ValueError, match="`shard: stem` of 'vendor' must be folder or file"):
        files(folder, "**/*.csv", "stem")


# Functions


def test_a_function_gets_each_value_of_its_shard() -> None:
    records = {"vendor": {"from": f"{MODULE}:of_regions", "shard": "regions"}}

    def make(shards: Any) -> PythonAdapter:
        return PythonAdapter({}, MODELS, records, shards=shards)

    shards = loaded_shards(lambda: make({"a": ["eu", "us"], "b": ["asia"]}), ["a", "b"])
    assert [list(content(shard)["vendor"]) for shard in shards.values()] == [["of eu", "of us"], ["of asia"]]
    with pytest.raises(WrongShards, match="cannot list the values of 'regions'"):
        make("auto").shards()


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ({"low": {"below": 8000}, "high": {"from": 7000}}, "the ranges of the shards 'low' and 'high' overlap"),
        ({"low": {"below": 8000}, "mid": {"from": 1, "below": 2}}, "the ranges of the shards 'low' and 'mid' overlap"),
        ({"low": {"below": 8000}, "rest": {"below": 9000}}, "the ranges of the shards 'low' and 'rest' overlap"),
        ({"a": ["de", "fr"], "b": "fr"}, "'fr' is in the shards 'a' and 'b'"),
        ({"a": [None], "b": ["us", None]}, "'null' is in the shards 'a' and 'b'"),
    ],
)
def test_shards_that_have_the_same_records_are_refused(shards: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SHARDS.validate_python(shards)


@pytest.mark.parametrize(
    "shards",
    [
        {"low": {"below": 7000}, "high": {"from": 7000}},
        {"a": {"below": "m"}, "b": {"from": "M"}},
        {"a": {"below": 3}, "b": ["x"]},
    ],
)
def test_shards_that_may_be_disjoint_are_accepted(shards: dict[str, Any]) -> None:
    assert list(SHARDS.validate_python(shards)) == list(shards)
