"""Progress bars on standard error; nothing if that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from diffsync_store.cli.connection import Context
from diffsync_store.runs import load_progress
from diffsync_store.store import BaseStore

_SECONDS = 0.3
"""Time between two measurements of a load."""


def error_console() -> Console:
    """Return the console for standard error."""
    return Console(stderr=True, highlight=False)


class Bars:
    """The progress bars of one command."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stages: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is; a diff and a sync call it."""
        if stage not in self._stages:
            name = {"diff": "compare", "sync": "apply"}.get(stage, stage)
            self._stages[stage] = self._progress.add_task(name, total=total)
        self._progress.update(self._stages[stage], completed=done, total=total)

    def watch_load(self, context: Context) -> Callable[[str, BaseStore], Any]:
        """Return a function that shows a load while its context is open."""

        @contextmanager
        def watch(adapter: str, store: BaseStore) -> Iterator[None]:
            task = self._progress.add_task(f"load {adapter}", total=None)
            ended = Event()

            def measure() -> None:
                while not ended.wait(_SECONDS):
                    if found := load_progress(context, adapter, store):
                        total = found.total if found.total is None else max(found.total, found.done)
                        self._progress.update(task, completed=found.done, total=total)

            if not self._progress.disable:
                Thread(target=measure, name=f"progress of {adapter}", daemon=True).start()
            try:
                yield
            finally:
                ended.set()
                self._progress.update(task, visible=False)

        return watch


class _Count(ProgressColumn):
    """The number done, the total, and the rate."""

    def render(self, task: Task) -> Text:
        total = f" of {int(task.total):,}" if task.total else ""
        rate = f", {task.speed:,.0f}/s" if task.speed else ""
        return Text(f"{int(task.completed):,}{total}{rate}")


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """Show progress bars while the body runs. What adapters print goes to standard error, so that the output has only results."""
    console = error_console()
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), _Count(), TimeRemainingColumn(compact=True))
    with (
        redirect_stdout(sys.stderr),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        yield Bars(progress)
