"""Cancel a flow run between two operations, never in the middle of one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from uuid import UUID

import httpx
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort, PrefectException, TerminationSignal
from prefect.states import Cancelled


class DeferredTermination(TerminationSignal):
    """SIGTERM arrived while it was deferred."""


@contextmanager
def defer_termination() -> Iterator[Callable[[], bool]]:
    """Defer SIGTERM, by which a worker cancels a run, to the end of the body; yield a function that says if it arrived.

    Raises:
        DeferredTermination: SIGTERM arrived, and would have ended the flow run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[tuple[int, FrameType | None]] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: received.append((number, frame)))
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, previous)
        if received:
            try:
                signal.raise_signal(signal.SIGTERM)
            except TerminationSignal as error:
                raise DeferredTermination(error.signal) from None


def is_cancelled() -> bool:
    """Return whether the run is being cancelled. A worker that shuts down sends SIGTERM too."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(runtime.flow_run.id)).state
    except (httpx.HTTPError, PrefectException):
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def abort_if_cancelled() -> None:
    """End this process, and its run as Cancelled, if the run is being cancelled.

    Prefect takes SIGTERM for a cancellation only if its own handler was installed when the worker announced it. Otherwise
    it reports a crash, and a crashed run is started again.

    Raises:
        Abort: The run is cancelled. Prefect's engine ends this process and reports nothing.
    """
    if is_cancelled():
        with suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(runtime.flow_run.id), Cancelled(message="Ended between two operations"))
        raise Abort("the run was cancelled")
