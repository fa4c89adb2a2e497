"""Decide the order of the operations of a diff, and handle those that are not sent. The dry run uses it too."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import Entry, Journal
from diffsync_store.result import SyncResult
from diffsync_store.sync.decide import REJECTED, Decision, decide
from diffsync_store.sync.filters import Selection
from diffsync_store.sync.moves import Key, Move, merge
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.references import ReferenceOrder
from diffsync_store.sync.rulings import state_of
from diffsync_store.sync.steps import MOVE, Step, backwards, stages_of, windows
from diffsync_store.sync_elements import SyncElements

_CHUNK = 1000
"""Steps of a stage whose objects are loaded together."""
_WINDOW = 20_000
"""Minimum of elements that are in memory together; a hundred calls of a batch hook, if that is more."""
_MAX_WINDOW = 50_000
_COUNTERS = {State.FAILED: "failed", State.CONFLICT: "conflicts", State.BLOCKED: "blocked", State.SENT: "unknown"}
_DELETED_WITH_PARENT = "deleted together with an object above it"
_KEPT_CHILD = "An object below it was not deleted."


class Scheduler(ABC):
    """Visits the operations of a diff and decides about each. Its elements have the ids of their operations.

    First come all operations but deferred deletes, in the order of the diff, stage by stage; then these deletes, in reverse order.
    """

    def __init__(
        self, diff: Diff, journal: Journal, options: SyncOptions, flags: DiffSyncFlags, elements: SyncElements
    ) -> None:
        self.diff = diff
        self.journal = journal
        self.options = options
        self.flags = DiffSyncFlags(flags)
        self.elements = elements
        self.result = SyncResult()
        selection = Selection(options.select, options.exclude, options.suppress, options.rulings)
        self.selection = selection if selection.has_rules else None
        self.is_resumed = not journal.is_empty()
        self.entries: dict[str, Entry] = {}
        """Journal entries of the operations in the window."""
        self.suppressed: dict[str, str] = {}
        """Suppressed operations in the window, with the reason."""
        self.moves: dict[Key, Move] = {}
        """Objects that a `move` hook puts under another parent."""
        self.done_early: dict[str, bool] = {}
        """Operations that were handled before their turn; whether they are done."""
        self.is_early = False
        """Operations are being handled before their turn."""
        self.handled: Collection[str] = ()
        """Ids of operations that a canary of this sync has handled, and counted."""
        self.tries_again = False
        """Operations that were rejected before are tried again beside the others."""
        self.references = ReferenceOrder(elements.models(), lambda step: elements.uid(step.element))
        self._block_reasons: dict[str, str] = {}
        """Why nothing below an element can be done, by operation id; also of windows before."""

    # A sync does these; a dry run only counts

    @abstractmethod
    def send(self, steps: list[Step]) -> None:
        """Do these operations."""

    def recover(self, steps: list[Step]) -> list[Step]:
        """Resolve operations that an interrupted sync has sent; return those to send again."""
        for step in steps:
            self.reject(step, State.SENT, "")
        return []

    def load(self, steps: list[Step]) -> None:
        """Load the objects of steps that are about to be handled."""

    def begin_stage(self, steps: list[Step]) -> None:
        """A stage begins."""

    def end_stage(self) -> None:
        """All steps of a stage were given to `send`."""

    def is_present(self, step: Step) -> bool:
        """Whether the target has an object that does not change."""
        return True

    def restore_done(self, step: Step, entry: Entry) -> None:
        """Update the store after an operation that an earlier sync has done."""

    def record(self, step: Step, entry: Entry) -> None:
        """Write a journal entry."""

    def remember_cascaded(self, step: Step) -> None:
        """Remember an object that was deleted together with an object above it."""

    def advance(self, elements: int = 1) -> None:
        """Report progress."""

    def contains_moved(self, element: DiffElement) -> bool:
        """Whether an object below one that is deleted moves to another parent."""
        return False

    def skip_handled(self, ids: Collection[str]) -> None:
        """Leave operations as they are that a canary of this sync has handled and counted."""
        self.handled = ids
        self.is_resumed = self.is_resumed or bool(ids)

    # The order

    def stages(self) -> Iterator[list[Step]]:
        """Yield the steps, stage by stage, in the order of handling."""
        is_first, has_deferred = True, False
        size = min(max(_WINDOW, 100 * self.options.batch_size), _MAX_WINDOW)
        if self.references.needs_all:
            size = sys.maxsize
        for elements, is_end in windows(changed(self.diff.get_children()), size):
            stages = self._begin_window(elements)
            for stage in stages:
                yield [step for step in stage if not step.is_deferred]
            if is_first and is_end:
                yield from deferred(stages)
                return
            is_first = False
            has_deferred = has_deferred or any(step.is_deferred for stage in stages for step in stage)
        if has_deferred:
            for elements, _ in windows(changed(backwards(self.diff)), size):
                yield from deferred(self._begin_window(elements[::-1]))

    def _begin_window(self, elements: list[DiffElement]) -> list[list[Step]]:
        self.entries.clear()
        self.suppressed.clear()
        return self.prepare([self.make_step(element, None) for element in elements])

    def prepare(self, tops: list[Step]) -> list[list[Step]]:
        """Return the stages of steps and those below them; read their journal entries and find suppressed ones."""
        stages = [
            layer
            for stage in stages_of(tops, self._children, self.elements.rank)
            for layer in self.references.layers(stage)
        ]
        if self.is_resumed:
            self.entries.update(self.read_entries(step.element for stage in stages for step in stage))
        if self.selection is not None:
            for top in tops:
                self.suppressed.update(self.selection.suppressed(top.element, top.path()))
        return stages

    def make_step(self, element: DiffElement, parent: Step | None) -> Step:
        """Return the step of an element."""
        move = self.moves.get(self.elements.key(element)) if self.moves else None
        if move is not None and element.action == DiffSyncActions.CREATE:
            step = Step(merge(move, self.elements.key), parent, move)
            step.action = MOVE
        else:
            step = Step(element, parent, move)
        if step.action == DiffSyncActions.DELETE:
            step.is_deferred = self._is_deferred(step)
        step.block_reason = self._block_reasons.get(step.id, "")
        return step

    def _is_deferred(self, step: Step) -> bool:
        parent = step.parent
        return (
            self.options.deletes_last
            or step.move is not None
            or step.is_natural
            or (parent is not None and parent.is_deferred)
            or self.references.deletes_last(step.element.type)
            or self.contains_moved(step.element)
        )

    def _children(self, step: Step) -> list[Step]:
        if step.move is not None and step.action == DiffSyncActions.DELETE:
            return []  # they move too
        return [self.make_step(element, step) for element in changed(step.element.get_children())]

    def read_entries(self, elements: Iterable[DiffElement]) -> dict[str, Entry]:
        """Return the journal entries of elements."""
        return self.journal.read([element.operation_id for element in elements if element.action is not None])

    # The decisions

    def handle(self, steps: list[Step]) -> None:
        """Decide about the steps of a stage, and send or reject them."""
        if not steps:
            return
        self.begin_stage(steps)
        for start in range(0, len(steps), _CHUNK):
            chunk = steps[start : start + _CHUNK]
            self.load(chunk)
            to_send: list[Step] = []
            to_recover: list[Step] = []
            for step in chunk:
                self._classify(step, to_send, to_recover)
            if to_recover:
                to_send = [*self.recover(to_recover), *to_send]
            if to_send:
                self.send(to_send)
        self.end_stage()

    def _classify(self, step: Step, to_send: list[Step], to_recover: list[Step]) -> None:
        blocked = step.blocked_by()
        if step.action is None:
            if not blocked and not self.is_present(step):
                blocked = self.not_done_text(step)
            self.block_children(step, blocked)
            self.advance()
        elif step.is_cascaded:  # the delete above it decides
            return
        elif step.id in self.done_early:
            self.finish(step, self.done_early[step.id])
        elif step.move is not None and step.action == DiffSyncActions.DELETE:
            self.finish(step, step.move.is_done)
        else:
            if step.has_kept_child:
                blocked = blocked or _KEPT_CHILD
            elif not blocked and step.parent is not None and step.parent.is_suppressed_create:
                blocked = self.not_done_text(step.parent)
            self._decide(step, blocked, to_send, to_recover)

    def _decide(self, step: Step, blocked: str, to_send: list[Step], to_recover: list[Step]) -> None:
        entry = self.entries.get(step.id)
        if entry is not None and step.id in self.handled:
            self._finish_handled(step, entry, blocked)
            return
        if self.tries_again and entry is not None and entry.state in REJECTED:
            entry = None
        suppressed = self.suppression_of(step)
        decision, reason, state = decide(entry, self.options, self.flags, suppressed=suppressed, blocked=blocked)
        if decision is Decision.SEND:
            to_send.append(step)
        elif decision is Decision.LOOK_UP:
            to_recover.append(step)
        elif decision is Decision.SUPPRESS:
            self.suppress(step, reason)
        elif decision is Decision.REJECT:
            self.reject(step, state, reason, blocked=blocked)
        elif entry is not None:
            self._skip_done(step, entry)

    def suppression_of(self, step: Step) -> str:
        """Return why an operation is suppressed; empty if it is not."""
        reason = self.suppressed.get(step.id, "")
        if step.move is not None and not reason:
            return self.suppressed.get(step.move.delete.operation_id, "")
        return reason

    def _finish_handled(self, step: Step, entry: Entry, blocked: str) -> None:
        """Handle the end of an operation that was handled and counted before."""
        if entry.is_applied and not blocked:  # who did it may have been killed before it wrote to the store
            self.restore_done(step, entry)
        self.finish(step, entry.is_applied, entry.reason if entry.state is State.BLOCKED else "")

    def _skip_done(self, step: Step, entry: Entry) -> None:
        self.result.done_before += entry.is_applied
        self.result.skipped += entry.is_skipped
        self.advance()
        if not entry.is_skipped and not step.blocked_by():
            self.restore_done(step, entry)
        self.finish(step, not entry.is_skipped)

    def suppress(self, step: Step, reason: str) -> None:
        """Count an operation that is left out, and list it unless a rule ignores it."""
        state = state_of(reason)
        self.result.leave_out(state.value, lambda: self.elements.reject(step.element, step.id, state.value, reason))
        if not self.options.retry_rejected:
            self.record(step, Entry(state, str(reason)))
        self.advance()
        if step.action != DiffSyncActions.DELETE:
            step.is_suppressed_create = step.action == DiffSyncActions.CREATE
        elif step.is_deferred or step.skips_children:
            self.finish(step, False)

    def reject(self, step: Step, state: State, reason: str, *, blocked: str = "") -> None:
        """List an operation that is not done.

        Args:
            step: The operation.
            state: Its state; SENT if it is unknown whether it was done.
            reason: Why it is not done.
            blocked: Why it cannot be done; also the reason for everything below it.
        """
        counter = _COUNTERS[state]
        setattr(self.result, counter, getattr(self.result, counter) + 1)
        if state is not State.SENT:
            self.record(step, Entry(state, reason))
        name = "unknown" if state is State.SENT else state.value
        element = step.element if step.move is None else step.move.create
        self.result.rejects.append(self.elements.reject(element, step.id, name, reason))
        self.advance()
        self.finish(step, False, blocked)

    def block_children(self, step: Step, reason: str) -> None:
        """Block everything below an object; nothing if the reason is empty."""
        if reason:
            step.block_reason = self._block_reasons[step.id] = reason

    def not_done_text(self, step: Step) -> str:
        """Return the reason why the children of an object are blocked."""
        return f"{step.element.type} {self.elements.redacted_id(step.element)} above it was not done."

    def finish(self, step: Step, is_done: bool, blocked: str = "") -> None:
        """Handle the end of an operation."""
        if self.is_early:
            self.done_early[step.id] = is_done
        if step.action != DiffSyncActions.DELETE:
            if not is_done:
                self.block_children(step, blocked or self.not_done_text(step))
            return
        parent = step.parent
        if not is_done:
            if not step.is_deferred:
                self.block_children(step, blocked or self.not_done_text(step))
            if parent is not None and parent.action == DiffSyncActions.DELETE:
                parent.has_kept_child = True
        if step.skips_children and step.children and not step.is_cascaded:
            self._finish_cascaded(step, is_done)

    def _finish_cascaded(self, step: Step, is_done: bool) -> None:
        for below in step.descendants():
            if below.id in self.done_early:
                continue
            if is_done:
                if self.is_early:
                    self.done_early[below.id] = True
                self.remember_cascaded(below)
                self.record(below, Entry(State.DONE, _DELETED_WITH_PARENT))
                self.advance()
            else:
                self._decide(below, self.not_done_text(step), [], [])


def changed(elements: Iterator[DiffElement]) -> Iterator[DiffElement]:
    return (element for element in elements if element.has_diffs())


def deferred(stages: list[list[Step]]) -> Iterator[list[Step]]:
    for stage in reversed(stages):
        yield [step for step in reversed(stage) if step.is_deferred]
