"""Recognize transient errors: those after which the same call may succeed later.

Transient by default are:

- connection errors of the standard library (sockets, TLS, urllib, http.client, asyncio), httpx, requests, urllib3, aiohttp,
  redis-py and SQLAlchemy;
- HTTP 408, 425, 429 and 5xx, in any exception that has the response or the status;
- any exception with `is_transient = True`, on the object or its class.

Other statuses, untrusted certificates, wrong passwords and all other exceptions are not transient.

    if is_transient(error, adapter):
        time.sleep(retry_after(error) or backoff)

An adapter lists more exception classes in `transient_errors`, a tuple; with `transient_errors = None` nothing is retried. A call
that must not be made twice, such as a create, may be repeated at once if `was_not_done` is true for its error: it was refused before
it was sent, or the exception has `was_not_done = True`. After any other error, first find out whether the call was done.

This module imports no client library: it recognizes exceptions by the names of their classes and by their attributes.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_WAIT = 300.0
"""Maximum seconds to wait for a `Retry-After`."""

_TRANSIENT = {
    "builtins": {"ConnectionError", "TimeoutError"},
    "socket": {"gaierror", "herror"},
    "ssl": {"SSLError"},
    "http": {"IncompleteRead", "BadStatusLine"},
    "asyncio": {"IncompleteReadError"},
    "httpcore": {"TimeoutException", "NetworkError", "RemoteProtocolError", "ProxyError"},
    "httpx": {"TimeoutException", "NetworkError", "RemoteProtocolError", "ProxyError"},
    "requests": {"ConnectionError", "Timeout", "ChunkedEncodingError", "RetryError"},
    "urllib3": {"TimeoutError", "NewConnectionError", "ProtocolError", "ProxyError", "SSLError", "ResponseError"},
    "aiohttp": {"ClientConnectionError", "ClientPayloadError"},
    "redis": {"ConnectionError", "TimeoutError", "ClusterDownError", "SlotNotCoveredError"},
    "sqlalchemy": {"OperationalError", "InterfaceError"},
}
"""Transient exception classes by package. Their subclasses are transient too."""

_PERMANENT = {
    "ssl": {"SSLCertVerificationError"},
    "aiohttp": {"ClientConnectorCertificateError", "ServerFingerprintMismatch"},
    "redis": {"AuthenticationError", "AuthorizationError"},
}
"""Subclasses of transient classes that are not transient. An error that one of them caused is not transient either."""

_NOT_SENT = {
    "builtins": {"ConnectionRefusedError"},
    "socket": {"gaierror"},
    "httpcore": {"ConnectError", "ConnectTimeout", "PoolTimeout"},
    "httpx": {"ConnectError", "ConnectTimeout", "PoolTimeout"},
    "requests": {"ConnectTimeout"},
    "urllib3": {"NewConnectionError", "ConnectTimeoutError"},
    "aiohttp": {"ClientConnectorError", "ConnectionTimeoutError"},
}
"""Classes of errors that occur before a request is sent."""

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}
"""Error numbers of an `OSError` that occurs before a request is sent."""

_NOT_PROCESSED = {408, 425, 429}
"""Statuses of a request that the server did not process, so that it may be sent again."""

_PROGRAM_ERRORS = (
    *(TypeError, AttributeError, NameError, LookupError, ArithmeticError, AssertionError, ImportError),
    *(NotImplementedError, SyntaxError),
)
"""Errors of the program. They are not transient, even if they occur while a transient error is handled."""


def is_transient(error: BaseException, adapter: Any = None) -> bool:
    """Whether the same call may succeed later.

    The cause and the context of an exception count too. A group is transient if all its members are.

    Args:
        error: The exception of the call.
        adapter: An adapter with more classes in `transient_errors`. If they are None, nothing is transient.
    """
    own = getattr(adapter, "transient_errors", ())
    if own is None:
        return False
    return isinstance(error, own if isinstance(own, type) else tuple(own)) or _is_transient(error)


def was_not_done(error: BaseException) -> bool:
    """Whether a request certainly changed nothing: it did not reach the server, or the server did not process it.

    False if it may have been done and only its answer was lost. This includes a 503 with a `Retry-After`, which a proxy may
    send although the server has done the request.
    """
    for link in _chain(error):
        declared = _attribute(link, "was_not_done")
        if isinstance(declared, bool):
            return declared
        status = status_of(link)
        if status is not None:
            return status in _NOT_PROCESSED
        if _is_one_of(link, _NOT_SENT) or (isinstance(link, OSError) and link.errno in _UNREACHABLE):
            return True
    return False


def retry_after(error: BaseException, longest: float = LONGEST_WAIT) -> float | None:
    """Return the seconds after which the service asks for a retry, at most `longest`; None if it does not ask.

    They are in the attribute `retry_after` of the exception or one of its causes, or in the header `Retry-After` of its
    response, as seconds or as a date.
    """
    for link in _chain(error):
        given = _attribute(link, "retry_after")
        if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
            return min(max(float(given), 0.0), longest)
        for carrier in _carriers(link):
            headers = _attribute(carrier, "headers")
            written = _header(headers, "retry-after")
            seconds = None if written is None else _seconds(written, _header(headers, "date"))
            if seconds is not None:
                return min(max(seconds, 0.0), longest)
    return None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status (400 to 599) of the exception's response; None if it has no such status."""
    for carrier in _carriers(error):
        for name in ("status_code", "status", "code"):
            found = _attribute(carrier, name)
            if isinstance(found, int) and 400 <= found <= 599:
                return int(found)
    return None


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_transient, error.exceptions))
    is_connection_error = False
    for link in _chain(error):
        declared = _attribute(link, "is_transient")
        if isinstance(declared, bool):
            return declared
        # A connection error may have been caused by an error with a status, which says nothing about the service.
        status = None if is_connection_error else status_of(link)
        if status is not None:
            return status in _NOT_PROCESSED or status >= 500
        if _is_one_of(link, _PERMANENT):
            return False
        is_connection_error = is_connection_error or _is_connection_error(link)
    return is_connection_error


def _is_connection_error(error: BaseException) -> bool:
    if _is_one_of(error, _TRANSIENT) or getattr(error, "connection_invalidated", None) is True:
        return True
    return isinstance(error, OSError) and error.errno in _UNREACHABLE


def _is_one_of(error: BaseException, names: dict[str, set[str]]) -> bool:
    return any(cls.__name__ in names.get(cls.__module__.split(".", 1)[0], ()) for cls in type(error).__mro__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, the latest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = _cause_of(error)


def _cause_of(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    if error.__context__ is not None and not error.__suppress_context__:
        return None if isinstance(error, _PROGRAM_ERRORS) else error.__context__
    causes = (_attribute(error, "reason"), *error.args[:1])  # where urllib, urllib3 and httpcore put the cause
    return next((cause for cause in causes if isinstance(cause, BaseException)), None)


def _carriers(error: BaseException) -> Iterable[Any]:
    """Return the objects that may have a status and headers: the response of an exception, and the exception itself."""
    responses = (_attribute(error, name) for name in ("response", "req", "resp"))
    return [*(response for response in responses if response is not None), error]


def _attribute(owner: Any, name: str) -> Any:
    """Return an attribute; None if it is missing or is a property that raises."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001  # a foreign property may raise anything
        return None


def _header(headers: Any, name: str) -> str | None:
    try:
        return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)
    except Exception:  # noqa: BLE001  # the headers may be no mapping, or raise anything
        return None


def _seconds(written: str, date: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header. A date is relative to the response's `Date`, which has the same clock."""
    try:
        return float(written) if math.isfinite(float(written)) else None
    except ValueError:
        pass
    until = _time_of(written)
    if until is None:
        return None
    answered = _time_of(date) if date else None
    return until - (time.time() if answered is None else answered)


def _time_of(written: str) -> float | None:
    try:
        return parsedate_to_datetime(written).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
