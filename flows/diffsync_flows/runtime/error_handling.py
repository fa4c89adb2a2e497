"""End a run as Failed, with one sentence as its message, for errors that a person can fix."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from prefect.states import Failed

from diffsync_flows.runtime.cancellation import DeferredTermination, abort_if_cancelled
from diffsync_flows.runtime.superseded_runs import abort_if_superseded
from diffsync_store.printable import printable_lines, with_notes
from diffsync_store.project import EXPECTED_ERRORS

F = TypeVar("F", bound=Callable[..., Any])


def report_expected_errors(function: F) -> F:
    """Decorate a flow's function: return a Failed state for an expected error, and let others end the run with a traceback.

    Whatever the error, a process whose run was started again ends without reporting a state, and a process whose run was
    cancelled while it could not be interrupted ends the run as Cancelled.
    """

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
    """Return the error's message and its notes, safe to print."""
    return printable_lines(with_notes(error))
