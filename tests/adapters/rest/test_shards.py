"""The shards of an API: lists that a parameter narrows."""

from typing import Any

import pytest

from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.adapters.shards import WrongShards
from tests.adapters.rest.conftest import MODELS
from tests.adapters.sharding import Make, gaps, loaded_shards, require_same_as_whole
from tests.json_api import JsonApi

DEVICES = [{"name": f"d{number}", "site": ("Oslo", "Bergen", "a & b")[number % 3]} for number in range(10)]


def adapters(api: JsonApi, shards: Any, **settings: Any) -> Make:
    given = {
        "url": api.url,
        "items": api.items,
        "paging": {"kind": "offset", "total": api.total, "size": 3},
        **settings,
    }
    return lambda: RestAdapter(given, MODELS, {"device": {"from": "devices/", "shard": "site"}}, shards=shards)


@pytest.mark.parametrize("total", ["count", ""])
def test_each_shard_has_the_records_of_its_values(total: str) -> None:
    with JsonApi(*DEVICES, total=total) as api:
        require_same_as_whole(adapters(api, ["Oslo", "Bergen", "a & b"]), ["Oslo", "Bergen", "a & b"])
        found = require_same_as_whole(
            adapters(api, {"north": ["Oslo", "Bergen"], "rest": ["a & b"]}), ["north", "rest"]
        )
    assert [len(shard) for shard in found.values()] == [7, 3]
    assert [gaps(shard) for shard in found.values()] == [{}, {}]


def test_many_values_are_requested_in_several_lists() -> None:
    values = [f"s{number:03}" for number in range(120)]
    with JsonApi(*({"name": value, "site": value} for value in values)) as api:
        require_same_as_whole(adapters(api, {"all": values}), ["all"])
        assert max(len(path) for _, path in api.requests) < 1000


def test_records_of_no_shard_are_reported_where_the_api_counts_them() -> None:
    with JsonApi(*DEVICES) as api:
        oslo, bergen = loaded_shards(adapters(api, ["Oslo", "Bergen"]), ["Oslo", "Bergen"]).values()
    assert gaps(oslo) == {"device": "By 'site', 3 records are in none of the shards Oslo, Bergen. Add them to a shard."}
    assert gaps(bergen) == {}


def test_the_values_of_a_parameter_are_not_known() -> None:
    with JsonApi(*DEVICES) as api, pytest.raises(WrongShards, match="cannot list the values of 'site'"):
        adapters(api, "auto")().shards()
