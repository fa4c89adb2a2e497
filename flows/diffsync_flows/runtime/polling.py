"""Poll a lease until it is free."""

from typing import Any

from prefect import get_run_logger
from tenacity import RetryCallState, wait_fixed

from diffsync_store import LeaseHeld

POLL_SECONDS = 1


def polling(condition: Any, message: str) -> dict[str, Any]:
    """Return options for tenacity: call again every second while the condition holds.

    Args:
        condition: A `retry` condition of tenacity; the call returns the lease's holder, or raises LeaseHeld.
        message: The beginning of the line that is logged once; the holder is appended.
    """

    def log_first(attempt: RetryCallState) -> None:
        if attempt.attempt_number == 1 and attempt.outcome is not None:
            error = attempt.outcome.exception()
            holder = error.holder if isinstance(error, LeaseHeld) else attempt.outcome.result()
            get_run_logger().info("%s %s", message, holder)

    return {"retry": condition, "wait": wait_fixed(POLL_SECONDS), "before_sleep": log_first}
