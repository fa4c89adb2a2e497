"""Find the scheduler that runs the syncs of a project."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from diffsync_store.serve.running.runner import Runner

GROUP = "diffsync_store.serve"
RunnerFactory = Callable[[Path], Runner | None]
"""Makes the runner for a project file; None if the scheduler is not in use here."""


def find_runner(project_file: Path) -> Runner | None:
    """Return the runner of the first scheduler that is in use; None if there is none, and the library runs the syncs."""
    for point in sorted(entry_points(group=GROUP), key=lambda found: found.name):
        factory: RunnerFactory = point.load()
        if (runner := factory(project_file)) is not None:
            return runner
    return None
