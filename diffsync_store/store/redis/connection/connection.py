"""Connecting to Redis, and the one place where redis errors become the library's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from diffsync_store.exceptions import ObjectStoreException, StoreUnavailable
from diffsync_store.store.redis.connection.client import make_client
from diffsync_store.store.redis.connection.driver import redis, redis_errors
from diffsync_store.store.redis.connection.error_hints import remedy_for
from diffsync_store.store.redis.writing.pipeline import Pipeline

_UNAVAILABLE = "Redis store is unavailable."
_PASSING = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ClusterDownError,
    redis_errors.SlotNotCoveredError,
)
_IN_SCRIPT = re.compile("ACL failure in script|user executing the script can't")
"""A right that is lacking inside a script comes as an error without a code; the second text is that of Redis 6.2."""
_OUT_OF_MEMORY = "-OOM command not allowed"
"""So it comes out of a script of Redis 6.2."""
_TLS_HINT = " It closed the connection: if it asks for client certificates, give `ssl_certfile` and `ssl_keyfile`."


class Connection:
    """A Redis client, whoever made it, with errors translated; closes the client only if it made it.

    `options` are redis-py's own connection arguments: `username`, `password`, `ssl`, `ssl_ca_certs`, `ssl_certfile`,
    `ssl_keyfile`, `unix_socket_path`, `socket_timeout`, `retry` and so on.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        port: int = 6379,
        url: str | None = None,
        db: int = 0,
        client: Any = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        if client is not None and (host or url or options):
            raise ObjectStoreException(
                "Give either a client, or the arguments to make one from (host, url, password, ...), not both."
            )
        options = options or {}
        is_own = client is None
        is_tls = (url or "").startswith("rediss") or options.get("ssl")
        with ExitStack() as made, translated_errors(hint=_TLS_HINT if is_tls else ""):
            if is_own:
                client = make_client(host=host, port=port, url=url, db=db, options=options, made=made)
            self.client = client
            if self.client.get_encoder().decode_responses:
                raise ObjectStoreException("A store reads bytes: make the Redis client with decode_responses=False.")
            self.client.ping()
            self._made = made.pop_all()
        self._is_own = is_own

    def new_pipe(self) -> Pipeline | None:
        """A pipe beside the client; none for a cluster, nor where the client, with its limits, is somebody else's."""
        return Pipeline(self.client) if self._is_own and isinstance(self.client, redis.Redis) else None

    def close(self) -> None:
        """Close the client if this object made it."""
        self._made.close()


@contextmanager
def translated_errors(hint: str = "") -> Iterator[None]:
    """Raise redis-py's errors as ObjectStoreException, with the redis error as cause.

    `hint` is for a server that was reached and then lost. It may have refused a certificate: whether it could say so
    before it closed the connection is a matter of chance.
    """
    try:
        yield
    except (redis_errors.RedisError, redis_errors.RedisClusterException) as error:
        remedy = remedy_for(error)
        if remedy is None and _is_passing(error):
            raise StoreUnavailable(
                _UNAVAILABLE if "connecting to" in str(error) else f"{_UNAVAILABLE}{hint}"
            ) from error
        raise ObjectStoreException(remedy or _what_happened(error)) from error


def _is_passing(error: BaseException) -> bool:
    """Whether the server could not be reached; a cluster's client tells it of its nodes by an error of its own."""
    if isinstance(error, redis_errors.OutOfMemoryError | redis_errors.NoPermissionError):
        return False
    return any(isinstance(cause, _PASSING) for cause in (error, error.__cause__))


def _what_happened(error: BaseException) -> str:
    if isinstance(error, redis_errors.OutOfMemoryError) or _OUT_OF_MEMORY in str(error):
        return f"Redis is out of memory: drop stores, or raise maxmemory (`diffsync-store stores` lists them). {error}"
    if isinstance(error, redis_errors.NoPermissionError) or _IN_SCRIPT.search(str(error)):
        return f"The Redis user lacks a right that the store needs, and the documentation has the ACL rule for: {error}"
    if type(error) is redis_errors.ClusterError:
        return "The cluster is moving the store from one node to another: try again when it is done."
    return f"Redis refused a command of the store: {error}"
