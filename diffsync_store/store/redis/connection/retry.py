"""Trying again what may pass by itself, with waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from diffsync_store.store.redis.connection.driver import EqualJitterBackoff, Retry, redis, redis_errors
from diffsync_store.store.redis.connection.error_hints import remedy_for

RETRIES = 2
"""Tries after the first, a quarter to half a second and then half a second to a second later."""

PASSING = (redis_errors.ConnectionError, redis_errors.TimeoutError)

_MOVING_PATIENCE = 30.0
"""Seconds to wait until a cluster has moved a store from one node to another."""

T = TypeVar("T")


class PassingRetry(Retry):
    """redis-py's Retry for what may pass by itself: what was refused is not tried again.

    redis-py connects anew within the next try of a command, and would try to do that several times: here it is once.
    """

    _is_trying = False

    def call_with_retry(self, do: Callable[[], T], fail: Callable[..., Any], *args: Any, **kwargs: Any) -> T:
        is_nested = self._is_trying

        def fail_for_good(error: Exception, *count: int) -> None:
            fail(error, *count)
            if is_nested or remedy_for(error):
                raise error

        self._is_trying = True
        try:
            return super().call_with_retry(do, fail_for_good, *args, **kwargs)
        finally:
            self._is_trying = is_nested


def passing_retry(*others: type[Exception]) -> PassingRetry:
    """Retries of what may pass, these other errors included."""
    return PassingRetry(EqualJitterBackoff(cap=1.0, base=0.25), RETRIES, (*PASSING, *others))


class PassingCluster(redis.RedisCluster):
    """redis-py's client of a cluster, which asks for the cluster's nodes before each try but does not wait.

    `options` are without redis-py's own retries.
    """

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        until = time.monotonic() + _MOVING_PATIENCE
        run: Callable[..., Any] = super().execute_command
        while True:
            try:
                return try_on_cluster(lambda: run(*args, **kwargs), lambda _: self.replace_default_node())
            except redis_errors.ClusterError as error:
                # redis-py has been told for half a second to try again: keys of one slot are on two nodes.
                if type(error) is not redis_errors.ClusterError or time.monotonic() > until:
                    raise


def try_on_cluster(do: Callable[[], T], fail: Callable[..., Any] = lambda _: None) -> T:
    """Do it with retries; a cluster whose nodes cannot be reached has errors of its own for that."""
    return passing_retry(redis_errors.ClusterDownError, redis_errors.RedisClusterException).call_with_retry(do, fail)
