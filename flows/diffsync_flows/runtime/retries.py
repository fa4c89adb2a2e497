"""Decide which failures of a task are retried, and when."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypedDict

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from diffsync_store import Adapter
from diffsync_store.transient import is_transient, retry_after

MAX_RESTARTS = 3
"""How often a run is started again after its process died."""


@contextmanager
def classify_errors(adapter: Adapter) -> Iterator[None]:
    """Mark each error of the body as transient or not, by the adapter's `transient_errors`."""
    try:
        yield
    except Exception as error:
        with suppress(TypeError):  # an exception without attributes keeps its default class
            vars(error)["is_transient"] = is_transient(error, adapter)
        raise


def _is_transient_failure(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    failure = state.result(raise_on_failure=False)
    if not isinstance(failure, BaseException) or not is_transient(failure):
        return False
    if seconds := retry_after(failure):
        get_run_logger().info("The service asks for a pause of %.0f seconds (Retry-After)", seconds)
        time.sleep(seconds)
    return True


def _never(_: Task[..., Any], __: TaskRun, ___: State[Any]) -> bool:
    return False


class TaskOptions(TypedDict):
    """Options of a Prefect task."""

    cache_policy: Any
    retries: int
    retry_delay_seconds: Any
    retry_jitter_factor: float
    retry_condition_fn: Any


def _retries(times: int) -> TaskOptions:
    return TaskOptions(
        cache_policy=NO_CACHE,
        retries=times,
        retry_delay_seconds=exponential_backoff(backoff_factor=1),
        retry_jitter_factor=0.5,
        retry_condition_fn=_is_transient_failure,
    )


IO_RETRIES = _retries(4)
"""For a task that does I/O and is safe to repeat: retries after about 1, 2, 4 and 8 seconds, or when the service allows."""

LOAD_RETRIES = _retries(6)
"""For a load: retries for about a minute, in which its system may restart."""

NO_RETRIES = TaskOptions(
    cache_policy=NO_CACHE, retries=1, retry_delay_seconds=0, retry_jitter_factor=0, retry_condition_fn=_never
)
"""For a task that is not safe to repeat.

Prefect logs a traceback when a task has no retries left, and none when the condition refuses the retry. The flow reports
the same failure in one sentence.
"""
