"""What a sync would do of a diff, told from the diff, its journal and the options: neither system is asked."""

from __future__ import annotations

from diffsync_store.enum import DiffSyncActions
from diffsync_store.enum import OperationState as State
from diffsync_store.result import SyncResult
from diffsync_store.sync.scheduler import Scheduler
from diffsync_store.sync.steps import Step

SENT = "A sync that died has sent it: the next one looks it up where its model has a `lookup`."
_DOING = {DiffSyncActions.CREATE: "created", DiffSyncActions.UPDATE: "updated", DiffSyncActions.DELETE: "deleted"}


class Plan(Scheduler):
    """One look at a diff whose elements have the ids of their operations."""

    def counted(self) -> SyncResult:
        """Counts as a sync would have them, if the target refused nothing and were what the diff saw."""
        self.run_steps()
        return self.result

    def send(self, steps: list[Step]) -> None:
        for step in steps:
            count = _DOING[str(step.action)]
            setattr(self.result, count, getattr(self.result, count) + 1)
            self.end(step, True)

    def ask(self, steps: list[Step]) -> list[Step]:
        for step in steps:
            self.result.unknown += 1
            self.result.rejects.append(self.reject(step, "unknown", SENT))
            self.end(step, True)
        return []

    def refuse(self, step: Step, state: State, reason: str, *, missing: str = "") -> None:
        super().refuse(step, state, reason or SENT, missing=missing)
