"""Report the progress of long work every few seconds: in the run's log, and as an artifact if the total is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.runtime.ids import of_this_run

INTERVAL_SECONDS = 5.0


class ProgressState(NamedTuple):
    """The progress of one stage."""

    stage: str
    done: int
    total: int | None = None
    """None if unknown."""
    unit: str = "elements"
    is_estimate: bool = False
    """Whether the total is that of the last run."""


Measure = Callable[[], ProgressState | None]


class ProgressReporter:
    """Reports progress. The work calls this object, as diff and sync do; otherwise the reporter calls `measure`."""

    def __init__(self, key: str, measure: Measure | None = None) -> None:
        self._key = key
        self._measure = measure
        self._log = get_run_logger()
        self._state: ProgressState | None = None
        self._start = (monotonic(), 0)
        self._artifact: UUID | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._state is None or self._state.stage != stage:
            self._start = (monotonic(), done)
        self._state = ProgressState(stage, done, total)

    def report(self) -> None:
        """Log a line and update the artifact; an error here does not disturb the work."""
        state = self._measure() if self._measure else self._state
        if state is None:
            return
        line = format_progress(state, state.done - self._start[1], monotonic() - self._start[0])
        self._log.info("%s", line)
        if state.total:
            self._publish(min(100.0, 100 * state.done / state.total), line)

    def finish(self) -> None:
        """Set the artifact to 100 percent."""
        if self._artifact:
            self._publish(100.0, "done")

    def _publish(self, percent: float, line: str) -> None:
        with best_effort("Cannot publish the progress"):
            if self._artifact is None:
                artifact_id = create_progress_artifact(
                    percent, key=of_this_run(f"{self._key}-progress"), description=line
                )
                assert isinstance(artifact_id, UUID)  # noqa: S101  # for the type checker: no event loop, so no coroutine
                self._artifact = artifact_id
            else:
                update_progress_artifact(self._artifact, percent, description=line)


def format_progress(state: ProgressState, done_since: int, seconds: float) -> str:
    """Return one line: the amount done, the rate, and the time left at this rate.

    Args:
        state: The progress.
        done_since: The amount done within `seconds`.
        seconds: The time since the stage began.
    """
    about = "about " if state.is_estimate else ""
    total = f" of {about}{state.total:,}" if state.total is not None else ""
    line = f"{state.stage}: {state.done:,}{total} {state.unit}"
    rate = done_since / seconds if seconds > 0 else 0.0
    if rate <= 0:
        return line
    line += f", {rate:,.0f} a second" if rate >= 1 else f", {rate * 60:,.1f} a minute"
    if state.total is None or state.total < state.done:
        return line
    return f"{line}, {timedelta(seconds=round((state.total - state.done) / rate))} left"


@contextmanager
def progress(key: str, measure: Measure | None = None, seconds: float = INTERVAL_SECONDS) -> Iterator[ProgressReporter]:
    """Report the body's progress from another thread, and its end if it succeeds.

    Args:
        key: Key of the artifact, to which `-progress` is appended.
        measure: Returns the progress; without it, the body calls the object that it gets.
        seconds: Time between two reports, and before the first one. Shorter work has no report.
    """
    reporter = ProgressReporter(key, measure)
    with repeat_in_background(reporter.report, seconds):
        yield reporter
    reporter.finish()


@contextmanager
def repeat_in_background(function: Callable[[], None], seconds: float = INTERVAL_SECONDS) -> Iterator[None]:
    """Call a function every few seconds from another thread while the body runs."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            function()

    thread = Thread(target=copy_context().run, args=(repeat,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(INTERVAL_SECONDS)
