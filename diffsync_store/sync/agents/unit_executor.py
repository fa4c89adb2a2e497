"""Apply one unit of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from diffsync_store.agents import Task
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import SyncStopped
from diffsync_store.journal import Entry
from diffsync_store.model import DiffSyncModel
from diffsync_store.sync.calls import Request
from diffsync_store.sync.executor import Executor
from diffsync_store.sync.scheduler import changed, deferred
from diffsync_store.sync.steps import Step

_IN_DOUBT = {State.SENT, State.PENDING}
_BLOCKS = {State.FAILED, State.CONFLICT, State.SENT}


class UnitExecutor(Executor):
    """Applies the subtrees of one unit, all in memory: either their deletes that come last, or everything else; both of a canary.

    Args:
        task: which of these.
        began: when the round began, by the clock of the journal.
        is_taken_over: whether another agent may have applied a part of the unit.
        check_unit: raises an error if another agent has the unit.
        arguments: those of an `Executor`.
    """

    def __init__(
        self,
        *arguments: Any,
        task: Task,
        began: float,
        is_taken_over: bool,
        check_unit: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._is_canary = task is Task.CANARY
        self._is_of_deletes = task is Task.DELETES
        self._began = began
        self._is_taken_over = is_taken_over
        self._check_unit = check_unit
        self.is_resumed = self.is_resumed or is_taken_over

    def stages(self) -> Iterator[list[Step]]:
        if self._is_canary:
            yield from super().stages()
            self._check_unit()
            return
        stages = self._begin_window(list(changed(self.diff.get_children())))
        if self._is_of_deletes:
            self._restore_blocks(stages)
            yield from deferred(stages)
        else:
            for stage in stages:
                yield [step for step in stage if not step.is_deferred]
        self._check_unit()

    def _save_progress(self, error: BaseException) -> None:
        """Write nothing to the store of a unit that another agent has: that one has gone on from there."""
        try:
            self._check_unit()
        except SyncStopped:
            with suppress(Exception):  # the error is raised
                self._wait_for_calls()
            self.target.store.discard()
        else:
            super()._save_progress(error)

    def _update_store(self, request: Request, done: DiffSyncModel) -> None:
        self._check_unit()
        super()._update_store(request, done)

    def prepare(self, tops: list[Step]) -> list[list[Step]]:
        stages = super().prepare(tops)
        if self._is_of_deletes:
            for move in self.moves.values():
                entry = self.entries.get(move.create.operation_id)
                move.is_done = entry is not None and entry.is_applied
        return stages

    def _restore_blocks(self, stages: list[list[Step]]) -> None:
        """Find out below which objects nothing can be deleted, because of what happened to them before."""
        for stage in stages:
            above = [
                step for step in stage if not step.is_deferred and any(each.is_deferred for each in step.descendants())
            ]
            self.load([step for step in above if step.action is None])
            for step in above:
                self.block_children(step, step.blocked_by() or self._block_of(step))

    def _block_of(self, step: Step) -> str:
        if step.action is None:
            return "" if self.is_present(step) else self.not_done_text(step)
        entry = self.entries.get(step.id)
        if entry is None:
            return ""
        if entry.state is State.BLOCKED:
            return entry.reason
        return self.not_done_text(step) if entry.state in _BLOCKS or entry.is_skipped else ""

    def _decide(self, step: Step, blocked: str, to_send: list[Step], to_recover: list[Step]) -> None:
        entry = self.entries.get(step.id)
        if entry is not None and self._was_handled_early(entry):
            self._finish_handled(step, entry, blocked)
        else:
            super()._decide(step, blocked, to_send, to_recover)

    def _was_handled_early(self, entry: Entry) -> bool:
        """Whether an object was deleted before its turn in this round, and counted, because a create collided with it."""
        is_of_round = entry.at >= self._began and entry.state not in _IN_DOUBT
        return self._is_of_deletes and not self._is_taken_over and is_of_round
