"""Applying a diff under guards: journalled, resumable, nothing overwritten, each operation once, in as few calls as can be."""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from diffsync_store.diff import Diff, DiffElement, paths, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags, DiffSyncStatus
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import (
    JournalLost,
    LeaseLost,
    ObjectAlreadyExists,
    ObjectNotFound,
    ObjectNotStorable,
    ObjectStoreException,
    ObjectStoreWrongType,
    StoreUnavailable,
    SyncInterrupted,
    SyncStopped,
)
from diffsync_store.hooks import hook
from diffsync_store.journal import SKIPPED_BY_MODEL, Entry, Journal
from diffsync_store.redaction import (
    STANDARD_MESSAGES,
    redact_error,
    redact_id,
    redact_text,
    redact_values,
    secret_fields,
)
from diffsync_store.result import Reject
from diffsync_store.store.serialization import encode
from diffsync_store.suppression import place_of
from diffsync_store.sync.calls import Answer, Became, Calls, Request, goes_together, place_in_store
from diffsync_store.sync.journal_writer import JournalWriter
from diffsync_store.sync.moves import moves_in
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.preconditions import conflict
from diffsync_store.sync.recovery import (
    beyond,
    bring_along,
    can_be_looked_up,
    listed,
    made,
    outcome,
    under,
    unlisted,
    with_values,
)
from diffsync_store.sync.scheduler import Scheduler
from diffsync_store.sync.steps import MOVE, Step
from diffsync_store.sync.throttle import Throttle
from diffsync_store.sync.worker_pool import WorkerPool
from diffsync_store.syncer import class_of, reason_of
from diffsync_store.transient import is_transient

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.model import DiffSyncModel

Relocated = tuple[DiffElement, tuple[DiffElement, ...], str]
"""A delete of what is created at another place: its element, what it stands below, the id of the create."""

_COUNTED = {"create": "created", "update": "updated", "delete": "deleted", MOVE: "moved"}
_MOST_CALLS = 1.2
"""Times the fewest calls, where more calls let workers share them evenly."""
_ALONG = "moved with what stands above it"
_NEITHER = "It is neither as before the operation nor as after it."
UNKNOWN = (
    "It was sent, no answer was heard, and nobody can tell whether it was done: look at the record in the target, say what "
    "it shows with saved.resolve(operation_id, is_done=...) or `diffsync-store resolve DIFF_ID OPERATION_ID --done` "
    "(--not-done), and apply the diff again. A model with a `lookup` is asked."
)


class Executor(Scheduler):
    """One application of a diff whose elements have the ids of their operations.

    All of it but the calls of the target's system happens in the thread that calls `run`.
    """

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
    ) -> None:
        super().__init__(diff, journal, options, flags)
        self.target = target
        self.callback = callback
        self.may_lack_entries = may_lack_entries
        self.is_resumed = self.is_resumed or may_lack_entries
        self.check_lease = check_lease
        self.logger = structlog.get_logger().new(src=source, dst=target, flags=flags)
        self.ledger = JournalWriter(journal)
        self.pace = Throttle(options, lambda error: is_transient(error, target))
        self.calls = Calls(target, self._class, options, self.pace)
        self.workers: WorkerPool[list[Request], list[Answer]] = WorkerPool(options.workers, self.calls.perform)
        self.attempted = False
        """Whether any operation was sent."""
        self.processed = 0
        self.total = 0
        self._open: dict[str, list[Request]] = {}
        """By action: what goes into the next call, while more may come."""
        self._sizes: dict[str, int] = {}
        """By action: how many records of the stage go into one call."""
        self._relocated: dict[tuple[str, str], Relocated] | None = None
        """What is deleted at one place and created at another: the delete, what it stands below, the id of the create."""
        self._arrived: deque[tuple[Request, Answer]] = deque()
        """What was done and is not taken in yet."""
        self._logs_attempts = _allows(self.logger, logging.DEBUG)
        self._logs_successes = _allows(self.logger, logging.INFO)
        self._ranks: dict[str | None, dict[str, int]] = {}
        self._seen: dict[str, bool] = {}
        self._is_asked = target._overrides("get") or target.store.overrides("get")
        """The target's own `get` says which objects it has."""
        self._declared: dict[str, frozenset[str]] = {}
        """The fields that models declare as secret."""

    def run(self) -> None:
        """Apply.

        Raises:
            Exception: what a model raises, the first one, unless the flags ask to continue.
            SyncStopped: a guard has ended the sync.
        """
        self.logger.info("Beginning sync")
        self.diff.result = self.result
        if self.callback is not None:
            self.total = self.diff.size()
        with self.workers:
            try:
                self._run()
            except BaseException as error:
                self.pace.end()
                self._end_with(error)
                raise
        self.logger.info("Sync complete")

    def _run(self) -> None:
        if self.may_lack_entries:
            self._require_lookups()
        names = self.target._get_initial_value_order()
        movable = {name for name in names if hook(getattr(self.target, name, None), "move")}
        self.moves = moves_in(self.diff, self._key, movable) if movable else {}
        self.run_steps()
        self.ledger.close()
        self.target.store.flush()

    def _end_with(self, error: BaseException) -> None:
        """Keep what is known when a sync ends before its time: the calls that are under way are waited for."""
        for end in (self._wait_for_all, self.ledger.close, self.target.store.flush):
            try:
                end()
            except BaseException as second:  # noqa: BLE001  # the first error is the one to see
                if type(second) is not type(error):
                    error.add_note(f"And at the end of the sync: {type(second).__name__}: {second}")

    def _wait_for_all(self) -> None:
        if self._arrived:  # the first was cut off while it was taken in
            request, answer = self._arrived.popleft()
            if answer.became is Became.DONE:
                self.ledger.note(request.step.id, Entry(State.DONE, fields=_fields(request.step, answer.value)))
            self._take_in_quietly([], [])
        for requests, answers, _ in self.workers.drain():
            self._take_in_quietly(requests, answers or [])

    def _take_in_quietly(self, requests: list[Request], answers: list[Answer]) -> None:
        """The sync ends for another reason already."""
        with suppress(Exception):
            self._take_in(requests, answers)

    def _require_lookups(self) -> None:
        """Refuse to go on where nobody can tell what was done."""
        waiting: Counter[str] = Counter()
        batch: list[DiffElement] = []

        def count() -> None:
            known = self.journal.read([element.operation_id for element in batch])
            waiting.update(element.type for element in batch if element.operation_id not in known)
            batch.clear()

        for element, _ in walk(self.diff.get_children(), None):
            if element.action is not None:
                batch.append(element)
                if len(batch) == 1000:  # at once
                    count()
        count()
        blind = [f"{number} of {model}" for model, number in waiting.items() if not self._is_seen(model)]
        if blind:
            raise JournalLost(
                "Redis was restarted, or failed over, since this sync began: its journal may lack what was done last. Of "
                f"the operations that are left, {', '.join(blind)} cannot be looked up in the target, and some may have "
                "been done. Nothing was sent. Load the target again, make a new diff and apply it. Where Redis keeps "
                "every write (appendonly yes, appendfsync always, no failover), go on with `trust_journal`: "
                "SyncOptions(trust_journal=True), or `apply: {trust_journal: true}` of the sync in the flows' file; a model "
                "with a `lookup` needs neither."
            )

    # What is known of models and elements

    def _class(self, model: str) -> type[DiffSyncModel]:
        return class_of(self.target, model)

    def _is_seen(self, model: str) -> bool:
        """Whether records of a model can be looked up."""
        found = self._seen.get(model)
        if found is None:
            found = self._seen[model] = can_be_looked_up(self._class(model))
        return found

    def uid(self, element: DiffElement) -> str:
        if element.uid is None:
            element.uid = self._class(element.type).create_unique_id(**element.keys)
        return element.uid

    def _key(self, element: DiffElement) -> tuple[str, str]:
        return element.type, self.uid(element)

    def rank(self, above: str | None, kind: str) -> int:
        ranks = self._ranks.get(above)
        if ranks is None:
            kinds = self.target.top_level if above is None else self._class(above).get_children_mapping()
            ranks = self._ranks[above] = {name: number for number, name in enumerate(kinds)}
        return ranks.get(kind, len(ranks))

    def shelters(self, element: DiffElement) -> bool:
        return bool(self.moves) and any(
            below.action == DiffSyncActions.DELETE and self._key(below) in self.moves
            for below, _ in walk(element.get_children(), None)
        )

    def entries_of(self, elements: Iterable[DiffElement]) -> dict[str, Entry]:
        """What the journal knows of elements; where it may lack entries, one without may have been sent."""
        operations = {element.operation_id: element for element in elements if element.action is not None}
        entries = self.journal.read(list(operations))
        if self.may_lack_entries:
            for name, element in operations.items():
                if self._is_seen(element.type):
                    entries.setdefault(name, Entry(State.SENT))
        return entries

    def prepare(self, tops: list[Step]) -> list[list[Step]]:
        stages = super().prepare(tops)
        for move in [step.move for stage in stages for step in stage if step.move] if self.moves else ():
            places = [move.create, move.delete]
            if self.is_resumed:
                self.entries.update(self.entries_of(below for below, _ in walk(iter(places), None)))
            if self.selection.has_rules:
                self.suppressions.update(self.selection.suppressed(move.create, tuple(map(place_of, move.new))))
                self.suppressions.update(self.selection.suppressed(move.delete, tuple(map(place_of, move.old))))
        return stages

    # The target's objects

    def meet(self, steps: list[Step]) -> None:
        wanted: dict[str, dict[str, list[Step]]] = {}
        for step in steps:
            wanted.setdefault(step.element.type, {}).setdefault(self.uid(step.element), []).append(step)
            above = step.parent
            if above is not None and above.obj is None and not above.missing:
                wanted.setdefault(above.element.type, {}).setdefault(self.uid(above.element), []).append(above)
        for model, by_uid in wanted.items():
            for uid, obj in self.target.store.fetch(model, list(by_uid)).items():
                for step in by_uid[uid]:
                    step.obj = obj

    def _object_of(self, step: Step) -> DiffSyncModel | None:
        """The store's object; looked up once more, for another operation or a hook may have removed or added it."""
        if not self._is_asked:
            return self.target.store.get_cached(step.element.type, self.uid(step.element))
        try:
            return self.target.get(self._class(step.element.type), step.element.keys)
        except ObjectNotFound:
            return None

    @staticmethod
    def _parent_of(step: Step) -> DiffSyncModel | None:
        return None if step.parent is None else step.parent.obj

    def passes(self, step: Step) -> bool:
        step.obj = self._object_of(step)
        if DiffSyncFlags.LOG_UNCHANGED_RECORDS in self.flags:
            told = self._told(step.element)
            self.logger.debug("No changes to apply; no action needed", **told, status=DiffSyncStatus.SUCCESS.value)
        return step.obj is not None

    def bring_along(self, step: Step, entry: Entry) -> None:
        if step.action == MOVE:
            self._end_move(step, self._object_of(step))
            return
        obj = self._object_of(step)
        if step.action == DiffSyncActions.DELETE and obj is not None and self._is_created_elsewhere(step.element):
            return
        self._bring(step, obj, entry.fields)

    def _bring(self, step: Step, obj: DiffSyncModel | None, fields: str = "", now: Any = None) -> DiffSyncModel | None:
        step.obj = bring_along(self.target, step.element, obj, self._parent_of(step), fields, now=now)
        return step.obj

    def _is_created_elsewhere(self, element: DiffElement) -> bool:
        """Whether an object that was deleted at this place has been created at another one already."""
        found = self._relocation(element)
        if found is None:
            return False
        self.ledger.tell()
        return any(entry.state is State.DONE for entry in self.journal.read([found[2]]).values())

    def _relocation(self, element: DiffElement) -> Relocated | None:
        if self._relocated is None:
            self._relocated = self._relocations()
        return self._relocated.get(self._key(element))

    def _relocations(self) -> dict[tuple[str, str], Relocated]:
        creates: dict[tuple[str, str], str] = {}
        deletes: set[tuple[str, str]] = set()
        for element, _ in walk(self.diff.get_children(), None):
            if element.action == DiffSyncActions.CREATE:
                creates[self._key(element)] = element.operation_id
            elif element.action == DiffSyncActions.DELETE:
                deletes.add(self._key(element))
        both = deletes.intersection(creates)
        if not both:
            return {}
        return {
            self._key(element): (element, above, creates[self._key(element)])
            for element, above in paths(self.diff.get_children())
            if element.action == DiffSyncActions.DELETE and self._key(element) in both
        }

    def _clear_the_way(self, steps: list[Step]) -> None:
        """Delete ahead what stands in the way of a create, if the diff deletes it: it moves to another parent."""
        if self._in_the_way(steps) and not self.options.deletes_last:
            self.finish()  # it may be on its way already
        creates = self._in_the_way(steps)
        if creates:
            self._make_way(creates)

    def _in_the_way(self, steps: list[Step]) -> list[Step]:
        """Creates of objects that are there."""
        return [step for step in steps if step.action == DiffSyncActions.CREATE and self._object_of(step) is not None]

    def _make_way(self, creates: list[Step]) -> None:
        tops: list[Step] = []
        for create in creates:
            place = self._relocation(create.element)
            if place is not None and place[0].operation_id not in self.ahead:
                delete, above, _ = place
                parent: Step | None = None
                for element in above:
                    parent = Step(element, parent)
                top = self.step(delete, parent)
                top.rides, top.is_last = False, True
                tops.append(top)
        outer, self._open = self._open, {}
        was_ahead, self.is_ahead = self.is_ahead, True
        try:
            for stage in reversed(self.prepare(tops)):
                self.go_back(stage)
        finally:
            self._open, self.is_ahead = outer, was_ahead

    # Sending

    def start(self, steps: list[Step]) -> None:
        """Of several workers none is to wait for another one's call, where that takes hardly more calls."""
        self._sizes = {}
        if self.options.workers == 1:
            return
        for action, number in Counter(str(step.action) for step in steps).items():
            fewest = math.ceil(number / self.options.batch_size)
            even = math.ceil(fewest / self.options.workers) * self.options.workers
            if fewest < even <= min(_MOST_CALLS * fewest, number):
                self._sizes[action] = math.ceil(number / even)

    def send(self, steps: list[Step]) -> None:
        self._clear_the_way(steps)
        self.ledger.foresee([step.id for step in steps if step.action != MOVE and self._is_seen(step.element.type)])
        for step in steps:
            if step.id in self.ahead:  # it stood in the way of another one of these
                self.end(step, self.ahead[step.id])
                continue
            obj = self._object_of(step)
            element = step.element if step.move is None else step.move.delete
            reason = conflict(element, None if obj is None else obj.get_attrs(), self._class(element.type))
            if reason:
                self.refuse(step, State.CONFLICT, reason)
            else:
                self._put(self._request(step, obj))

    def _request(self, step: Step, obj: DiffSyncModel | None) -> Request:
        if step.action == MOVE:
            assert step.move is not None  # noqa: S101  # for the type checker
            return Request(step, obj, places=(self._at(step.move.old), self._parent_of(step)))
        if step.action == DiffSyncActions.UPDATE:
            return Request(step, obj, vars(obj).copy())
        return Request(step, None if step.action == DiffSyncActions.CREATE else obj)

    def _at(self, path: tuple[DiffElement, ...]) -> DiffSyncModel | None:
        """The store's object at the end of a path."""
        if not path:
            return None
        element = path[-1]
        return self.target.store.fetch(element.type, [self.uid(element)]).get(self.uid(element))

    def _put(self, request: Request) -> None:
        """Have a request sent, with others where its model takes many at once."""
        action = str(request.step.action)
        if not goes_together(self._class(request.step.element.type), action, self.options):
            self._give([request])
            return
        waiting = self._open.setdefault(action, [])
        waiting.append(request)
        if len(waiting) >= self._sizes.get(action, self.options.batch_size):
            del self._open[action]
            self._give(waiting)

    def finish(self) -> None:
        while self._open:
            _, requests = self._open.popitem()
            self._give(requests)
        while self.workers.busy:
            self._take()

    def _give(self, requests: list[Request]) -> None:
        while self.workers.is_full:
            self._take()
        self.pace.check()
        if self.check_lease is not None:
            self.check_lease()
        first = requests[0].step
        if first.move is not None:
            self.ledger.send([first.id, first.move.delete.operation_id])
        else:
            self.ledger.send([request.step.id for request in requests], is_foreseen=self._is_seen(first.element.type))
        self.attempted = True
        if self._logs_attempts:
            for request in requests:
                step = request.step
                self.logger.debug(f"Attempting model {step.action}", **self._told(step.element))
        if self.options.workers == 1:
            self._take_in(requests, self.calls.perform(requests))
        else:
            self.workers.give(requests)

    def _take(self) -> None:
        requests, answers, error = self.workers.take()
        if answers is None:
            raise error or AssertionError("no answer and no error")
        self._take_in(requests, answers)

    # Taking in what was done

    def _take_in(self, requests: list[Request], answers: list[Answer]) -> None:
        """Take in what a call has done; all of it, whatever is raised on the way."""
        self._arrived.extend(zip(requests, answers, strict=bool(answers)))
        first: Exception | None = None
        stop: SyncStopped | None = None
        while self._arrived:
            try:
                error = self._take_in_one(*self._arrived[0])
            except SyncStopped as found:
                stop = stop or found
            else:
                first = first or error
            self._arrived.popleft()
        if stop is not None:
            raise stop
        if first is not None and DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
            raise first

    def _take_in_one(self, request: Request, answer: Answer) -> Exception | None:
        """Take in what became of one record; the exception that ends the sync, unless it is to go on."""
        step, became = request.step, answer.became
        if became is Became.NOT_SENT:
            self.ledger.note(step.id, Entry(State.PENDING))
            return None
        if became is Became.DONE:
            return self._land(request, answer.value)
        if became is Became.FOUND_DONE:
            return self._land(request, self._found(request, answer.value))
        _restore(request)
        if became is Became.CONFLICT:
            self.refuse(step, State.CONFLICT, answer.value)
            return None
        if became is Became.UNKNOWN:
            self.refuse(step, State.SENT, f"{self._masked(step.element, answer.value)} {UNKNOWN}")
            self.pace.count(1, 1)
            return answer.error
        return self._fail(step, answer.value)

    def _found(self, request: Request, now: Any) -> DiffSyncModel | None:
        """The object of an operation that was done though its call failed."""
        element, obj = request.step.element, request.obj
        if request.step.action == DiffSyncActions.CREATE:
            return made(self.target, element, now=now)
        if obj is not None and request.step.action == DiffSyncActions.UPDATE:
            return with_values(obj, {**element.get_attrs_diffs()["+"], **beyond(type(obj), now)})
        return obj

    def _land(self, request: Request, done: DiffSyncModel | None) -> Exception | None:
        step = request.step
        refused: Exception | None = None
        if done is not None:
            try:
                self._keep(request, done)
            except SyncStopped:
                raise
            except (ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType) as error:  # the system has done it
                self.ledger.send([step.id])  # another sync may be in this one's place: then that is the reason
                refused = error
            except Exception as error:  # noqa: BLE001  # as for a call that fails
                return self._fail(step, error)
        self._count(step, done)
        if refused is not None:
            told = redact_text(self._secrets(step.element), str(refused), step.element.keys)
            self.logger.error(f"The store does not take what was done: {told}", **self._told(step.element))
        self.note(step, Entry(State.DONE, SKIPPED_BY_MODEL if done is None else "", _fields(step, done)))
        self.advance()
        self.end(step, done is not None)
        if step.move is not None:
            if done is None:
                self.ledger.note(step.move.delete.operation_id, Entry(State.DONE, SKIPPED_BY_MODEL))
            else:
                self._end_move(step, request.obj)
        self.pace.count(1, 0)
        return refused

    def _count(self, step: Step, done: DiffSyncModel | None) -> None:
        """Count and log what was done, or left alone on purpose."""
        if done is None:
            self.result.skipped += 1
            message = f"{step.element.type} {step.action} did not return the model object."
            self.logger.warning(message, **self._told(step.element), status=DiffSyncStatus.FAILURE.value)
            return
        field = _COUNTED[str(step.action)]
        setattr(self.result, field, getattr(self.result, field) + 1)
        status, message = done.get_status()
        # The status of an object that is not of this package is of another enum, or a text.
        said: Any = getattr(status, "value", status)
        log = {
            DiffSyncStatus.SUCCESS.value: self.logger.info,
            DiffSyncStatus.FAILURE.value: self.logger.warning,
        }.get(said, self.logger.error)
        if said != DiffSyncStatus.SUCCESS.value or self._logs_successes:
            element = step.element
            if message not in STANDARD_MESSAGES:
                message = redact_text(self._secrets(element), message, element.source_attrs, element.dest_attrs)
            log(message, **self._told(element), status=said)

    def _keep(self, request: Request, done: DiffSyncModel) -> None:
        """Bring the target's store along."""
        step, obj = request.step, request.obj
        try:
            parent = self._parent_of(step)
            if step.action == DiffSyncActions.CREATE:
                self.target.add(done)
                listed(done, parent)
            elif step.action == DiffSyncActions.UPDATE:
                self.target.store.mark_dirty(done)
            elif step.action == DiffSyncActions.DELETE and obj is not None:
                skips = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE in obj.model_flags
                with suppress(ObjectNotFound):  # the model has removed it itself
                    self.target.remove(obj, remove_children=skips)
                unlisted(obj, parent)
        except ObjectStoreException as error:
            if not is_of_redis(error) and not isinstance(error, LeaseLost):
                raise
            self.ledger.note(step.id, Entry(State.DONE, fields=_fields(step, done)))
            raise (SyncStopped(str(error)) if isinstance(error, LeaseLost) else interrupted(error)) from error
        step.obj = done if step.children and step.action != DiffSyncActions.DELETE else None

    def _fail(self, step: Step, error: Exception) -> Exception:
        self.refuse(step, State.FAILED, self._masked(step.element, error))
        self.pace.count(1, 1)
        return error

    def _masked(self, element: DiffElement, error: Exception) -> str:
        """What an exception says; from now on it says no secret itself."""
        groups = element.source_attrs, element.dest_attrs, element.keys
        redact_error(error, self._secrets(element), *groups)
        return redact_text(self._secrets(element), reason_of(error), *groups)

    # What a sync has sent that ended before it heard the answer

    def ask(self, steps: list[Step]) -> list[Step]:
        moves = [step for step in steps if step.action == MOVE]
        others = [step for step in steps if step.action != MOVE]
        again = [step for step in moves if self._is_to_be_moved(step)]
        self._clear_the_way(others)
        found = self.calls.look_up([step.element for step in others]) if others else []
        again += [step for step, now in zip(others, found, strict=True) if self._is_pending(step, now)]
        return [step for step in again if not self._is_held(step)]

    def _is_held(self, step: Step) -> bool:
        why = self.suppression_of(step)
        if why:
            self.suppress(step, why)
        return bool(why)

    def _is_pending(self, step: Step, now: Any) -> bool:
        """Whether an operation was not done; settles it otherwise."""
        obj, element = self._object_of(step), step.element
        state = outcome(element, obj, now)
        if state is State.PENDING:
            if obj is not None and step.action == DiffSyncActions.UPDATE:
                with_values(obj, element.get_attrs_diffs()["-"])  # it had been told too early
            return True
        if state is State.DONE:
            found = self._bring(step, obj, now=None if now is NotImplemented else now)
            self.result.done_before += 1
            self.note(step, Entry(State.DONE, fields=_fields(step, found)))
            self.advance()
            self.end(step, True)
        elif state is State.CONFLICT:
            self.refuse(step, State.CONFLICT, _NEITHER)
        else:
            self.refuse(step, State.SENT, "")
        return False

    def _is_to_be_moved(self, step: Step) -> bool:
        move, place = step.move, self.calls.place_of(step.element)
        assert move is not None  # noqa: S101  # for the type checker
        if place == place_in_store(self._at(move.old)):
            return True
        if place == place_in_store(self._parent_of(step)):
            self.result.done_before += 1
            self.advance()
            self.end(step, True)
            self._end_move(step, self._object_of(step))
        elif place is NotImplemented:
            self.refuse(step, State.SENT, "")
        else:
            self.refuse(step, State.CONFLICT, "It stands neither where it was before the move nor where it was to be.")
        return False

    def _end_move(self, step: Step, obj: DiffSyncModel | None) -> None:
        """An object stands under its new parent."""
        move, element = step.move, step.element
        assert move is not None  # noqa: S101  # for the type checker
        move.is_done = True
        if obj is not None:
            with_values(obj, element.get_attrs_diffs()["+"])
            under(obj, self._at(move.old), self._parent_of(step))
            self.target.store.mark_dirty(obj)
            step.obj = obj
        self.ledger.note(move.create.operation_id, Entry(State.DONE))
        along = {self._key(below): below for below in _all(element) if below.source_attrs is not None}
        for gone, _ in walk(iter([move.delete]), None):
            if gone.action == DiffSyncActions.DELETE and (gone is move.delete or self._key(gone) in along):
                self.ledger.note(gone.operation_id, Entry(State.DONE, "" if gone is move.delete else _ALONG))
        for below in along.values():
            if below.action is None:
                self.ledger.note(below.operation_id, Entry(State.DONE, _ALONG))

    # What is not done, and what is told

    def note(self, step: Step, entry: Entry) -> None:
        self.ledger.note(step.id, entry)

    def suppress(self, step: Step, reason: str) -> None:
        if step.action != MOVE or step.move is None:
            super().suppress(step, reason)
            return
        for place in (step.move.create, step.move.delete):
            super().suppress(Step(place, None), reason)

    def refuse(self, step: Step, state: State, reason: str, *, missing: str = "") -> None:
        reason = reason or UNKNOWN
        super().refuse(step, state, reason, missing=missing)
        element = step.element
        if state is State.FAILED:
            self.logger.error(reason, **self._told(element), status=DiffSyncStatus.ERROR.value)
        elif state is not State.BLOCKED:  # those are told together
            told = "unknown" if state is State.SENT else state.value
            self.logger.warning(reason, **self._told(element), status=told)
        if (
            step.missing
            and state is not State.BLOCKED
            and (number := sum(each.action is not None for each in step.below()))
        ):
            self.logger.warning(
                "It was not done, so nothing below it is.", **self._told(element), status="blocked", number=number
            )

    def reject(self, step: Step, state: str, reason: str) -> Reject:
        element = step.element if step.move is None else step.move.create
        keys, payload = redact_values(self._secrets(element), element.keys), self._payload(element)
        uid = self.shown_id(element)
        return Reject(str(element.action), element.type, uid, keys, reason, state, element.operation_id, payload)

    def _told(self, element: DiffElement) -> dict[str, Any]:
        return {
            "action": element.action,
            "model": element.type,
            "unique_id": self.shown_id(element),
            "diffs": self._payload(element),
        }

    def _payload(self, element: DiffElement) -> dict[str, Any]:
        secrets = self._secrets(element)
        return {sign: redact_values(secrets, values) for sign, values in element.get_attrs_diffs().items()}

    def _secrets(self, element: DiffElement) -> frozenset[str]:
        """The fields that the model, on either side, declares as secret."""
        own = self._declared.get(element.type)
        if own is None:
            own = self._declared[element.type] = secret_fields(self._class(element.type))
        return own.union(element._secrets) if element._secrets else own

    def shown_id(self, element: DiffElement) -> str:
        return redact_id(self._secrets(element), element.keys, self.uid(element))

    def advance(self, elements: int = 1) -> None:
        if self.callback is not None and elements:
            self.processed += elements
            self.callback("sync", self.processed, self.total)


def is_of_redis(error: ObjectStoreException) -> bool:
    """Whether Redis cannot be reached or written, rather than that the sync was refused something."""
    return type(error) in {ObjectStoreException, StoreUnavailable}


def interrupted(error: ObjectStoreException) -> SyncInterrupted:
    """What to say where the store or the journal cannot be reached or written."""
    return SyncInterrupted(
        f"{error} The sync has stopped there. When Redis is well again, apply the same diff once more: it goes on at the "
        "first operation that is not done."
    )


def _restore(request: Request) -> None:
    """An update that failed may have set attributes before: the object is as it was."""
    obj = request.obj
    if obj is None or request.before is None:
        return
    for name in request.step.element.get_attrs_diffs().get("+", ()):
        if name not in request.before or vars(obj).get(name) is request.before[name]:
            continue  # computed, or not changed: then it does not say that it was
        with suppress(AttributeError, ValueError):
            setattr(obj, name, request.before[name])


def _fields(step: Step, done: DiffSyncModel | None) -> str:
    if done is None or step.action != DiffSyncActions.CREATE:
        return ""
    try:
        return encode(done).decode()
    except ObjectNotStorable:  # a field that is not stored either; the attributes are known
        return ""


def _all(element: DiffElement) -> Iterator[DiffElement]:
    for below in element.get_children():
        yield below
        yield from _all(below)


def _allows(logger: Any, level: int) -> bool:
    """Whether a logger shows what is logged at a level, as far as it says so."""
    is_enabled = getattr(logger, "is_enabled_for", None)
    return bool(is_enabled(level)) if callable(is_enabled) else True
