"""Which failures pass by themselves, and when to try again.

Transient by default are:

- failures of a connection: those of the standard library (sockets, TLS, urllib, http.client, asyncio), httpx, requests, urllib3, aiohttp, of
  redis-py, and of SQLAlchemy's connections;
- HTTP 408, 425, 429 and 5xx, in any exception that carries its response, or the status itself;
- an exception that says so: it, or its class, has `is_transient = True`.

Not transient are other statuses, certificates that are not trusted, wrong passwords, and whatever else a program raises.

    if is_transient(error, adapter):
        time.sleep(retry_after(error) or backoff)

An adapter adds exception classes of its own in `transient_errors`, a tuple; `transient_errors = None` says that nothing is to be tried
again. A call that is not to be made twice, such as a create, may be made again after a failure of which `was_not_done` is true; after
any other, look first whether it was done.

No library is imported here: exceptions are told apart by the names of their classes and by what they carry.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_WAIT = 300.0
"""Seconds: the most that a service's `Retry-After` is followed."""

_PASSING = {
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
"""By package: classes of failures that pass, with what is derived from them."""

_LASTING = {
    "ssl": {"SSLCertVerificationError"},
    "aiohttp": {"ClientConnectorCertificateError", "ServerFingerprintMismatch"},
    "redis": {"AuthenticationError", "AuthorizationError"},
}
"""Classes derived from those that do not pass; also as the cause of one that would."""

_NOT_SENT = {
    "builtins": {"ConnectionRefusedError"},
    "socket": {"gaierror"},
    "httpcore": {"ConnectError", "ConnectTimeout", "PoolTimeout"},
    "httpx": {"ConnectError", "ConnectTimeout", "PoolTimeout"},
    "requests": {"ConnectTimeout"},
    "urllib3": {"NewConnectionError", "ConnectTimeoutError"},
    "aiohttp": {"ClientConnectorError", "ConnectionTimeoutError"},
}
"""Classes of failures before anything was sent."""

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}
"""What the system says of networks, before anything was sent, without a class of its own."""

_LATER = {408, 425, 429}
"""Statuses after which the same request may be made again: it was not looked at."""

_OF_PROGRAMS = (
    *(TypeError, AttributeError, NameError, LookupError, ArithmeticError, AssertionError, ImportError),
    *(NotImplementedError, SyntaxError),
)
"""A fault of the program, also where it is met while another failure is handled."""


def is_transient(error: BaseException, adapter: Any = None) -> bool:
    """Whether the same work may well succeed a while later.

    The causes of an exception count, and what it was raised in the handling of; of a group, all its members.

    Args:
        error: what has failed.
        adapter: whose `transient_errors` count besides; where they are None, nothing is transient.
    """
    own = getattr(adapter, "transient_errors", ())
    if own is None:
        return False
    return isinstance(error, own if isinstance(own, type) else tuple(own)) or _passes(error)


def was_not_done(error: BaseException) -> bool:
    """Whether a request has surely changed nothing: nobody was reached, or the service put it off.

    False where it may have been done, and only its answer was lost. So is a 503 with a `Retry-After`: a proxy may give it in the place
    of a service that has done it.
    """
    for link in _chain(error):
        status = status_of(link)
        if status is not None:
            return status in _LATER
        if _is_one_of(link, _NOT_SENT) or (isinstance(link, OSError) and link.errno in _UNREACHABLE):
            return True
    return False


def retry_after(error: BaseException, longest: float = LONGEST_WAIT) -> float | None:
    """Seconds after which the service asks to be tried again, at most `longest`; None where it does not say.

    The exception, or one of its causes, has them as a number in an attribute `retry_after`, or carries a response with a header
    `Retry-After`, in seconds or as a date.
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
    """The status of the HTTP answer that an exception is about, from 400 on; None where it is about none."""
    for carrier in _carriers(error):
        for name in ("status_code", "status", "code"):
            found = _attribute(carrier, name)
            if isinstance(found, int) and 400 <= found <= 599:
                return int(found)
    return None


def _passes(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_passes, error.exceptions))
    is_passing = False
    for link in _chain(error):
        said = _attribute(link, "is_transient")
        if isinstance(said, bool):
            return said
        status = None if is_passing else status_of(link)  # below a lost connection it is not the service's
        if status is not None:
            return status in _LATER or status >= 500
        if _is_one_of(link, _LASTING):
            return False
        is_passing = is_passing or _is_of_network(link)
    return is_passing


def _is_of_network(error: BaseException) -> bool:
    if _is_one_of(error, _PASSING) or getattr(error, "connection_invalidated", None) is True:
        return True
    return isinstance(error, OSError) and error.errno in _UNREACHABLE


def _is_one_of(error: BaseException, names: dict[str, set[str]]) -> bool:
    return any(cls.__name__ in names.get(cls.__module__.split(".", 1)[0], ()) for cls in type(error).__mro__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it, the last first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = _led_to(error)


def _led_to(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    if error.__context__ is not None and not error.__suppress_context__:
        return None if isinstance(error, _OF_PROGRAMS) else error.__context__
    carried = (_attribute(error, "reason"), *error.args[:1])  # as urllib, urllib3 and httpcore have it
    return next((found for found in carried if isinstance(found, BaseException)), None)


def _carriers(error: BaseException) -> Iterable[Any]:
    """What may have a status and headers: the response of an exception, under the names that clients give it, and itself."""
    found = (_attribute(error, name) for name in ("response", "req", "resp"))
    return [*(each for each in found if each is not None), error]


def _attribute(owner: Any, name: str) -> Any:
    """An attribute, or None: some are properties that raise."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001  # whatever a foreign class does
        return None


def _header(headers: Any, name: str) -> str | None:
    try:
        return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)
    except Exception:  # noqa: BLE001  # no mapping, or one that raises
        return None


def _seconds(written: str, date: str | None) -> float | None:
    """What a header `Retry-After` says; a date is counted from the answer's own, whose clock is the same."""
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
