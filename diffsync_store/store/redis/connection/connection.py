"""A connection to Redis that stores, saved diffs and leases can share."""

from __future__ import annotations

from contextlib import ExitStack
from copy import copy
from typing import Any, Self

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.store.redis.connection.client import make_client
from diffsync_store.store.redis.connection.errors import translated_errors

_DEFAULTS = {"port": 6379, "db": 0}
_TLS_HINT = " It closed the connection: if it asks for client certificates, give `ssl_certfile` and `ssl_keyfile`."


class Connection:
    """A connection to Redis. Pass it as `connection=` to share it; whoever opened it closes it, for example by `with`.

    RedisStore, RedisStores, RedisDiffs, RedisLeases and Retention take a `connection`, or the arguments below to open
    one of their own. Threads may share a connection, and so may forked child processes.

    Args:
        host: host name; or give a `url`, not both.
        port: port of the host.
        url: redis://, rediss://, unix://, redis+cluster://, rediss+cluster://, redis+sentinel:// or rediss+sentinel://.
        db: number of the database.
        client: a redis-py client to use instead, made with `decode_responses=False`; it keeps its own timeouts and
            retries, and is not closed.
        options: any connection argument of redis-py: `username`, `password`, `ssl`, `ssl_ca_certs`, `ssl_certfile`,
            `ssl_keyfile`, `unix_socket_path`, `socket_timeout`, `retry`, ...; `sentinel_kwargs` for the connections to
            Sentinels.

    Raises:
        ObjectStoreException: Redis cannot be reached or refuses the password; an argument is not valid.
        TypeError: redis-py has no such option.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        port: int = 6379,
        url: str | None = None,
        db: int = 0,
        client: Any = None,
        **options: Any,
    ) -> None:
        if client is not None and (host or url or options):
            raise ObjectStoreException(
                "Give either a client, or the arguments to make one from (host, url, password, ...), not both."
            )
        self.has_own_client = client is None
        is_tls = (url or "").startswith("rediss") or options.get("ssl")
        with ExitStack() as stack, translated_errors(hint=_TLS_HINT if is_tls else ""):
            if client is None:
                client = make_client(host=host, port=port, url=url, db=db, options=options, stack=stack)
            self.client = client
            if self.client.get_encoder().decode_responses:
                raise ObjectStoreException("A store reads bytes: make the Redis client with decode_responses=False.")
            self.client.ping()
            self._stack = stack.pop_all()

    @classmethod
    def share_or_open(cls, connection: Connection | None, **arguments: Any) -> Connection:
        """Return a share of `connection`, whose `close` does nothing; without one, open a connection.

        Raises:
            ObjectStoreException: both a connection and arguments for one are given.
        """
        if connection is None:
            return cls(**arguments)
        given = [name for name, value in arguments.items() if value is not None and value != _DEFAULTS.get(name)]
        if given:
            raise ObjectStoreException(f"Give either a connection, or {', '.join(given)} to open one, not both.")
        share = copy(connection)
        share._stack = ExitStack()
        return share

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the client, unless it was passed in."""
        self._stack.close()
