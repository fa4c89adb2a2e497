"""Retries of transient errors, with waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from diffsync_store.store.redis.connection.driver import EqualJitterBackoff, Retry, redis, redis_errors
from diffsync_store.store.redis.connection.error_hints import remedy_for

RETRIES = 2
"""Tries after the first: the first a quarter to half a second later, the second half a second to a second after that."""

TRANSIENT = (redis_errors.ConnectionError, redis_errors.TimeoutError)

_MOVING_PATIENCE = 30.0
"""Seconds to wait while a cluster moves a store from one node to another."""

T = TypeVar("T")


class TransientRetry(Retry):
    """redis-py's Retry for transient errors: refused requests are not retried.

    redis-py reconnects within the next try of a command, and would retry that too: here it tries once.
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


def transient_retry(*others: type[Exception]) -> TransientRetry:
    """Return retries of transient errors and of these other errors."""
    return TransientRetry(EqualJitterBackoff(cap=1.0, base=0.25), RETRIES, (*TRANSIENT, *others))


class RetryingCluster(redis.RedisCluster):
    """redis-py's cluster client with waits between retries. It asks for the cluster's nodes before each try.

    Make it without redis-py's own retries.
    """

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; a client that was closed connects again, as one of a single server does."""
        until = time.monotonic() + _MOVING_PATIENCE
        run: Callable[..., Any] = super().execute_command
        if self.nodes_manager.default_node is None:
            try_on_cluster(self.nodes_manager.initialize)
        while True:
            try:
                return try_on_cluster(lambda: run(*args, **kwargs), lambda _: self.replace_default_node())
            except redis_errors.ClusterError as error:
                # For half a second the cluster has answered TRYAGAIN: keys of one slot are on two nodes.
                if type(error) is not redis_errors.ClusterError or time.monotonic() > until:
                    raise


def try_on_cluster(do: Callable[[], T], fail: Callable[..., Any] = lambda _: None) -> T:
    """Call `do` with retries, also for the errors of a cluster whose nodes cannot be reached."""
    return transient_retry(redis_errors.ClusterDownError, redis_errors.RedisClusterException).call_with_retry(do, fail)
