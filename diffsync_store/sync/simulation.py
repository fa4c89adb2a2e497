"""What a dry run and a rehearsal share: they count what a sync would do, and write nothing."""

from __future__ import annotations

from diffsync_store.enum import DiffSyncActions
from diffsync_store.sync.scheduler import Scheduler
from diffsync_store.sync.steps import Step

SENT = "An interrupted sync has sent it. The next sync looks it up if its model has a `lookup`."
_COUNTERS = {DiffSyncActions.CREATE: "created", DiffSyncActions.UPDATE: "updated", DiffSyncActions.DELETE: "deleted"}
"""The field of a result that counts the operations of an action."""


class Simulation(Scheduler):
    """A sync that only counts."""

    def accept(self, step: Step) -> None:
        """Count an operation as done."""
        counter = _COUNTERS[str(step.action)]
        setattr(self.result, counter, getattr(self.result, counter) + 1)
        self.finish(step, True)

    def recover(self, steps: list[Step]) -> list[Step]:
        """List operations that an interrupted sync has sent; nobody is asked whether they were done."""
        for step in steps:
            self.result.unknown += 1
            self.result.rejects.append(self.elements.reject(step.element, step.id, "unknown", SENT))
            self.finish(step, True)
        return []
