"""Sending a script's call to Redis now, and reading its answer later."""

from __future__ import annotations

import inspect
from typing import Any

from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.connection.driver import redis
from diffsync_store.store.redis.scripts.script import Script

_asked_for = inspect.signature(redis.ConnectionPool.get_connection).parameters.get("command_name")
# Before redis-py 5.3 a pool asks what the connection is for.
_REASON = ("EVALSHA",) if _asked_for is not None and _asked_for.default is inspect.Parameter.empty else ()


def new_pipeline(connection: Connection) -> Pipeline | None:
    """Make a pipeline beside the client; None for a cluster, and for a client that was passed in, which has its own limits."""
    is_possible = connection.has_own_client and isinstance(connection.client, redis.Redis)
    return Pipeline(connection.client) if is_possible else None


class Pipeline:
    """A connection of a client's own, on which several calls may wait for their answers.

    After an error it is to be closed: what became of the calls is not known.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool: Any = client.connection_pool
        self._connection: Any = None

    def send(self, script: Script, keys: list[str], arguments: list[Any]) -> None:
        """Send a call.

        Raises:
            redis.exceptions.RedisError: the server cannot be reached.
        """
        if self._connection is None:
            self._connection = self._pool.get_connection(*_REASON)
        self._connection.send_command(*script.command(keys, arguments))

    def answer(self) -> Any:
        """The answer to the earliest call that has none yet.

        Raises:
            redis.exceptions.RedisError: there is none, or it is an error.
        """
        return self._connection.read_response()

    def release(self) -> None:
        """Give the connection back, when all answers are read."""
        if self._connection is not None:
            self._pool.release(self._connection)
            self._connection = None

    def close(self) -> None:
        """Give up on answers that were not read."""
        if self._connection is not None:
            self._connection.disconnect()
            self.release()
