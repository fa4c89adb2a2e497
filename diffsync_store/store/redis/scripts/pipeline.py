"""Send script calls to Redis without waiting, and read their answers later."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
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
    sends = [partial(_send, script, call) for call in calls]
    return [
        script(client, *call) if answer is LOST else answer
        for call, answer in zip(calls, answers_of(client, sends), strict=True)
    ]


def _send(script: Script, call: Call, pipe: Pipeline) -> None:
    pipe.send(script, *call)


def ask_in_transaction(client: Any, script: Script, keys: list[str], arguments: list[Any]) -> Any:
    """Return the answer of a script that is called in a transaction; None if the server, or a proxy before it, takes none."""

    def send(pipe: Pipeline) -> None:
        pipe.send_transaction(keys[0], [script.command(client, keys, arguments)])

    (answer,) = answers_of(client, [send])
    return None if answer is LOST else answer


LOST = object()
"""In place of the answer to a call that was refused, or not run, or whose answer was lost."""


def answers_of(client: Any, sends: Sequence[Callable[[Pipeline], None]]) -> list[Any]:
    """Return the answers to calls that are sent at the same time, in order, with `LOST` in place of those that there are not.

    Args:
        client: the client.
        sends: each sends one call.
    """
    answers: list[Any] = []
    pipe = Pipeline(client)
    try:
        for send in sends:
            send(pipe)
        while len(answers) < len(sends):
            try:
                answers.append(pipe.answer())
            except (redis_errors.ResponseError, TransactionFailed):
                answers.append(LOST)
        pipe.release()
    except (redis_errors.RedisError, OSError):
        pipe.close()
    except BaseException:
        pipe.close()
        raise
    return answers + [LOST] * (len(sends) - len(answers))


class TransactionFailed(redis_errors.RedisError):
    """The server has refused a command of a transaction. The others may have been run."""


def _answer_of_transaction(connection: Any, others: int) -> Any:
    """Return the answer to the last command of a transaction, after that many other answers."""
    answers = [
        _answer_or_refusal(connection) for _ in range(others + 1)
    ]  # those of MULTI, of each command, and of EXEC
    *before, of_all = answers
    refusals = [
        each for each in (*before, *(of_all if isinstance(of_all, list) else [of_all])) if isinstance(each, Exception)
    ]
    if refusals or not isinstance(of_all, list) or len(of_all) != others - 1:
        raise TransactionFailed(f"The server has refused a transaction: {refusals[:1]}")
    return of_all[-1]


def _answer_or_refusal(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis_errors.ResponseError as error:
        return error


class Pipeline:
    """Connections from the client's pools, one for each node, on which several calls may be unanswered.

    Close it after an error: the outcome of unanswered calls is then unknown.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._connections: dict[Any, Any] = {}
        """By the pool of the node."""
        self._unanswered: deque[tuple[Any, int]] = deque()
        """The connections of the unanswered calls, in the order of the calls; and the number of answers before that of the call."""

    def send(self, script: Script, keys: list[str], arguments: list[Any]) -> None:
        """Send a call to the node of its keys.

        Raises:
            redis.exceptions.RedisError: the node cannot be reached.
        """
        connection = self._connection(keys[0])
        connection.send_command(*script.command(self._client, keys, arguments))
        self._unanswered.append((connection, 0))

    def send_transaction(self, key: str, commands: Sequence[Sequence[Any]]) -> None:
        """Send commands as one transaction to the node of a key. Its answer is that of the last command.

        Raises:
            redis.exceptions.RedisError: the node cannot be reached.
        """
        connection = self._connection(key)
        connection.send_packed_command(connection.pack_commands([("MULTI",), *commands, ("EXEC",)]))
        self._unanswered.append((connection, len(commands) + 1))

    def _connection(self, key: str) -> Any:
        pool = self._pool(key)
        connection = self._connections.get(pool)
        if connection is None:
            connection = self._connections[pool] = pool.get_connection(*_POOL_ARGUMENTS)
        return connection

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
            TransactionFailed: the server has refused a command of a transaction.
            redis.exceptions.RedisError: the server does not answer, or answers with an error.
        """
        connection, others = self._unanswered.popleft()
        return connection.read_response() if others == 0 else _answer_of_transaction(connection, others)

    def skip_answers(self) -> None:
        """Wait for the answers to all unanswered calls, whatever they are.

        Raises:
            redis.exceptions.RedisError: the server does not answer.
        """
        while self._unanswered:
            with suppress(redis_errors.ResponseError, TransactionFailed):
                self.answer()

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
