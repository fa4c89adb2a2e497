"""Connecting to Redis, and the one place where redis errors become the library's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffsync_store.exceptions import ObjectStoreException

try:
    import redis
    from redis import exceptions as redis_errors
except ImportError as error:
    raise ImportError("RedisStore needs the redis package: pip install 'diffsync-store[redis]'") from error

DEFAULT_TIMEOUT = 30.0
"""Seconds until a silent server counts as unavailable; `socket_timeout` and `socket_connect_timeout` override it."""


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
        options = dict(options or {})
        self.owned = client is None
        if client is not None:
            if host or url or options:
                raise ObjectStoreException(
                    "Give either a client, or the arguments to make one from (host, url, password, ...), not both."
                )
            self.client = client
        else:
            if host and url:
                raise ObjectStoreException("'host' and 'url' can not be specified at the same time.")
            if "decode_responses" in options:
                raise TypeError("decode_responses cannot be set: a store reads bytes.")
            options.setdefault("socket_timeout", DEFAULT_TIMEOUT)
            options.setdefault("socket_connect_timeout", DEFAULT_TIMEOUT)
            if url:
                self.client = _from_url(url, db, options)
            else:
                self.client = redis.Redis(host=host or "localhost", port=port, db=db, **options)
        if getattr(self.client, "get_encoder", None) and self.client.get_encoder().decode_responses:
            raise ObjectStoreException("A store reads bytes: make the Redis client with decode_responses=False.")
        with translated_errors():
            self.client.ping()

    def close(self) -> None:
        """Close the client if this object made it."""
        if self.owned:
            self.client.close()


def _from_url(url: str, db: int, options: dict[str, Any]) -> Any:
    try:
        # A database in the URL wins over `db`, as redis-py has it.
        return redis.Redis.from_url(url, db=db, **options)
    except ValueError as error:
        # The URL may hold a password: it is not repeated here, nor is the cause, whose text may hold it.
        scheme = "redis://, rediss:// or unix://"
        raise ObjectStoreException(f"The Redis URL is not valid: it must begin with {scheme}.") from _nameless(error)


def _nameless(error: Exception) -> Exception:
    return type(error)("invalid Redis URL")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise redis-py's errors as ObjectStoreException, with the redis error as cause."""
    try:
        yield
    except (redis_errors.AuthenticationError, redis_errors.AuthorizationError) as error:
        raise ObjectStoreException(
            "Redis refused the user name or password: check `username` and `password`."
        ) from error
    except redis_errors.NoPermissionError as error:
        raise ObjectStoreException(f"The Redis user lacks a right that the store needs: {error}") from error
    except redis_errors.OutOfMemoryError as error:
        raise ObjectStoreException(f"Redis is out of memory: drop stores, or raise maxmemory. {error}") from error
    except redis_errors.BusyLoadingError as error:
        raise ObjectStoreException("Redis store is unavailable.") from error
    except (redis_errors.ConnectionError, redis_errors.TimeoutError) as error:
        if _is_authentication(error):
            raise ObjectStoreException(
                "Redis refused the user name or password: check `username` and `password`."
            ) from error
        raise ObjectStoreException("Redis store is unavailable.") from error
    except redis_errors.RedisError as error:
        raise ObjectStoreException(f"Redis refused a command of the store: {error}") from error


def _is_authentication(error: Exception) -> bool:
    return any(code in str(error) for code in ("NOAUTH", "WRONGPASS"))
