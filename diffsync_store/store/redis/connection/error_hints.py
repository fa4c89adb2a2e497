"""Errors of a connection that a retry does not solve, and their remedies."""

from __future__ import annotations

from collections.abc import Iterator

from diffsync_store.store.redis.connection.driver import redis_errors

_PASSWORD = "Redis refused the user name or password: check `username` and `password`."  # noqa: S105  # a message
_SENTINEL = (
    "A Sentinel refused the user name or password: give those of the Sentinels in `sentinel_kwargs`, or in the URL as "
    "sentinel_username and sentinel_password. `username` and `password` are for Redis."
)
_NO_CLUSTER = (
    "This Redis is not a cluster, or the user may not run CLUSTER: use a URL that begins with redis:// or rediss://."
)
_CLUSTER = "This Redis is a node of a cluster: use a URL that begins with redis+cluster:// or rediss+cluster://."
_NO_SENTINEL = "This Redis is not a Sentinel: a redis+sentinel:// URL has the addresses of Sentinels (usually port 26379), not of Redis."
_REPLICA = "This Redis is a replica, which refuses writes: connect to its master, or through Sentinels with a redis+sentinel:// URL."
_NO_DATABASE = (
    "This Redis has no database of that number: use a lower number, or raise `databases` in its configuration."
)
_UNTRUSTED = (
    "The server's TLS certificate was not accepted: give the certificate of the authority that signed it as "
    "`ssl_ca_certs`, and connect by a name that is in the certificate."
)
_UNWANTED = (
    "Redis refused the client's TLS certificate, or got none: give one that is signed by an authority which the server "
    "trusts as `ssl_certfile`, and its key as `ssl_keyfile`."
)
_NO_PAIR = "`ssl_certfile` and `ssl_keyfile` are not a certificate and its key in PEM format."
_NO_TLS = "The server does not speak TLS on this port: connect to its TLS port, or without TLS."

_REMEDIES = {
    "NOAUTH": _PASSWORD,
    "WRONGPASS": _PASSWORD,
    "AuthenticationError": _SENTINEL,  # MasterNotFoundError has the name of each Sentinel's error
    "Cluster mode is not enabled": _NO_CLUSTER,
    "cluster support disabled": _NO_CLUSTER,
    "unknown command 'SENTINEL'": _NO_SENTINEL,
    "unknown command `SENTINEL`": _NO_SENTINEL,  # Redis 6.2
    "You can't write against a read only replica": _REPLICA,
    "DB index is out of range": _NO_DATABASE,
    "MOVED ": _CLUSTER,  # redis-py 5
    "CERTIFICATE_VERIFY_FAILED": _UNTRUSTED,
    "ALERT_CERTIFICATE": _UNWANTED,
    "ALERT_UNKNOWN_CA": _UNWANTED,
    "ALERT_BAD_CERTIFICATE": _UNWANTED,
    "ALERT_HANDSHAKE_FAILURE": _UNWANTED,
    "[SSL] PEM lib": _NO_PAIR,
    "KEY_VALUES_MISMATCH": _NO_PAIR,
    "WRONG_VERSION_NUMBER": _NO_TLS,
}
"""Remedies by a part of the error's text: most errors of OpenSSL arrive as text only."""


def remedy_for(error: BaseException) -> str | None:
    """Return why the server refuses the connection and what to do; None if a retry may succeed."""
    for cause in _causes(error):
        if isinstance(cause, redis_errors.AuthenticationError | redis_errors.AuthorizationError):
            return _PASSWORD
        if isinstance(cause, redis_errors.MovedError):
            return _CLUSTER
        for sign, remedy in _REMEDIES.items():
            if sign in str(cause):
                return remedy
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__
