"""The stores of one Redis: what is there, and which is the newest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, TypeVar

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import DiffNotFound, StoreNotFound
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.keys import DEFAULT_TTL, StoreKeys, check_namespace, index_of_stores, users_of
from diffsync_store.store.redis.record import read_record, server_time, time_of
from diffsync_store.store.redis.scripts import catalog as scripts
from diffsync_store.store.redis.scripts.catalog import STAMP
from diffsync_store.store.redis.scripts.script import Script

_PAGE = 100
T = TypeVar("T")

_MEMORY = Script("""
-- KEYS: of a store. Answers: the bytes that they take, or -1 without the right to ask.
local sum = 0
for _, key in ipairs(KEYS) do
  local size = redis.pcall('MEMORY', 'USAGE', key)
  if type(size) == 'table' then return -1 end
  sum = sum + (size or 0)
end
return sum
""")


_MEET = Script(
    STAMP
    + """
-- KEYS: users. ARGV: id of one of them, what is told of it, seconds after which others are forgotten.
-- Notes that it is here. Answers: of each of the others what is told of it, and when it was here last.
local now, found = tonumber(stamp()), {}
local users = redis.call('HGETALL', KEYS[1])
for i = 1, #users, 2 do
  local at, told = string.match(users[i + 1], '^(%S+) (.*)$')
  if tonumber(at) < now - tonumber(ARGV[3]) * 1000 then
    redis.call('HDEL', KEYS[1], users[i])
  elseif users[i] ~= ARGV[1] then
    found[#found + 1] = told
    found[#found + 1] = at
  end
end
redis.call('HSET', KEYS[1], ARGV[1], stamp() .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return found
"""
)


class RedisStores:
    """The stores of one Redis, in one namespace; threads may share it, and child processes that are forked.

    Args:
        connection: a connection to share; the caller closes it.
        namespace: the namespace of the stores, as RedisStore takes it.
        where: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self,
        *,
        connection: Connection | None = None,
        namespace: str = "",
        **where: Any,
    ) -> None:
        self.namespace = check_namespace(namespace)
        self._index = index_of_stores(namespace)
        self._connection = Connection.share_or_open(connection, **where)
        self._redis = self._connection.client

    def close(self) -> None:
        """Close the connection, unless it is shared."""
        self._connection.close()

    def _keys(self, store_id: str) -> StoreKeys:
        return StoreKeys(store_id, self.namespace)

    def list(self) -> Iterator[StoreRecord]:
        """What each store says of itself, the one that was written last first; read as it is asked for."""
        return newest_first(self._redis, self._index, lambda name: read_record(self._redis, self._keys(name)))

    def now(self) -> datetime:
        """The time in UTC by the clock of Redis, by which all records have their times."""
        return server_time(self._redis, self._index)

    def meet(self, who: str, told: str, seconds: int) -> dict[str, datetime]:
        """Note that somebody uses this namespace; what is told of others who have within so many seconds, and when they did.

        Args:
            who: an id, the same each time.
            told: what the others are told.
            seconds: after which somebody is forgotten.
        """
        with translated_errors():
            found = iter(_MEET(self._redis, [users_of(self.namespace)], [who, told, seconds]))
        return {told.decode(): time_of(at) for told, at in zip(found, found, strict=True)}

    def record(self, store_id: str) -> StoreRecord:
        """What one store says of itself.

        Raises:
            StoreNotFound: there is none.
        """
        return read_record(self._redis, self._keys(store_id))

    def expires_in(self, store_id: str) -> int | None:
        """Seconds until a store expires if nobody uses it; None where it is not there."""
        with translated_errors():
            seconds = self._redis.ttl(self._keys(store_id).record)
        return int(seconds) if seconds >= 0 else None

    def renew(self, record: StoreRecord) -> None:
        """Begin a store's time to live anew."""
        with translated_errors():
            scripts.RENEW(self._redis, [self._keys(record.store_id).record], [record.ttl or DEFAULT_TTL])

    def memory(self, record: StoreRecord) -> int | None:
        """Bytes that a store takes in Redis, as an estimate; None where the user has no right to `MEMORY USAGE`."""
        keys = self._keys(record.store_id).all(list(record.counts))
        with translated_errors():
            size = int(_MEMORY(self._redis, keys, []))
        return None if size < 0 else size

    def newest(self, name: str, states: Collection[StoreState] = (StoreState.COMPLETE,)) -> StoreRecord:
        """The store that was loaded last from the adapter of this name.

        Args:
            name: the adapter's name, which a load gives to its store.
            states: those that it may be in.

        Raises:
            StoreNotFound: there is none.
        """
        for record in self.list():
            if record.name == name and record.state in states:
                return record
        wanted = " or ".join(state.value for state in states)
        raise StoreNotFound(f"There is no store of {name!r} that is {wanted}: load {name!r} first.")


def newest_first(client: Any, index: str, read: Callable[[str], T]) -> Iterator[T]:
    """What the ids in an index stand for; those of what has expired meanwhile leave the index."""
    start = 0
    while True:
        with translated_errors():
            page = [found.decode() for found in client.zrange(index, start, start + _PAGE - 1, desc=True)]
        if not page:
            return
        gone = []
        for name in page:
            try:
                yield read(name)
            except (StoreNotFound, DiffNotFound):
                gone.append(name)
        if gone:
            with translated_errors():
                client.zrem(index, *gone)
        start += len(page) - len(gone)
