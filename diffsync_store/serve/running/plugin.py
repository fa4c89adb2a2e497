"""Find the scheduler that runs the syncs of a project."""

import logging
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from diffsync_store.serve.running.runner import Runner

_log = logging.getLogger(__name__)
GROUP = "diffsync_store.serve"
RunnerFactory = Callable[[Path], Runner | None]
"""Makes the runner for a project file; None if the scheduler is not in use here."""


def find_runner(project_file: Path) -> Runner | None:
    """Return the runner of the first scheduler that is in use; None if there is none, and the library runs the syncs."""
    for point in sorted(entry_points(group=GROUP), key=lambda found: found.name):
        try:
            factory: RunnerFactory = point.load()
        except ModuleNotFoundError as error:  # the package is there without what it needs
            if (error.name or "").startswith("diffsync"):
                raise
            _log.info("The library runs the syncs, not %s: %s", point.name, error)
            continue
        if (runner := factory(project_file)) is not None:
            return runner
    return None
