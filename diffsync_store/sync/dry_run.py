"""Count what a sync would do with a diff, its journal and its options. Neither system is called."""

from __future__ import annotations

from diffsync_store.diff import Diff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import Journal
from diffsync_store.result import SyncResult
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.simulation import SENT, Simulation
from diffsync_store.sync.steps import Step
from diffsync_store.sync_elements import SyncElements


class DryRun(Simulation):
    """One dry run of a diff whose elements have the ids of their operations."""

    def __init__(self, diff: Diff, journal: Journal, options: SyncOptions, flags: DiffSyncFlags) -> None:
        super().__init__(diff, journal, options, flags, SyncElements())

    def run(self) -> SyncResult:
        """Return the counts of a sync whose target accepts everything and has not changed since the diff was made."""
        for stage in self.stages():
            self.handle(stage)
        return self.result

    def send(self, steps: list[Step]) -> None:
        for step in steps:
            self.accept(step)

    def reject(self, step: Step, state: State, reason: str, *, blocked: str = "") -> None:
        super().reject(step, state, reason or SENT, blocked=blocked)
