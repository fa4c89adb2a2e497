"""A flow run that is cancelled ends between two operations, and not in the middle of one."""

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
    """SIGTERM came a while ago, and was put off."""


@contextmanager
def defer_termination() -> Iterator[Callable[[], bool]]:
    """Put off SIGTERM, by which a worker cancels a run, to the end of the body; whether it came is asked meanwhile.

    Raises:
        StoppedLate: it came, and would have ended the flow run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append((number, frame)))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGTERM, before)
        if asked:
            try:
                signal.raise_signal(signal.SIGTERM)
            except TerminationSignal as stop:
                raise DeferredTermination(stop.signal) from None


def is_cancelled() -> bool:
    """Whether the run is being cancelled; a SIGTERM may also come of a worker that goes down."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(runtime.flow_run.id)).state
    except (httpx.HTTPError, PrefectException):  # nobody can say
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def abort_if_cancelled() -> None:
    """End this process, and its run as cancelled, if it is being cancelled.

    Prefect takes a SIGTERM for a cancellation only if its own handler was there when the worker announced it; any other
    one is a crash, and a run that has crashed is started again.

    Raises:
        Abort: it is; Prefect's engine ends the process by it and reports nothing.
    """
    if is_cancelled():
        with suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(runtime.flow_run.id), Cancelled(message="Ended between two operations"))
        raise Abort("the run was cancelled")
