"""Calls of scripts that are sent to several nodes before the first answer is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis

from diffsync_store.store.redis import Connection
from diffsync_store.store.redis.scripts.leases import HOLDER
from diffsync_store.store.redis.scripts.pipeline import Pipeline, call_each, new_pipeline
from tests.conftest import SharedServers
from tests.proxy import Proxy
from tests.redis_servers import RedisClusterServers
from tests.servers import RedisServer

KEYS = [f"dss:{{pipeline-{number}}}:lease" for number in range(12)]
CALLS: list[Any] = [([key], []) for key in KEYS]


@pytest.fixture
def cluster(shared_servers: SharedServers, redis_kind: str) -> RedisClusterServers:
    return shared_servers.cluster(redis_kind)


@pytest.fixture(params=["server", "cluster"])
def client(request: pytest.FixtureRequest, redis_kind: str) -> Iterator[Any]:
    """A client of a Redis with leases whose owners are numbers."""
    servers: Any = request.getfixturevalue("redis_server" if request.param == "server" else "cluster")
    with Connection(url=servers.url) as connection:
        for number, key in enumerate(KEYS):
            connection.client.hset(key, mapping={"owner": number, "nonce": "x", "until": "", "reason": "", "since": 0})
        yield connection.client
        for key in KEYS:
            connection.client.delete(key)


def test_each_call_is_answered_in_order_whatever_its_node(client: Any) -> None:
    assert [int(answer[0]) for answer in call_each(client, HOLDER, CALLS)] == list(range(12))
    assert call_each(client, HOLDER, CALLS[:1])[0][0] == b"0"
    assert call_each(client, HOLDER, []) == []


def test_an_error_is_raised_and_takes_no_answer_of_another_call(client: Any) -> None:
    client.delete(KEYS[7])
    client.set(KEYS[7], "not a hash")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        call_each(client, HOLDER, CALLS)
    with closing(Pipeline(client)) as pipe:
        for number in (7, 1):
            pipe.send(HOLDER, *CALLS[number])
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            pipe.answer()
        assert pipe.answer()[0] == b"1"


def test_calls_whose_answers_are_lost_are_repeated(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy, Connection(url=proxy.url) as connection:
        call_each(connection.client, HOLDER, CALLS)
        proxy.lose_answers(b"EVALSHA", every=4)
        assert len(call_each(connection.client, HOLDER, CALLS)) == len(CALLS)
        assert proxy.lost


def test_a_client_that_was_passed_in_has_no_pipeline(redis_server: RedisServer) -> None:
    with closing(redis_server.client()) as client, Connection(client=client) as connection:
        assert new_pipeline(connection) is None
