"""Long work says how far it is, every few seconds: in the run's log, and as an artifact where its whole is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

SECONDS = 5.0


class ProgressState(NamedTuple):
    """How far a stage of the work is."""

    stage: str
    done: int
    total: int | None = None
    """None where nobody knows."""
    what: str = "elements"
    is_guess: bool = False
    """Whether the total is what it was the last time."""


class ProgressReporter:
    """How far the work is: it says so by calling this, as the library's diff and sync do, or is asked by `measure`."""

    def __init__(self, key: str, measure: "Callable[[], ProgressState | None] | None" = None) -> None:
        self._key = key
        self._measure = measure
        self._log = get_run_logger()
        self._state: ProgressState | None = None
        self._began = (monotonic(), 0)
        self._artifact: UUID | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._state is None or self._state.stage != stage:
            self._began = (monotonic(), done)
        self._state = ProgressState(stage, done, total)

    def tell(self) -> None:
        """Log a line, and bring the artifact up to date; that Prefect cannot be told does not disturb the work."""
        state = self._measure() if self._measure else self._state
        if state is None:
            return
        line = told(state, state.done - self._began[1], monotonic() - self._began[0])
        self._log.info("%s", line)
        if state.total:
            self._show(min(100.0, 100 * state.done / state.total), line)

    def end(self) -> None:
        """The work is done."""
        if self._artifact:
            self._show(100.0, "done")

    def _show(self, percent: float, line: str) -> None:
        try:
            if self._artifact is None:
                made = create_progress_artifact(percent, key=f"{self._key}-progress", description=line)
                assert isinstance(made, UUID)  # noqa: S101  # for the type checker: outside of a loop it is no coroutine
                self._artifact = made
            else:
                update_progress_artifact(self._artifact, percent, description=line)
        except httpx.HTTPError as error:
            self._log.warning("The progress could not be shown: %s", error)


def told(state: ProgressState, since: int, seconds: float) -> str:
    """One line: how much is done, how fast, and how long the rest will take at this rate."""
    about = "about " if state.is_guess else ""
    whole = f" of {about}{state.total:,}" if state.total is not None else ""
    line = f"{state.stage}: {state.done:,}{whole} {state.what}"
    rate = since / seconds if seconds > 0 else 0.0
    if rate <= 0:
        return line
    line += f", {rate:,.0f} a second" if rate >= 1 else f", {rate * 60:,.1f} a minute"
    if state.total is None or state.total < state.done:
        return line
    return f"{line}, {timedelta(seconds=round((state.total - state.done) / rate))} left"


@contextmanager
def progress(
    key: str, measure: "Callable[[], ProgressState | None] | None" = None, seconds: float = SECONDS
) -> Iterator[ProgressReporter]:
    """Tell how far the body is from a thread of its own, and that it is done when it ends well.

    Args:
        key: of the artifact, `-progress` is added.
        measure: asks how far it is; without it the body says so by calling what it is given.
        seconds: between two reports, and before the first: short work has none.
    """
    shown = ProgressReporter(key, measure)
    with repeat_in_background(shown.tell, seconds):
        yield shown
    shown.end()


@contextmanager
def repeat_in_background(report: Callable[[], None], seconds: float = SECONDS) -> Iterator[None]:
    """Call `report` every few seconds from a thread of its own while the body runs."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            report()

    thread = Thread(target=copy_context().run, args=(repeat,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(SECONDS)
