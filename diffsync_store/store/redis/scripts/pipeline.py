"""Send script calls to Redis without waiting, and read their answers later."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.connection.driver import redis, redis_errors
from diffsync_store.store.redis.scripts.script import Script

_command_name = inspect.signature(redis.ConnectionPool.get_connection).parameters.get("command_name")
# Before redis-py 5.3, `get_connection` requires the name of a command.
_POOL_ARGUMENTS = ("EVALSHA",) if _command_name is not None and _command_name.default is inspect.Parameter.empty else ()

Call = tuple[list[str], list[Any]]
"""The keys and the arguments of a script; on a cluster, all keys are in one slot."""


def new_pipeline(connection: Connection) -> Pipeline | None:
    """Return a pipeline; None for a client that was passed in, which may have its own limits."""
    return Pipeline(connection.client) if connection.has_own_client else None


def call_each(client: Any, script: Script, calls: Sequence[Call]) -> list[Any]:
    """Call a script with each of these arguments, on all their nodes at the same time; return the answers in order.

    A call whose answer is lost, or that has reached the wrong node of a cluster, is repeated.
    """
    if len(calls) < 2:
        return [script(client, *call) for call in calls]
    return [
        script(client, *call) if answer is _NONE else answer
        for call, answer in zip(calls, _answers(Pipeline(client), script, calls), strict=True)
    ]


_NONE = object()
"""In place of the answer to a call that was not run, or whose answer was lost."""


def _answers(pipe: Pipeline, script: Script, calls: Sequence[Call]) -> list[Any]:
    answers: list[Any] = []
    try:
        for call in calls:
            pipe.send(script, *call)
        while len(answers) < len(calls):
            try:
                answers.append(pipe.answer())
            except redis_errors.ResponseError:
                answers.append(_NONE)
        pipe.release()
    except (redis_errors.RedisError, OSError):
        pipe.close()
    except BaseException:
        pipe.close()
        raise
    return answers + [_NONE] * (len(calls) - len(answers))


class Pipeline:
    """Connections from the client's pools, one for each node, on which several calls may be unanswered.

    Close it after an error: the outcome of unanswered calls is then unknown.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._connections: dict[Any, Any] = {}
        """By the pool of the node."""
        self._unanswered: deque[Any] = deque()
        """The connections of the unanswered calls, in the order of the calls."""

    def send(self, script: Script, keys: list[str], arguments: list[Any]) -> None:
        """Send a call to the node of its keys.

        Raises:
            redis.exceptions.RedisError: the node cannot be reached.
        """
        pool = self._pool(keys[0])
        connection = self._connections.get(pool)
        if connection is None:
            connection = self._connections[pool] = pool.get_connection(*_POOL_ARGUMENTS)
        connection.send_command(*script.command(self._client, keys, arguments))
        self._unanswered.append(connection)

    def _pool(self, key: str) -> Any:
        client = self._client
        if not isinstance(client, redis.RedisCluster):
            return client.connection_pool
        find_node: Callable[..., Any] = client.get_node_from_key
        try:
            return client.get_redis_connection(find_node(key)).connection_pool
        except redis_errors.RedisClusterException as error:
            raise redis_errors.ConnectionError("no node has the slot") from error

    def answer(self) -> Any:
        """Return the answer to the earliest unanswered call.

        Raises:
            redis.exceptions.RedisError: the server does not answer, or answers with an error.
        """
        return self._unanswered.popleft().read_response()

    def release(self) -> None:
        """Return the connections to their pools. All answers must have been read."""
        while self._connections:
            pool, connection = self._connections.popitem()
            pool.release(connection)

    def close(self) -> None:
        """Disconnect, and drop answers that were not read."""
        self._unanswered.clear()
        for connection in self._connections.values():
            connection.disconnect()
        self.release()
