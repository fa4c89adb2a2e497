"""Which failures are worth another attempt, and when."""

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
"""How often a run whose process died is started again by itself."""


@contextmanager
def classify_errors(adapter: Adapter) -> Iterator[None]:
    """What the body raises is tried again, or not, as the adapter's `transient_errors` say."""
    try:
        yield
    except Exception as error:
        with suppress(TypeError):  # one without attributes: then the adapter's word is not heard
            vars(error)["is_transient"] = is_transient(error, adapter)
        raise


def _is_transient_failure(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    failure = state.result(raise_on_failure=False)
    if not isinstance(failure, BaseException) or not is_transient(failure):
        return False
    if asked := retry_after(failure):
        get_run_logger().info("The service asks to be left alone for %.0f seconds", asked)
        time.sleep(asked)
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
"""For tasks that do I/O and may be done twice: attempts after about 1, 2, 4 and 8 seconds, later where a service asks for that."""

LOAD_RETRIES = _retries(6)
"""For a load: about a minute in all, in which its system may be started again."""

NO_RETRIES = TaskOptions(
    cache_policy=NO_CACHE, retries=1, retry_delay_seconds=0, retry_jitter_factor=0, retry_condition_fn=_never
)
"""For a task that is not tried again. Prefect logs the traceback of one that has no attempt left, beside what the flow says of
the same failure; of one whose condition refuses the next attempt it does not.
"""
