"""Limit how often an address or a person does something."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from starlette.exceptions import HTTPException
from starlette.requests import Request

from diffsync_store.serve.security.addresses import client_address

MAX_KEYS = 10_000
"""Keys that are remembered: the one unused for longest is forgotten first."""


@dataclass(frozen=True)
class Limit:
    """At most `times` in `seconds`."""

    times: int
    seconds: float


class RateLimits:
    """Counts by key in moving windows; the shortest finds a burst, the longest a slow search. Threads may share it."""

    def __init__(self, *limits: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._longest = max(limit.seconds for limit in limits)
        self._most = max(limit.times for limit in limits)
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def count(self, key: str) -> None:
        """Count one more."""
        with self._lock:
            times = self._times.setdefault(key, deque(maxlen=self._most))
            self._times.move_to_end(key)
            times.append(self._clock())
            while len(self._times) > MAX_KEYS:
                self._times.popitem(last=False)

    def wait(self, key: str) -> float:
        """Return the seconds until one more is allowed; 0 if it is allowed now."""
        with self._lock:
            times, now = self._times.get(key, deque()), self._clock()
            return max((_wait(limit, times, now) for limit in self._limits), default=0.0)

    def is_exhausted(self, key: str) -> bool:
        """Whether no more is allowed now."""
        return self.wait(key) > 0

    def take(self, key: str) -> float:
        """Count one more if it is allowed, and return 0; else return the seconds to wait."""
        if seconds := self.wait(key):
            return seconds
        self.count(key)
        return 0.0


def require_attempt(limits: RateLimits, request: Request, key: str = "") -> None:
    """Count a request by its address, or by a key.

    Raises:
        HTTPException: 429, with the time to wait.
    """
    if seconds := limits.take(key or client_address(request)):
        raise too_many(seconds)


def too_many(seconds: float) -> HTTPException:
    """Return the refusal."""
    wait = max(1, math.ceil(seconds))
    return HTTPException(429, f"Too many requests. Try again in {wait} s.", {"Retry-After": str(wait)})


def _wait(limit: Limit, times: deque[float], now: float) -> float:
    if len(times) < limit.times:
        return 0.0
    return max(0.0, times[-limit.times] + limit.seconds - now)
