"""Apply a diff to a target: journalled and resumable, each operation once, without overwriting changed records."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from typing import Any

from diffsync_store.adapter import Adapter
from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncStatus
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import (
    LeaseLost,
    ObjectAlreadyExists,
    ObjectNotFound,
    ObjectStoreException,
    ObjectStoreWrongType,
    StoreUnavailable,
    SyncInterrupted,
    SyncStopped,
)
from diffsync_store.field_rules.recording import Recorder
from diffsync_store.hooks import takes_many
from diffsync_store.journal import SKIPPED_BY_MODEL, Entry, Journal
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import redact_values
from diffsync_store.suppression import place_of
from diffsync_store.sync.calls import NEITHER_STATE, CallResult, Calls, Outcome, Request, uid_of_parent
from diffsync_store.sync.journal_gaps import require_lookups
from diffsync_store.sync.journal_writer import JournalWriter
from diffsync_store.sync.lookup import can_look_up, conflict, outcome
from diffsync_store.sync.moves import Key, Move, find_moves, movable
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.scheduler import Scheduler
from diffsync_store.sync.steps import MOVE, Step
from diffsync_store.sync.target_store import (
    TargetStore,
    encoded_fields,
    parent_of,
    restore_values,
    set_values,
)
from diffsync_store.sync.throttle import Throttle
from diffsync_store.sync.worker_pool import WorkerPool
from diffsync_store.sync_elements import TargetElements
from diffsync_store.transient import is_transient

_COUNTERS = {"create": "created", "update": "updated", "delete": "deleted", MOVE: "moved"}
_MAX_MORE_CALLS = 1.2
"""Workers may make this many times the minimum of calls, so that each has the same number."""
_NOT_DONE = {State.FAILED: "Failed", State.CONFLICT: "Conflict", State.SENT: "Unknown outcome"}
_MOVED_WITH_PARENT = "moved together with an object above it"
UNKNOWN = (
    "It was sent and its answer was lost; whether it was done is unknown. Check the record in the target, report it with "
    "saved.resolve(operation_id, is_done=...) or `diffsync-store resolve DIFF_ID OPERATION_ID --done` (--not-done), and apply "
    "the diff again. To avoid this, give the model a `lookup`."
)


class Executor(Scheduler):
    """One application of a diff whose elements have the ids of their operations.

    Everything but the calls of the target's system happens in the thread that calls `run`.
    """

    elements: TargetElements

    def __init__(
        self,
        diff: Diff,
        source: Adapter,
        target: Adapter,
        flags: DiffSyncFlags,
        callback: Callable[[str, int, int], None] | None = None,
        *,
        options: SyncOptions,
        journal: Journal,
        may_lack_entries: bool = False,
        check_lease: Callable[[], None] | None = None,
        throttle: Throttle | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__(diff, journal, options, flags, TargetElements(source, target, flags, redact_values))
        self.target = target
        self.callback = callback
        self.may_lack_entries = may_lack_entries
        self.is_resumed = self.is_resumed or may_lack_entries
        self.check_lease = check_lease
        self.logger = self.elements.logger
        self.store = TargetStore(target, self.elements)
        self.recorder = recorder
        self.writer = JournalWriter(journal, recorder)
        self.throttle = throttle or new_throttle(options, target)
        self.calls = Calls(target, self.elements.model, options, self.throttle)
        self.pool: WorkerPool[list[Request], list[CallResult]] | None = None
        if options.workers > 1:
            self.pool = WorkerPool(options.workers, self.calls.perform)
        self.attempted = False
        """Whether any operation was sent."""
        self.processed = 0
        self.total = 0
        self._batches: dict[str, list[Request]] = {}
        """By action: requests of the next call, which is not full yet."""
        self._batch_sizes: dict[str, int] = {}
        """By action: records in one call, if that is less than the maximum."""
        self._moved: dict[Key, Move] | None = None
        """All objects that change their parent, also without a `move` hook; None until they are needed."""
        self._results: deque[tuple[Request, CallResult]] = deque()
        """Results of calls that are not processed yet."""
        self._can_look_up: dict[str, bool] = {}

    def run(self) -> None:
        """Apply the diff.

        Raises:
            Exception: The first exception of a model, unless the flags ask to continue.
            SyncStopped: A guard has ended the sync.
        """
        self.logger.info("Beginning sync")
        self.apply()
        self.logger.info("Sync complete")

    def apply(self) -> None:
        """Do what `run` does, without the log of its begin and end."""
        self.diff.result = self.result
        if self.callback is not None:
            self.total = self.diff.size()
        with self.pool or nullcontext():
            try:
                if self.may_lack_entries:
                    require_lookups(self.diff, self.journal, self.can_look_up)
                self._find_moves()
                for stage in self.stages():
                    self.handle(stage)
                self.writer.close()
                self.target.store.flush()
            except BaseException as error:
                self.throttle.end()
                self._save_progress(error)
                raise

    def _find_moves(self) -> None:
        if models := movable(self.elements.models()):
            self.moves = find_moves(self.diff, self.elements.key, models)

    def _save_progress(self, error: BaseException) -> None:
        """Wait for running calls and write their results when a sync ends before its end."""
        for end in (self._wait_for_calls, self.writer.close, self.target.store.flush):
            try:
                end()
            except BaseException as second:  # noqa: BLE001  # the first error is raised
                if type(second) is not type(error):
                    error.add_note(f"And at the end of the sync: {type(second).__name__}: {second}")

    def _wait_for_calls(self) -> None:
        if self._results:  # an interrupt occurred while the first one was processed
            request, result = self._results.popleft()
            if result.outcome is Outcome.DONE:
                self._remember(request.step, result.value)
                entry = Entry(State.DONE, fields=encoded_fields(request.step, result.value))
                self.writer.record(request.step.id, entry)
            with suppress(Exception):
                self._process([], [])
        for requests, results, _ in self.pool.drain() if self.pool is not None else ():
            with suppress(Exception):  # the sync ends for another reason
                self._process(requests, results or [])

    def can_look_up(self, model: str) -> bool:
        """Whether records of a model can be looked up."""
        found = self._can_look_up.get(model)
        if found is None:
            found = self._can_look_up[model] = can_look_up(self.elements.model(model))
        return found

    # Steps of the scheduler

    def contains_moved(self, element: DiffElement) -> bool:
        return bool(self.moves) and any(
            below.action == DiffSyncActions.DELETE and self.elements.key(below) in self.moves
            for below, _ in walk(element.get_children(), None)
        )

    def read_entries(self, elements: Iterable[DiffElement]) -> dict[str, Entry]:
        """Return the journal entries; if the journal may lack entries, an operation without one may have been sent."""
        operations = {element.operation_id: element for element in elements if element.action is not None}
        entries = self.journal.read(list(operations))
        if self.may_lack_entries:
            for name, element in operations.items():
                if self.can_look_up(element.type):
                    entries.setdefault(name, Entry(State.SENT))
        return entries

    def prepare(self, tops: list[Step]) -> list[list[Step]]:
        stages = super().prepare(tops)
        for move in [step.move for stage in stages for step in stage if step.move] if self.moves else ():
            if self.is_resumed:
                places = [move.create, move.delete]
                self.entries.update(self.read_entries(below for below, _ in walk(iter(places), None)))
            if self.selection is not None:
                self.suppressed.update(self.selection.suppressed(move.create, tuple(map(place_of, move.new))))
                self.suppressed.update(self.selection.suppressed(move.delete, tuple(map(place_of, move.old))))
        return stages

    def load(self, steps: list[Step]) -> None:
        self.store.load(steps)

    def is_present(self, step: Step) -> bool:
        step.obj = self.store.find(step)
        if DiffSyncFlags.LOG_UNCHANGED_RECORDS in self.flags:
            self.elements.log_unchanged(step.element)
        return step.obj is not None

    def record(self, step: Step, entry: Entry) -> None:
        self.writer.record(step.id, entry)
        if step.action == MOVE and step.move is not None and entry.state is not State.DONE:
            self.writer.record(step.move.delete.operation_id, entry)  # one call is both

    def advance(self, elements: int = 1) -> None:
        if self.callback is not None and elements:
            self.processed += elements
            self.callback("sync", self.processed, self.total)

    # Sending

    def begin_stage(self, steps: list[Step]) -> None:
        """Let each worker have the same number of calls, if that takes only a few calls more."""
        self._batch_sizes = {}
        if self.pool is None:
            return
        for action, number in Counter(str(step.action) for step in steps).items():
            minimum = math.ceil(number / self.options.batch_size)
            even = math.ceil(minimum / self.options.workers) * self.options.workers
            if minimum < even <= min(_MAX_MORE_CALLS * minimum, number):
                self._batch_sizes[action] = math.ceil(number / even)

    def send(self, steps: list[Step]) -> None:
        self._delete_obstacles(steps)
        left = (step for step in steps if step.id not in self.done_early and step.action != MOVE)
        self.writer.announce(step.id for step in left if self.can_look_up(step.element.type))
        for step in steps:
            if step.id in self.done_early:  # it was an obstacle for another one of these
                self.finish(step, self.done_early[step.id])
                continue
            obj = self.store.find(step)
            element = step.element if step.move is None else step.move.delete
            model = self.elements.model(element.type)
            reason = conflict(element, None if obj is None else obj.get_attrs(), model)
            if reason:
                self.reject(step, State.CONFLICT, reason)
                continue
            request, action = self._request(step, obj), str(step.action)
            if self.options.batch_size == 1 or not takes_many(model, action):
                self._send([request])
                continue
            batch = self._batches.setdefault(action, [])
            batch.append(request)
            if len(batch) >= self._batch_sizes.get(action, self.options.batch_size):
                del self._batches[action]
                self._send(batch)

    def end_stage(self) -> None:
        """Send incomplete batches and wait for all calls."""
        while self._batches:
            _, requests = self._batches.popitem()
            self._send(requests)
        while self.pool is not None and self.pool.busy:
            self._take(self.pool)

    def _request(self, step: Step, obj: DiffSyncModel | None) -> Request:
        if step.action == DiffSyncActions.UPDATE:
            return Request(step, obj, vars(obj).copy())
        if step.action == MOVE and step.move is not None:
            return Request(step, obj, parents=(self.store.object_at(step.move.old), parent_of(step)))
        return Request(step, None if step.action == DiffSyncActions.CREATE else obj)

    def _send(self, requests: list[Request]) -> None:
        """Make a call, or give it to a worker."""
        while self.pool is not None and self.pool.is_full:
            self._take(self.pool)
        self.throttle.check()
        if self.check_lease is not None:
            self.check_lease()
        first = requests[0].step
        if first.move is not None:
            self.writer.record_sent([first.id, first.move.delete.operation_id])
        else:
            is_announced = self.can_look_up(first.element.type)
            self.writer.record_sent([request.step.id for request in requests], is_announced=is_announced)
        self.attempted = True
        if self.elements.shows_debug:
            for request in requests:
                self.elements.log_attempt(request.step.element, request.step.action)
        if self.pool is not None:
            self.pool.give(requests)
        else:
            self._process(requests, self.calls.perform(requests))

    def _take(self, pool: WorkerPool[list[Request], list[CallResult]]) -> None:
        requests, results, error = pool.take()
        if results is None:
            raise error or AssertionError("no result and no error")
        self._process(requests, results)

    # Objects that are deleted in one place and created in another

    def _delete_obstacles(self, steps: list[Step]) -> None:
        """Delete objects that a create would collide with before their turn, if the diff deletes them in another place."""
        if not self.options.deletes_last and self._colliding(steps):
            self.end_stage()  # its delete may be on its way
        creates = self._colliding(steps)
        if creates:
            self._delete_early(creates)

    def _colliding(self, steps: list[Step]) -> list[Step]:
        """Return creates of objects that exist."""
        return [step for step in steps if step.action == DiffSyncActions.CREATE and self.store.find(step) is not None]

    def _delete_early(self, creates: list[Step]) -> None:
        tops: list[Step] = []
        for create in creates:
            move = self._move_of(create.element)
            if move is not None and move.delete.operation_id not in self.done_early:
                parent: Step | None = None
                for element in move.old:
                    parent = Step(element, parent)
                top = self.make_step(move.delete, parent)
                top.is_cascaded, top.is_deferred = False, True
                tops.append(top)
        outer, self._batches = self._batches, {}
        was_early, self.is_early = self.is_early, True
        try:
            for stage in reversed(self.prepare(tops)):
                self.handle([step for step in reversed(stage) if step.is_deferred])
        finally:
            self._batches, self.is_early = outer, was_early

    def _move_of(self, element: DiffElement) -> Move | None:
        if self._moved is None:
            self._moved = find_moves(self.diff, self.elements.key)
        return self._moved.get(self.elements.key(element))

    def _is_created_elsewhere(self, element: DiffElement) -> bool:
        """Whether an object that was deleted in this place is created in another one already."""
        move = self._move_of(element)
        if move is None:
            return False
        self.writer.flush()
        return any(entry.state is State.DONE for entry in self.journal.read([move.create.operation_id]).values())

    def _keeps_parent(self, element: DiffElement) -> bool:
        """Whether an object that is deleted and created is below the same object again, which is the one in another place."""
        move, key = self._move_of(element), self.elements.key
        return move is not None and list(map(key, move.old[-1:])) == list(map(key, move.new[-1:]))

    # Results of calls

    def _process(self, requests: list[Request], results: list[CallResult]) -> None:
        """Process all results of a call, then raise the first exception."""
        self._results.extend(zip(requests, results, strict=bool(results)))
        first: Exception | None = None
        stop: SyncStopped | None = None
        while self._results:
            try:
                error = self._process_one(*self._results[0])
            except SyncStopped as found:
                stop = stop or found
            else:
                first = first or error
            self._results.popleft()
        if stop is not None:
            raise stop
        if first is not None and DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
            raise first

    def _process_one(self, request: Request, result: CallResult) -> Exception | None:
        """Process the result of one record; return the exception that ends the sync if it must not continue."""
        step, value = request.step, result.value
        if result.outcome is Outcome.DONE:
            return self._accept(request, value)
        if result.outcome is Outcome.FOUND_DONE:
            return self._accept(request, self.store.set_found(step, request.obj, value))
        if result.outcome is Outcome.NOT_SENT:
            self.record(step, Entry(State.PENDING))
            return None
        if request.obj is not None and request.before is not None:
            names = step.element.get_attrs_diffs().get("+", ())
            restore_values(request.obj, request.before, names)
        if result.outcome is Outcome.CONFLICT:
            self.reject(step, State.CONFLICT, value)
            return None
        if result.outcome is Outcome.UNKNOWN:
            self.reject(step, State.SENT, f"{self.elements.reason(step.element, value)} {UNKNOWN}")
            self.throttle.count(1, 1)
            return result.error
        return self._fail(step, value)

    def _accept(self, request: Request, done: DiffSyncModel | None) -> Exception | None:
        """Update the store and the journal after an operation that was done, or left alone by its model."""
        step, refusal = request.step, None
        if done is not None:
            try:
                self._update_store(request, done)
            except SyncStopped:
                raise
            except (ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType) as error:  # the system has done it
                self.writer.record_sent([step.id])  # raises if another sync has taken over: then that is the cause
                refusal = error
            except Exception as error:  # noqa: BLE001  # handled like an exception of the call
                return self._fail(step, error)
        self._count(step, done)
        if refusal is not None:
            self.elements.log_store_refusal(step.element, refusal)
        if done is not None:
            self._remember(step, done)
        self.record(step, Entry(State.DONE, SKIPPED_BY_MODEL if done is None else "", encoded_fields(step, done)))
        self.advance()
        self.finish(step, done is not None)
        if step.move is not None and done is None:
            self.writer.record(step.move.delete.operation_id, Entry(State.DONE, SKIPPED_BY_MODEL))
        elif step.move is not None:
            self._finish_move(step, step.move, request.obj)
        self.throttle.count(1, 0)
        return refusal

    def _update_store(self, request: Request, done: DiffSyncModel) -> None:
        step = request.step
        try:
            self.store.update(step, request.obj, done)
        except ObjectStoreException as error:
            if not is_unavailable(error) and not isinstance(error, LeaseLost):
                raise
            self._remember(step, done)
            self.record(step, Entry(State.DONE, fields=encoded_fields(step, done)))
            raise (SyncStopped(str(error)) if isinstance(error, LeaseLost) else interrupted(error)) from error
        step.obj = done if step.children and step.action != DiffSyncActions.DELETE else None

    def _remember(self, step: Step, done: DiffSyncModel | None) -> None:
        """Note in the memory of the target that an operation was done; it is written before the journal is."""
        if self.recorder is not None:
            action = DiffSyncActions.UPDATE if step.action == MOVE else step.action
            self.recorder.record(step.element, action, self.elements.uid(step.element), done)

    def remember_cascaded(self, step: Step) -> None:
        self._remember(step, None)

    def _count(self, step: Step, done: DiffSyncModel | None) -> None:
        counter = "skipped" if done is None else _COUNTERS[str(step.action)]
        setattr(self.result, counter, getattr(self.result, counter) + 1)
        self.elements.log_done(step.element, step.action, done)

    def _fail(self, step: Step, error: Exception) -> Exception:
        self.reject(step, State.FAILED, self.elements.reason(step.element, error))
        self.throttle.count(1, 1)
        return error

    # Operations of an interrupted sync

    def restore_done(self, step: Step, entry: Entry) -> None:
        obj = self.store.find(step)
        if step.move is not None and step.action == MOVE:
            self._finish_move(step, step.move, obj)
        elif step.action == DiffSyncActions.DELETE and obj is not None and self._is_created_elsewhere(step.element):
            if not self._keeps_parent(step.element):
                self.store.unlink(step, obj)
        else:
            self.store.restore(step, obj, entry.fields)

    def recover(self, steps: list[Step]) -> list[Step]:
        others = [step for step in steps if step.action != MOVE]
        again = [step for step in steps if step.move is not None and self._is_move_pending(step, step.move)]
        self._delete_obstacles(others)
        found = self.calls.look_up([step.element for step in others]) if others else []
        again += [step for step, now in zip(others, found, strict=True) if self._is_pending(step, now)]
        return [step for step in again if not self._is_suppressed(step)]

    def _is_suppressed(self, step: Step) -> bool:
        reason = self.suppression_of(step)
        if reason:
            self.suppress(step, reason)
        return bool(reason)

    def _is_pending(self, step: Step, now: Any) -> bool:
        """Whether an operation was not done; otherwise its outcome is recorded."""
        obj, element = self.store.find(step), step.element
        state = outcome(element, obj, now, self.elements.model(element.type))
        if state is State.PENDING:
            if obj is not None and step.action == DiffSyncActions.UPDATE:
                set_values(obj, element.get_attrs_diffs()["-"])  # the store was updated before the system
            return True
        if state is State.DONE:
            self.store.restore(step, obj, now=None if now is NotImplemented else now)
            self._finish_recovered(step)
        elif state is State.CONFLICT:
            self.reject(step, State.CONFLICT, NEITHER_STATE)
        else:
            self.reject(step, State.SENT, "")
        return False

    def _finish_recovered(self, step: Step) -> None:
        self.result.done_before += 1
        self._remember(step, step.obj)
        self.record(step, Entry(State.DONE, fields=encoded_fields(step, step.obj)))
        self.advance()
        self.finish(step, True)

    def _is_move_pending(self, step: Step, move: Move) -> bool:
        """Whether a move was not done; otherwise its outcome is recorded."""
        parent = self.calls.look_up_parent(step.element)
        if parent == uid_of_parent(self.store.object_at(move.old)):
            return True
        if parent == uid_of_parent(parent_of(step)):
            self._finish_recovered(step)
            self._finish_move(step, move, self.store.find(step))
        elif parent is NotImplemented:
            self.reject(step, State.SENT, "")
        else:
            self.reject(step, State.CONFLICT, "The record is neither below its old parent nor below its new one.")
        return False

    def _finish_move(self, step: Step, move: Move, obj: DiffSyncModel | None) -> None:
        """Update the store and the journal after a move, of the object and of those below it."""
        move.is_done = True
        if obj is not None:
            self.store.move(step, obj, self.store.object_at(move.old))
        self.writer.record(move.create.operation_id, Entry(State.DONE))
        below = (element for element, _ in walk(step.element.get_children(), None))
        moved_with_object = {
            self.elements.key(element): element for element in below if element.source_attrs is not None
        }
        for deleted, _ in walk(iter([move.delete]), None):
            if deleted is move.delete:
                self.writer.record(deleted.operation_id, Entry(State.DONE))
            elif deleted.action == DiffSyncActions.DELETE and self.elements.key(deleted) in moved_with_object:
                self.writer.record(deleted.operation_id, Entry(State.DONE, _MOVED_WITH_PARENT))
        for element in moved_with_object.values():
            if element.action is None:
                self.writer.record(element.operation_id, Entry(State.DONE, _MOVED_WITH_PARENT))

    # Operations that are not done

    def suppress(self, step: Step, reason: str) -> None:
        if step.action != MOVE or step.move is None:
            super().suppress(step, reason)
            return
        for place in (step.move.create, step.move.delete):
            super().suppress(Step(place, None), reason)

    def reject(self, step: Step, state: State, reason: str, *, blocked: str = "") -> None:
        reason = reason or UNKNOWN
        super().reject(step, state, reason, blocked=blocked)
        if state is State.BLOCKED:  # logged together, below
            return
        fields = self.elements.log_fields(step.element)
        if state is State.FAILED:
            self.logger.error(reason, **fields, status=DiffSyncStatus.ERROR.value)
        else:
            self.logger.warning(reason, **fields, status="unknown" if state is State.SENT else state.value)
        number = sum(below.action is not None for below in step.descendants()) if step.block_reason else 0
        if number:
            children = "1 child operation was" if number == 1 else f"{number} child operations were"
            text = f"{_NOT_DONE[state]}; {children} blocked."
            self.logger.warning(text, **fields, status="blocked", number=number)


def new_throttle(options: SyncOptions, target: Adapter) -> Throttle:
    """Return the limits of a sync of this target."""
    return Throttle(options, lambda error: is_transient(error, target))


def is_unavailable(error: ObjectStoreException) -> bool:
    """Whether Redis cannot be reached or written, as opposed to a refused request."""
    return type(error) in {ObjectStoreException, StoreUnavailable}


def interrupted(error: ObjectStoreException) -> SyncInterrupted:
    """Return the error of a sync whose store or journal cannot be reached or written."""
    return SyncInterrupted(
        f"{error} The sync has stopped. Once Redis is available, apply the same diff again: the sync resumes at the first "
        "operation that is not done."
    )
