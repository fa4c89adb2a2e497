"""Write the content of a store again with redis-py alone: a lower bound for the time of a load."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import redis

from benchmarks.meter import measured
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.keys import StoreKeys

PAIRS = 1000
"""Maximum pairs in one command."""
COMMANDS = 10
"""Commands in one round trip."""
Content = dict[str, tuple[str, Any]]
"""Redis type and value of each key."""


def copy(found: dict[str, Any], url: str, store_id: str, empty_url: str) -> None:
    """Copy all keys of a store to an empty server, and measure the writes into `found`.

    Raises:
        AssertionError: The copy differs from the store.
    """
    with RedisStore(store_id=store_id, url=url) as store:
        keys = StoreKeys(store_id).all(list(store.record().schema_.models))
    with redis.Redis.from_url(url) as client, redis.Redis.from_url(empty_url) as empty:
        content = read_back(client, keys)
        with measured(found, empty_url):
            write(empty, content)
        if read_back(empty, keys) != content:
            raise AssertionError("the bare pipeline did not write the same data as the load")


def read_back(client: Any, keys: Iterable[str]) -> Content:
    kinds = {key: client.type(key).decode() for key in keys}
    return {key: (kind, _READ[kind](client, key)) for key, kind in kinds.items() if kind != "none"}


def _scores(client: Any, key: str) -> dict[bytes, int | float]:
    """Return whole scores as int, as the store sends them: a float is longer on the wire."""
    members = client.zrange(key, 0, -1, withscores=True)
    return {member: int(score) if float(score).is_integer() else score for member, score in members}


_READ: dict[str, Callable[[Any, str], Any]] = {
    "string": lambda client, key: client.get(key),
    "hash": lambda client, key: client.hgetall(key),
    "zset": _scores,
    "set": lambda client, key: client.smembers(key),
    "list": lambda client, key: client.lrange(key, 0, -1),
}


def write(client: Any, content: Content) -> None:
    commands = _commands(content)
    while batch := list(islice(commands, COMMANDS)):
        pipeline = client.pipeline(transaction=False)
        for name, arguments, options in batch:
            getattr(pipeline, name)(*arguments, **options)
        pipeline.execute()


def _commands(content: Content) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Yield the client method, arguments and options of each command."""
    strings = {key: value for key, (kind, value) in content.items() if kind == "string"}
    for pairs in _parts(strings.items()):
        yield "mset", (dict(pairs),), {}
    for key, (kind, value) in content.items():
        if kind in {"hash", "zset"}:
            for pairs in _parts(value.items()):
                yield {"hash": "hset", "zset": "zadd"}[kind], (key,), {"mapping": dict(pairs)}
        elif kind in {"set", "list"}:
            for values in _parts(value):
                yield {"set": "sadd", "list": "rpush"}[kind], (key, *values), {}


def _parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while part := list(islice(rest, PAIRS)):
        yield part
