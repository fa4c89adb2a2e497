"""The shards of a database: rows by values of a column, also of another table, or by ranges of a key."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store.adapters.shards import MOST_SHARDS
from diffsync_store.adapters.sql import SqlAdapter
from diffsync_store.lifecycle import opened
from diffsync_store.mapping import ModelDefinition
from tests.adapters.sharding import content, gaps, loaded_shards, require_same_as_whole
from tests.adapters.sql.conftest import run

MODELS = {
    name: ModelDefinition.model_validate(definition)
    for name, definition in {
        "site": {"identifiers": {"name": "str"}, "attributes": {"region": "str?"}, "children": ["device"]},
        "device": {"identifiers": {"name": "str"}, "attributes": {"site": "str"}, "references": {"site": "site"}},
    }.items()
}
TABLES = (
    "CREATE TABLE sites (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL, region VARCHAR(50))",
    "CREATE TABLE devices (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL, site_id INTEGER NOT NULL REFERENCES sites (id))",
)
REGIONS = ("eu", "us", "a'; x", None)
Shards = Callable[..., Callable[[], SqlAdapter]]


@pytest.fixture
def shards(engine: sa.Engine, database_url: str) -> Iterator[Shards]:
    """Forty sites in regions and one without, each with a device, and adapters of them that are cut by a path."""
    run(engine, *TABLES)
    with engine.begin() as connection:
        sites = [{"id": number * 10, "name": f"s{number:02}", "region": REGIONS[number % 4]} for number in range(40)]
        connection.execute(sa.text("INSERT INTO sites VALUES (:id, :name, :region)"), sites)
        connection.execute(sa.text("INSERT INTO devices SELECT id, name, id FROM sites"))

    def adapters(path: str, declared: Any, **more: Any) -> Callable[[], SqlAdapter]:
        records = {
            "site": {"from": "sites", "shard": path, **more},
            "device": {"from": "devices", "fields": {"site": "site.name"}, "shard": f"site.{path}"},
        }

        def make() -> SqlAdapter:
            made.append(SqlAdapter({"url": database_url}, MODELS, records, shards=declared))
            return made[-1]

        return make

    made: list[SqlAdapter] = []
    yield adapters
    for adapter in made:
        adapter.close()


def test_the_values_of_a_column(shards: Shards) -> None:
    found = require_same_as_whole(shards("region", "auto"))
    assert set(found) == {"null", "a'; x", "eu", "us"}
    assert {len(shard) for shard in found.values()} == {20}
    require_same_as_whole(shards("region", {"west": ["us", None], "east": ["eu", "a'; x"]}), ["west", "east"])


def test_yes_and_no_are_values_too(engine: sa.Engine, database_url: str) -> None:
    run(engine, "CREATE TABLE sites (name VARCHAR(50) PRIMARY KEY, is_open BOOLEAN, region VARCHAR(5))")
    run(engine, "INSERT INTO sites (name, is_open) VALUES ('a', true), ('b', false), ('c', false), ('d', null)")
    records = {"site": {"from": "sites", "shard": "is_open"}}
    made: list[SqlAdapter] = []

    def make() -> SqlAdapter:
        made.append(SqlAdapter({"url": database_url}, MODELS, records, shards="auto"))
        return made[-1]

    found = require_same_as_whole(make)
    assert sorted(len(shard) for shard in found.values()) == [1, 1, 2]
    for adapter in made:
        adapter.close()


def test_ranges_of_a_key(shards: Shards) -> None:
    found = require_same_as_whole(shards("id", "auto"))
    assert len(found) == MOST_SHARDS
    first, *_, last = found
    assert (first[:2], last[-2:]) == ("..", "..")
    assert max(len(shard) for shard in found.values()) <= 10
    declared = {"low": {"below": 100}, "middle": {"from": "100", "below": 200}, "high": {"from": 200}}
    found = require_same_as_whole(shards("id", declared), list(declared))
    assert [len(shard) for shard in found.values()] == [20, 20, 40]


def test_rows_of_no_shard_are_reported_once(shards: Shards) -> None:
    eu, us = loaded_shards(shards("region", ["eu", "us"]), ["eu", "us"]).values()
    text = "By '{}', 20 records are in none of the shards eu, us. Add them to a shard."
    assert gaps(eu) == {"site": text.format("region"), "device": text.format("site.region")}
    assert gaps(us) == {}
    assert list(content(us)) == ["site", "device"]


def test_the_guards_know_below_what_a_missing_shard_is(engine: sa.Engine, database_url: str) -> None:
    run(engine, *TABLES, "INSERT INTO sites VALUES (1, 'ber', 'eu'), (2, 'nyc', 'us')")

    def below(shards: Any, path: str, **field: Any) -> Any:
        records = {"site": {"from": "sites", "shard": path, "fields": {"name": {"path": "name", **field}}}}
        adapter = SqlAdapter({"url": database_url}, MODELS, records, shards=shards)
        with opened(adapter):
            return adapter.shards()

    if engine.dialect.name == "mariadb":  # its texts are equal in spite of their case: `ber` has the rows of `BER` too
        assert below(["ber", "nyc"], "name") == {"ber": [], "nyc": []}
        return
    both = {"a": [("site", "ber"), ("site", "x")], "b": []}
    assert below("auto", "name") == {"ber": [("site", "ber")], "nyc": [("site", "nyc")]}
    assert below({"a": ["ber", "x"], "b": ["nyc", None]}, "name") == both
    assert below({"a": {"below": "m"}, "b": {"from": "m"}}, "name") == {"a": [], "b": []}
    assert below(["eu"], "region") == below(["eu"], "name", map={"eu": "EU"}) == {"eu": []}


def test_rows_of_a_query(shards: Shards) -> None:
    require_same_as_whole(shards("region", "auto", **{"from": "select name, region from sites"}))


def test_a_path_that_is_no_column_or_a_value_that_does_not_fit_is_refused(shards: Shards) -> None:
    with pytest.raises(ValueError, match=re.escape("has no column 'regio'. Did you mean 'region'?")):
        loaded_shards(shards("regio", ["eu"]), ["eu"])
    with pytest.raises(ValueError, match="invalid literal for int"):
        loaded_shards(shards("id", ["eu"]), ["eu"])
