"""Send script calls to Redis without waiting, and read their answers later."""

from __future__ import annotations

import inspect
from typing import Any

from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.connection.driver import redis
from diffsync_store.store.redis.scripts.script import Script

_command_name = inspect.signature(redis.ConnectionPool.get_connection).parameters.get("command_name")
# Before redis-py 5.3, `get_connection` requires the name of a command.
_POOL_ARGUMENTS = ("EVALSHA",) if _command_name is not None and _command_name.default is inspect.Parameter.empty else ()


def new_pipeline(connection: Connection) -> Pipeline | None:
    """Return a pipeline; None for a cluster, and for a client that was passed in, which may have its own limits."""
    is_possible = connection.has_own_client and isinstance(connection.client, redis.Redis)
    return Pipeline(connection.client) if is_possible else None


class Pipeline:
    """A connection from the client's pool, on which several calls may be unanswered.

    Close it after an error: the outcome of unanswered calls is then unknown.
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
            self._connection = self._pool.get_connection(*_POOL_ARGUMENTS)
        self._connection.send_command(*script.command(keys, arguments))

    def answer(self) -> Any:
        """Return the answer to the earliest unanswered call.

        Raises:
            redis.exceptions.RedisError: the server does not answer, or answers with an error.
        """
        return self._connection.read_response()

    def release(self) -> None:
        """Return the connection to the pool. All answers must have been read."""
        if self._connection is not None:
            self._pool.release(self._connection)
            self._connection = None

    def close(self) -> None:
        """Disconnect, and drop answers that were not read."""
        if self._connection is not None:
            self._connection.disconnect()
            self.release()
