"""Make Redis clients with timeouts and retries, from a URL or a host."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.store.redis.connection.driver import (
    ClusterNode,
    NoBackoff,
    Retry,
    Sentinel,
    UsernamePasswordCredentialProvider,
    parse_url,
    redis,
    redis_errors,
)
from diffsync_store.store.redis.connection.error_hints import remedy_for
from diffsync_store.store.redis.connection.retry import TRANSIENT, RetryingCluster, transient_retry, try_on_cluster

DEFAULT_TIMEOUT = 30.0
"""Seconds after which a silent server is unavailable; `socket_timeout` and `socket_connect_timeout` override it."""

_PLAIN = ("redis://", "rediss://", "unix://")
_SCHEMES = "redis://, rediss://, unix://, redis+cluster://, rediss+cluster://, redis+sentinel:// or rediss+sentinel://"
_HAS_CLUSTER_RETRY = int(redis.__version__.split(".")[0]) >= 6

# redis-py has no types for these.
_parse_url: Any = parse_url
_ClusterNode: Any = ClusterNode


class _Sentinels(Sentinel):
    """redis-py's Sentinels, with the cause of a failed connection; redis-py gives only the name of its error."""

    def discover_master(self, service_name: str) -> Any:
        find: Any = super().discover_master
        try:
            return find(service_name)
        except redis_errors.ConnectionError as error:
            unfound = error
        raise unfound from next(filter(remedy_for, self._failures()), None)

    def _failures(self) -> Iterator[redis_errors.RedisError]:
        for sentinel in self.sentinels:
            try:
                sentinel.ping()
            except redis_errors.RedisError as error:
                yield error


@dataclass(frozen=True)
class _Location:
    """A parsed URL of a cluster or of Sentinels."""

    hosts: list[tuple[str, int]]
    path: list[str]
    options: dict[str, Any]


def make_client(
    *, host: str | None, port: int, url: str | None, db: int, options: dict[str, Any], stack: ExitStack
) -> Any:
    """Make a client; `stack` closes it.

    Raises:
        ObjectStoreException: an argument is not valid, or two exclude each other.
        TypeError: redis-py has no such option.
    """
    _check_mix(host, url, options)
    options = {"socket_timeout": DEFAULT_TIMEOUT, "socket_connect_timeout": DEFAULT_TIMEOUT, **options}
    if url is None:
        _check_files(options)
        client = redis.Redis(host=host or "localhost", port=port, db=db, **_with_retries(options))
    else:
        options.pop("ssl", None)  # it is in the URL
        client = _MAKERS.get(url.partition("://")[0], _from_plain_url)(url, db, options, stack)
    stack.callback(client.close)
    return client


def address_in(url: str) -> str:
    """Return the address in a URL, without user, password and options.

    Raises:
        ObjectStoreException: the URL is not valid.
    """
    scheme = url.partition("://")[0]
    if scheme in _MAKERS:
        location = _read(url, 26379 if scheme.endswith("sentinel") else 6379)
        return "/".join([f"{scheme}://{','.join(starmap(_host, location.hosts))}", *location.path])
    try:
        found = _parse_url(url)
    except ValueError as error:
        raise _not_valid(f"it must begin with {_SCHEMES}") from _without_url(error)
    if "path" in found:
        return f"{scheme}://{found['path']}"
    return f"{scheme}://{_host(found.get('host', 'localhost'), found.get('port', 6379))}/{found.get('db', 0)}"


def _host(name: str, port: int) -> str:
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _check_mix(host: str | None, url: str | None, options: dict[str, Any]) -> None:
    if host and url:
        raise ObjectStoreException("'host' and 'url' can not be specified at the same time.")
    if (host or url) and options.get("unix_socket_path"):
        raise ObjectStoreException("Give either 'unix_socket_path', or 'host' or 'url', not both.")
    if "decode_responses" in options:
        raise TypeError("decode_responses cannot be set: a store reads bytes.")
    if url and not url.startswith("rediss") and options.get("ssl"):
        raise ObjectStoreException("'ssl' needs a URL with TLS: write rediss:// instead of redis://.")
    is_tls = url.startswith("rediss") if url else options.get("ssl")
    unused = [name for name in options if name.startswith("ssl_")]
    if unused and not is_tls:
        raise ObjectStoreException(f"{', '.join(unused)} cannot be used without TLS: use a rediss:// URL or ssl=True.")


def _check_files(options: dict[str, Any]) -> None:
    """Check files now: a missing file would otherwise look like an unreachable server."""
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        try:
            if options.get(name):
                Path(options[name]).open("rb").close()
        except OSError as error:
            raise ObjectStoreException(f"{name} cannot be read: {error.strerror}: {options[name]}") from error


def _with_retries(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options, with the library's retries unless they have retries."""
    if "retry" in options:
        return options
    # redis-py 5 retries a command only for the errors in `retry_on_error`, and leaves socket errors to Retry.
    return {"retry": transient_retry(OSError), "retry_on_error": list(TRANSIENT), **options}


def _from_plain_url(url: str, db: int, options: dict[str, Any], _: ExitStack) -> Any:
    try:
        _check_files({**options, **_parse_url(url)})
        _check_database(url)
        # A database in the URL overrides `db`, as in redis-py.
        return redis.Redis.from_url(url, db=db, **_with_retries(options))
    except ValueError as error:
        why = (
            "the part after the scheme cannot be parsed" if url.startswith(_PLAIN) else f"it must begin with {_SCHEMES}"
        )
        raise _not_valid(why) from _without_url(error)


def _check_database(url: str) -> None:
    """Refuse a database that is not a number: redis-py would use database 0."""
    path = urlsplit(url).path.strip("/")
    if path and not path.isdecimal() and not url.startswith("unix://"):
        raise _not_valid("after the address comes the number of a database, or nothing")


def _from_cluster_url(url: str, db: int, options: dict[str, Any], _: ExitStack) -> Any:
    location = _read(url, 6379)
    if location.options.pop("db", db) or [part for part in location.path if part != "0"]:
        raise ObjectStoreException("A Redis Cluster has one database only: use 0.")
    options = {**options, **location.options}
    _check_files(options)
    _check_names(options, redis.Redis, redis.RedisCluster)
    nodes = [_ClusterNode(*host) for host in location.hosts]
    if options.keys() & {"retry", "cluster_error_retry_attempts"}:
        return redis.RedisCluster(startup_nodes=nodes, **options)
    own = {"retry": Retry(NoBackoff(), 0)} if _HAS_CLUSTER_RETRY else {"cluster_error_retry_attempts": 0}
    return try_on_cluster(lambda: RetryingCluster(startup_nodes=nodes, **own, **options))


def _from_sentinel_url(url: str, db: int, options: dict[str, Any], stack: ExitStack) -> Any:
    location = _read(url, 26379)
    match location.path:
        case [service]:
            database = location.options.get("db", db)
        case [service, number] if number.isdecimal():
            database = int(number)
        case _:
            raise _not_valid("write redis+sentinel://host:port,host:port/service or .../service/database")
    options = {**options, **location.options, "db": database}
    own = _sentinel_options(options)
    _check_files(options)
    make_sentinels: Any = _Sentinels
    sentinels = make_sentinels(location.hosts, sentinel_kwargs=own)
    for sentinel in sentinels.sentinels:
        stack.callback(sentinel.close)
    return sentinels.master_for(service, **_with_retries(options))


def _sentinel_options(options: dict[str, Any]) -> dict[str, Any]:
    """Remove the options of the Sentinels and return them, with timeouts and TLS, which apply to them too."""
    shared = {name: value for name, value in options.items() if name.startswith(("socket_", "ssl"))}
    own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    own |= options.pop("sentinel_kwargs", {})
    username, password = own.pop("username"), own.pop("password")
    if username or password:
        # In redis-py 6, the error of an unreachable Sentinel contains a password that was passed as an option.
        own["credential_provider"] = UsernamePasswordCredentialProvider(username, password)
    # No retries: the next Sentinel is the next try.
    return {"retry": Retry(NoBackoff(), 0), **shared, **own}


def _check_names(options: dict[str, Any], *classes: type[Any]) -> None:
    """Refuse unknown options: RedisCluster ignores them."""
    known = {name for made in classes for name in inspect.signature(made).parameters}
    unknown = options.keys() - known
    if unknown:
        raise TypeError(f"unexpected keyword arguments: {', '.join(sorted(unknown))}")


def _read(url: str, default_port: int) -> _Location:
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    try:
        addresses = [urlsplit(f"//{host}") for host in hosts.split(",")]
        options = _parse_url(f"redis://{credentials}{at}host?{query}")
        del options["host"]
        return _Location(
            hosts=[(address.hostname or "localhost", address.port or default_port) for address in addresses],
            path=[unquote(part) for part in path.split("/") if part],
            options={**options, **({"ssl": True} if scheme.startswith("rediss") else {})},
        )
    except ValueError as error:
        raise _not_valid("the part after the scheme cannot be parsed") from _without_url(error)


def _not_valid(why: str) -> ObjectStoreException:
    # Neither the URL nor the text of the cause is repeated: both may contain a password.
    return ObjectStoreException(f"The Redis URL is not valid: {why}.")


def _without_url(error: Exception) -> Exception:
    return type(error)("invalid Redis URL")


_MAKERS = {
    "redis+cluster": _from_cluster_url,
    "rediss+cluster": _from_cluster_url,
    "redis+sentinel": _from_sentinel_url,
    "rediss+sentinel": _from_sentinel_url,
}
