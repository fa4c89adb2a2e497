"""Which failures are worth another attempt, and when."""

import sys
from collections.abc import Iterator
from typing import Any, TypedDict

import redis
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State, TaskRun
from prefect.tasks import Task, exponential_backoff
from redis.exceptions import AuthorizationError, ClusterDownError, SlotNotCoveredError

PASSING = (
    *(redis.ConnectionError, redis.TimeoutError, ClusterDownError, SlotNotCoveredError),
    *(ConnectionError, TimeoutError),
)
RESTARTS = 3
"""How often a run whose process died is started again by itself."""

LASTING = (redis.AuthenticationError, AuthorizationError)


def is_transient(error: BaseException) -> bool:
    """Did a connection fail, rather than the work? A wrong password or value stays wrong."""
    chain = list(_causes(error))
    if any(isinstance(cause, LASTING) for cause in chain):
        return False
    return any(isinstance(cause, PASSING) or _is_of_connection(cause) for cause in chain)


def _is_of_connection(error: BaseException) -> bool:
    """Whether a database's connection failed; a tenth of a second is saved where none is used."""
    if "sqlalchemy" not in sys.modules:
        return False
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return is_lost or isinstance(error, OperationalError | InterfaceError)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _has_failed_in_passing(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, BaseException) and is_transient(failure)


def _never(_: Task[..., Any], __: TaskRun, ___: State[Any]) -> bool:
    return False


class TaskOptions(TypedDict):
    """Options of a Prefect task."""

    cache_policy: Any
    retries: int
    retry_delay_seconds: Any
    retry_jitter_factor: float
    retry_condition_fn: Any


RETRIED = TaskOptions(
    cache_policy=NO_CACHE,
    retries=4,
    retry_delay_seconds=exponential_backoff(backoff_factor=1),
    retry_jitter_factor=0.5,
    retry_condition_fn=_has_failed_in_passing,
)
"""For tasks that do I/O and may be done twice: attempts after about 1, 2, 4 and 8 seconds."""

ONCE = TaskOptions(
    cache_policy=NO_CACHE, retries=1, retry_delay_seconds=0, retry_jitter_factor=0, retry_condition_fn=_never
)
"""For a task that is not tried again. Prefect logs the traceback of one that has no attempt left, beside what the flow says of
the same failure; of one whose condition refuses the next attempt it does not.
"""
