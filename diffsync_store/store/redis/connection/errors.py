"""The one place that turns redis-py's errors into the library's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from diffsync_store.exceptions import ObjectStoreException, StoreUnavailable
from diffsync_store.store.redis.connection.driver import redis_errors
from diffsync_store.store.redis.connection.error_hints import remedy_for

_UNAVAILABLE = "Redis store is unavailable."
_TRANSIENT = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ClusterDownError,
    redis_errors.SlotNotCoveredError,
)
_NO_PERMISSION_IN_SCRIPT = re.compile("ACL failure in script|user executing the script can't")
"""Inside a script, a missing permission is an error without a code; the second text is that of Redis 6.2."""
_OUT_OF_MEMORY_IN_SCRIPT = "-OOM command not allowed"
"""The text of the error that a script of Redis 6.2 raises."""


@contextmanager
def translated_errors(hint: str = "") -> Iterator[None]:
    """Raise redis-py's errors as ObjectStoreException, with the redis error as cause.

    `hint` is added if a server was reached and then lost. The server may have refused a certificate: it does not always
    get to say so before it closes the connection.
    """
    try:
        yield
    except (redis_errors.RedisError, redis_errors.RedisClusterException) as error:
        remedy = remedy_for(error)
        if remedy is None and _is_transient(error):
            raise StoreUnavailable(
                _UNAVAILABLE if "connecting to" in str(error) else f"{_UNAVAILABLE}{hint}"
            ) from error
        raise ObjectStoreException(remedy or _message(error)) from error


def _is_transient(error: BaseException) -> bool:
    """True if the server could not be reached; a cluster client wraps the errors of its nodes."""
    if isinstance(error, redis_errors.OutOfMemoryError | redis_errors.NoPermissionError):
        return False
    return any(isinstance(cause, _TRANSIENT) for cause in (error, error.__cause__))


def _message(error: BaseException) -> str:
    if isinstance(error, redis_errors.OutOfMemoryError) or _OUT_OF_MEMORY_IN_SCRIPT in str(error):
        return f"Redis is out of memory: drop stores (`diffsync-store stores` lists them), or raise maxmemory. {error}"
    if isinstance(error, redis_errors.NoPermissionError) or _NO_PERMISSION_IN_SCRIPT.search(str(error)):
        return f"The Redis user lacks a right that the store needs; docs/connections.md has the ACL rule: {error}"
    if type(error) is redis_errors.ClusterError:
        return "The cluster is moving the store from one node to another. Try again when it has finished."
    return f"Redis refused a command of the store: {error}"
