"""The order in which a diff is applied, and what becomes of what is not to be done: for a sync and for its plan alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import Entry, Journal
from diffsync_store.redaction import redact_id
from diffsync_store.result import Reject, SyncResult
from diffsync_store.sync.decide import Do, decide
from diffsync_store.sync.filters import Selection
from diffsync_store.sync.moves import Move, merged
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.steps import MOVE, Step, backwards, stages_of, windows

Stages = list[list[Step]]

AT_ONCE = 1000
"""Steps of a stage whose objects are at hand at once."""
_WINDOW = 20_000
"""Elements of a diff that are in memory at once, at the least; a hundred full calls of a bulk hook, where that is more."""
_WIDEST = 50_000
_COUNT_OF = {State.FAILED: "failed", State.CONFLICT: "conflicts", State.BLOCKED: "blocked", State.SENT: "unknown"}
_GONE_ALONG = "gone with what stood above it"
_STUCK = "A delete below it was not done."


class Scheduler(ABC):
    """Goes through a diff, whose elements have the ids of their operations, and settles each operation.

    First everything but the deletes, in the order of the diff, stage by stage; then the deletes in the reverse order.
    """

    def __init__(self, diff: Diff, journal: Journal, options: SyncOptions, flags: DiffSyncFlags) -> None:
        self.diff = diff
        self.journal = journal
        self.options = options
        self.flags = DiffSyncFlags(flags)
        self.selection = Selection(options.select, options.exclude, options.suppress)
        self.result = SyncResult()
        self.is_resumed = not journal.is_empty()
        self.entries: dict[str, Entry] = {}
        """What the journal knows of the operations that are at hand."""
        self.suppressions: dict[str, str] = {}
        """Operations at hand that are suppressed, with the reason."""
        self.moves: dict[tuple[str, str], Move] = {}
        """Objects that change their parents by one operation, by model and unique id."""
        self.ahead: dict[str, bool] = {}
        """Operations that were settled before their turn; whether they are done."""
        self.is_ahead = False
        """What is settled now is settled before its turn."""
        self._missing: dict[str, str] = {}
        """Why nothing below them can be done, by id; of those that were at hand once."""

    # What a sync does and a plan only counts

    @abstractmethod
    def send(self, steps: list[Step]) -> None:
        """Do these."""

    def ask(self, steps: list[Step]) -> list[Step]:
        """Settle what was sent by a sync that ended; return what is to be sent again."""
        for step in steps:
            self.refuse(step, State.SENT, "")
        return []

    def meet(self, steps: list[Step]) -> None:
        """Steps are about to be settled."""

    def start(self, steps: list[Step]) -> None:
        """A stage begins."""

    def finish(self) -> None:
        """All of a stage was given to `send`."""

    def passes(self, step: Step) -> bool:
        """Whether an object, of which nothing changes, is there."""
        return True

    def bring_along(self, step: Step, entry: Entry) -> None:
        """An operation was done by a sync before this one."""

    def note(self, step: Step, entry: Entry) -> None:
        """Something has become of an operation."""

    def advance(self, elements: int = 1) -> None:
        """So many elements are settled."""

    def rank(self, above: str | None, kind: str) -> int:
        """The place of a kind of child among those of a model."""
        return 0

    def uid(self, element: DiffElement) -> str:
        """The unique id of an element's object."""
        return element.uid or element.name

    def reject(self, step: Step, state: str, reason: str) -> Reject:
        """What to list of an operation; without identifiers and values: only the model's class knows which are secret."""
        element = step.element
        return Reject(str(element.action), element.type, self.shown_id(element), {}, reason, state, step.id)

    def shown_id(self, element: DiffElement) -> str:
        """The unique id of an element's object, for people to read."""
        return redact_id(element, element.keys, self.uid(element))

    def not_done(self, step: Step) -> str:
        """Why what stands below an object cannot be done."""
        return f"{step.element.type} {self.shown_id(step.element)} above it was not done."

    # The order

    def run_steps(self) -> None:
        """Settle everything."""
        is_first, has_last = True, False
        size = min(max(_WINDOW, 100 * self.options.batch_size), _WIDEST)
        for elements, is_end in windows(self._wanted(self.diff.get_children()), size):
            stages = self._begin(elements)
            for stage in stages:
                self.go_forward(stage)
            if is_first and is_end:
                for stage in reversed(stages):
                    self.go_back(stage)
                return
            is_first = False
            has_last = has_last or any(step.is_last for stage in stages for step in stage)
        if has_last:
            for elements, _ in windows(self._wanted(backwards(self.diff)), size):
                for stage in reversed(self._begin(elements[::-1])):
                    self.go_back(stage)

    def _begin(self, elements: list[DiffElement]) -> Stages:
        self.entries.clear()
        self.suppressions.clear()
        return self.prepare([self.step(element, None) for element in elements])

    def _wanted(self, elements: Iterator[DiffElement]) -> Iterator[DiffElement]:
        return (element for element in elements if element.has_diffs())

    def prepare(self, tops: list[Step]) -> Stages:
        """The stages of steps and those below them; with what the journal knows of them, and what is suppressed."""
        stages = stages_of(tops, self._below, self.rank)
        if self.is_resumed:
            self.entries.update(self.entries_of(step.element for stage in stages for step in stage))
        if self.selection.has_rules:
            for top in tops:
                self.suppressions.update(self.selection.suppressed(top.element, top.path()))
        return stages

    def step(self, element: DiffElement, parent: Step | None) -> Step:
        """The step of an element."""
        move = self.moves.get((element.type, self.uid(element))) if self.moves else None
        if move is not None and element.action == DiffSyncActions.CREATE:
            step = Step(merged(move, lambda found: (found.type, self.uid(found))), parent, move)
            step.action = MOVE
        else:
            step = Step(element, parent, move)
        if step.action == DiffSyncActions.DELETE:
            step.is_last = self._is_last(step)
        step.missing = self._missing.get(step.id, "")
        return step

    def _is_last(self, step: Step) -> bool:
        parent = step.parent
        return (
            self.options.deletes_last
            or step.move is not None
            or step.is_natural
            or (parent is not None and parent.is_last)
            or self.shelters(step.element)
        )

    def shelters(self, element: DiffElement) -> bool:
        """Whether something stands below an object that is to move away before the object is deleted."""
        return False

    def _below(self, step: Step) -> list[Step]:
        if step.move is not None and step.action == DiffSyncActions.DELETE:
            return []  # it goes along
        return [self.step(element, step) for element in self._wanted(step.element.get_children())]

    def entries_of(self, elements: Iterable[DiffElement]) -> dict[str, Entry]:
        """What the journal knows of elements."""
        return self.journal.read([element.operation_id for element in elements if element.action is not None])

    # What becomes of each

    def go_forward(self, stage: list[Step]) -> None:
        """Settle all of a stage but what is deleted after everything else."""
        self._go([step for step in stage if not step.is_last])

    def go_back(self, stage: list[Step]) -> None:
        """Settle those of a stage that are deleted after everything else, the last one first."""
        self._go([step for step in reversed(stage) if step.is_last])

    def _go(self, steps: list[Step]) -> None:
        if steps:
            self.start(steps)
        for start in range(0, len(steps), AT_ONCE):
            chunk = steps[start : start + AT_ONCE]
            self.meet(chunk)
            sent: list[Step] = []
            asked: list[Step] = []
            for step in chunk:
                self._judge(step, sent, asked)
            if asked:
                sent = [*self.ask(asked), *sent]
            if sent:
                self.send(sent)
        if steps:
            self.finish()

    def _judge(self, step: Step, sent: list[Step], asked: list[Step]) -> None:
        missing = step.blocked_by()
        if step.action is None:
            if not missing and not self.passes(step):
                missing = self.not_done(step)
            self.miss(step, missing)
            self.advance()
            return
        if step.rides:  # what it stands below is settled first
            return
        if step.id in self.ahead:
            self.end(step, self.ahead[step.id])
            return
        if step.move is not None and step.action == DiffSyncActions.DELETE:
            self.end(step, step.move.is_done)
            return
        if step.is_stuck:
            missing = missing or _STUCK
        elif not missing and step.parent is not None and step.parent.is_waiting:
            missing = self.not_done(step.parent)
        self._settle(step, missing, sent, asked)

    def _settle(self, step: Step, missing: str, sent: list[Step], asked: list[Step]) -> None:
        entry = self.entries.get(step.id)
        verdict = decide(entry, self.options, self.flags, suppressed=self.suppression_of(step), missing=missing)
        if verdict.do is Do.SEND:
            sent.append(step)
        elif verdict.do is Do.ASK:
            asked.append(step)
        elif verdict.do is Do.SUPPRESS:
            self.suppress(step, verdict.reason)
        elif verdict.do is Do.REFUSE:
            self.refuse(step, verdict.state, verdict.reason, missing=missing)
        elif entry is not None:
            self._count_before(step, entry)

    def suppression_of(self, step: Step) -> str:
        """Why an operation is suppressed; empty if it is not."""
        why = self.suppressions.get(step.id, "")
        if step.move is not None and not why:
            return self.suppressions.get(step.move.delete.operation_id, "")
        return why

    def _count_before(self, step: Step, entry: Entry) -> None:
        self.result.done_before += entry.is_applied
        self.result.skipped += entry.is_skipped
        self.advance()
        if not entry.is_skipped and not step.blocked_by():
            self.bring_along(step, entry)
        self.end(step, not entry.is_skipped)

    def suppress(self, step: Step, reason: str) -> None:
        """Leave an operation out."""
        self.result.suppressed += 1
        self.result.suppressed_operations.append(self.reject(step, "suppressed", reason))
        if not self.options.retry_rejected:
            self.note(step, Entry(State.SUPPRESSED, reason))
        self.advance()
        if step.action != DiffSyncActions.DELETE:
            step.is_waiting = step.action == DiffSyncActions.CREATE
        elif step.is_last or step.skips_children:
            self.end(step, False)

    def refuse(self, step: Step, state: State, reason: str, *, missing: str = "") -> None:
        """Keep and list an operation that is not done.

        Args:
            step: the operation.
            state: what it is refused as; SENT, where nobody knows whether it was done.
            reason: why.
            missing: what it lacks, which is so for everything below it too.
        """
        count = _COUNT_OF[state]
        setattr(self.result, count, getattr(self.result, count) + 1)
        if state is not State.SENT:
            self.note(step, Entry(state, reason))
        self.result.rejects.append(self.reject(step, "unknown" if state is State.SENT else state.value, reason))
        self.advance()
        self.end(step, False, missing)

    def miss(self, step: Step, missing: str) -> None:
        """Nothing below an object can be done, for this reason; empty where it can."""
        if missing:
            step.missing = self._missing[step.id] = missing

    def end(self, step: Step, is_done: bool, missing: str = "") -> None:
        """An operation is settled."""
        if self.is_ahead:
            self.ahead[step.id] = is_done
        if step.action != DiffSyncActions.DELETE:
            if not is_done:
                self.miss(step, missing or self.not_done(step))
            return
        parent = step.parent
        if not is_done:
            if not step.is_last:
                self.miss(step, missing or self.not_done(step))
            if parent is not None and parent.action == DiffSyncActions.DELETE:
                parent.is_stuck = True
        if step.skips_children and step.children and not step.rides:
            self._end_riders(step, is_done)

    def _end_riders(self, step: Step, is_done: bool) -> None:
        """Settle what goes together with an object, or stays with it."""
        for rider in step.below():
            if rider.id in self.ahead:
                continue
            if is_done:
                if self.is_ahead:
                    self.ahead[rider.id] = True
                self.note(rider, Entry(State.DONE, _GONE_ALONG))
                self.advance()
            else:
                self._settle(rider, self.not_done(step), [], [])
