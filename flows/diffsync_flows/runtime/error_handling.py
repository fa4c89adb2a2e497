"""A run that meets what a person can mend ends as Failed with that sentence, and nothing before it or after it."""

import asyncio
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from prefect.states import Failed

from diffsync_flows.config.config import read_config
from diffsync_flows.runtime.cancellation import DeferredTermination, abort_if_cancelled
from diffsync_flows.runtime.errors import EXPECTED_ERRORS
from diffsync_flows.runtime.superseded_runs import abort_if_superseded, abort_if_superseded_async
from diffsync_store import ObjectStoreException
from diffsync_store.printable import printable_lines
from diffsync_store.transient import is_transient

F = TypeVar("F", bound=Callable[..., Any])


def report_expected_errors(function: F) -> F:
    """For a flow's function: any other exception ends the run with its traceback, as Prefect has it.

    A process whose run was started again meanwhile ends without a word, whatever the exception; one whose run was cancelled in
    the middle of what is not interrupted ends it as Cancelled.
    """
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                await abort_if_superseded_async()
                if not isinstance(error, EXPECTED_ERRORS):
                    raise
                return Failed(message=await asyncio.to_thread(error_message, error))

        return cast("F", run_async)

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except DeferredTermination:
            abort_if_superseded()
            abort_if_cancelled()
            raise
        except Exception as error:
            abort_if_superseded()
            if not isinstance(error, EXPECTED_ERRORS):
                raise
            return Failed(message=error_message(error))

    return cast("F", run)


def error_message(error: Exception) -> str:
    """What the error says; of a store that does not answer also which one it is, and what to do."""
    if not (isinstance(error, ObjectStoreException) and is_transient(error)):
        return printable_lines(str(error))
    return read_config().describe_error(error)
