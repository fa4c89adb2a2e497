"""Applying a diff under guards: journalled, resumable, nothing overwritten, each operation once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError

from diffsync_store.canonical import restored
from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import JournalLost, LeaseLost, ObjectStoreException, SyncInterrupted, SyncStopped
from diffsync_store.masking import masked, masked_text
from diffsync_store.result import Reject
from diffsync_store.sync.bulk import call_many
from diffsync_store.sync.hooks import hook, transient_errors
from diffsync_store.sync.journal import Entry, Journal
from diffsync_store.sync.ledger import Ledger
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.pace import Pace
from diffsync_store.sync.preconditions import conflict
from diffsync_store.sync.recovery import bring_along, look_up, made, outcome, with_values
from diffsync_store.sync.selection import Selection
from diffsync_store.sync.team import Team
from diffsync_store.syncer import Syncer, batches, deletes_in, reason_of

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.model import DiffSyncModel

Outcome = tuple[bool, "DiffSyncModel | None"]
"""Whether to go on below an element, and with which object."""

_LEFT_ALONE = "left alone by the model"
_DELETES = 500
"""Deletes whose objects are fetched at once."""
_COUNT_OF = {State.FAILED: "failed", State.CONFLICT: "conflicts", State.BLOCKED: "blocked", State.SENT: "unknown"}
UNKNOWN = (
    "It was sent by a sync that died, and nobody can tell whether it was done: look at the record in the target, say what "
    "it shows with saved.settle(operation_id, is_done=...), and apply the diff again. A model with a `lookup` is asked."
)


class GuardedSyncer(Syncer):
    """One application of a diff whose elements have the ids of their operations."""

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
        super().__init__(diff, source, target, flags, callback)
        self.options = options
        self.journal = journal
        self.may_lack_entries = may_lack_entries
        self.check_lease = check_lease
        self.ledger = Ledger(journal)
        self.pace = Pace(options, transient_errors(target))
        self.team = Team(options.workers, target.store)
        self.selection = Selection(options.select, options.exclude, options.hold)
        self.entries: dict[str, Entry] = {}
        """What the journal knows of the elements that are at hand."""
        self.holds: dict[str, str] = {}
        """Operations at hand that are held, with the reason."""
        self.is_resumed = may_lack_entries or not journal.is_empty()
        self.recreated: dict[tuple[str, str], str] = {}
        """Objects that the diff deletes at one place and creates at another, with the ids of the creates; looked for when
        a sync is resumed, or has several workers."""
        self.later: list[tuple[DiffElement, tuple[str, str] | None]] = []
        """Deletes that are to be done last, each with model and unique id of what it stands below."""
        self.held_deletes: dict[str, str] = {}
        """Those of them that are held, with the reason."""
        self.deleting = not options.deletes_last
        self.deleting_late = False
        self._offered: dict[tuple[str, str], bool] = {}
        """Which hooks models have."""

    # The whole diff

    def _apply_all(self) -> None:
        if self.may_lack_entries:
            self._require_lookups()
        if self.is_resumed or self.options.workers > 1:
            self.recreated = self._recreated()
        with self.team.at_work(), self.ledger:
            for batch in batches(self._wanted(self.diff.get_children())):
                self._prepare(batch)
                held = self._fetch(batch)
                for _, alike in groupby(batch, key=lambda element: element.type):  # models may need those before them
                    self._work_on(list(alike))
                held.clear()
            self.team.do(self._delete_last, [self.later], self.pace.end)

    def _prepare(self, batch: list[DiffElement]) -> None:
        """Read what the journal knows of elements and those below them, and judge what is held."""
        if self.is_resumed:
            self.entries = self._entries_of(element for element, _ in walk(iter(batch), None))
        if self.selection.has_rules:
            self.holds = {name: why for element in batch for name, why in self.selection.held(element).items()}

    def _entries_of(self, elements: Iterable[DiffElement]) -> dict[str, Entry]:
        """What the journal knows of elements; where it may lack entries, one without may have been sent."""
        operations = {element.operation_id: element for element in elements if element.action is not None}
        entries = self.journal.read(list(operations))
        if self.may_lack_entries:
            for name, element in operations.items():
                if self._offers(element.type, "lookup"):
                    entries.setdefault(name, Entry(State.SENT))
        return entries

    def _require_lookups(self) -> None:
        """Refuse to go on where nobody can tell what was done."""
        waiting: Counter[str] = Counter()
        for batch in batches(self._wanted(self.diff.get_children())):
            elements = [element for element, _ in walk(iter(batch), None) if element.action is not None]
            known = self.journal.read([element.operation_id for element in elements])
            waiting.update(element.type for element in elements if element.operation_id not in known)
        blind = [f"{count} of {model}" for model, count in waiting.items() if not self._offers(model, "lookup")]
        if blind:
            raise JournalLost(
                "Redis was restarted, or failed over, since this sync began: its journal may lack what was done last. Of "
                f"the operations that are left, {', '.join(blind)} cannot be looked up in the target, and some may have "
                "been done. Nothing was sent. Load the target again, make a new diff and apply it. Where Redis keeps "
                "every write (appendonly yes, appendfsync always, no failover), go on with "
                "SyncOptions(trust_journal=True); a model with a `lookup` needs neither."
            )

    def _recreated(self) -> dict[tuple[str, str], str]:
        creates: dict[tuple[str, str], str] = {}
        deletes: set[tuple[str, str]] = set()
        for element, _ in walk(self.diff.get_children(), None):
            if element.action == DiffSyncActions.CREATE:
                creates[self._key(element)] = element.operation_id
            elif element.action == DiffSyncActions.DELETE:
                deletes.add(self._key(element))
        return {key: created for key, created in creates.items() if key in deletes}

    def _work_on(self, elements: list[DiffElement]) -> None:
        """Apply elements of one model side by side; those between which something moves one after the other."""
        if self.options.workers == 1:
            self._foresee(elements)
            self.team.do(self._work_in_order, [elements], self.pace.end)
            return
        bound = [element for element in elements if self.recreated and self._is_bound(element)]
        ids = set(map(id, bound))
        free = [element for element in elements if id(element) not in ids]
        self.team.do(self._work, self._units(free), self.pace.end)
        self.team.do(self._work_in_order, [bound] if bound else [], self.pace.end)

    def _is_bound(self, element: DiffElement) -> bool:
        return any(self._key(below) in self.recreated for below, _ in walk(iter([element]), None))

    def _work_in_order(self, elements: list[DiffElement]) -> None:
        for unit in self._units(elements):
            self._work(unit)

    def _foresee(self, elements: list[DiffElement]) -> None:
        """Tell the ledger what is to come and can be looked up, where nothing is known of it yet."""
        self.ledger.foresee(
            element.operation_id
            for element, _ in walk(iter(elements), None)
            if element.action is not None
            and element.operation_id not in self.entries
            and element.operation_id not in self.holds
            and self._offers(element.type, "lookup")
            and (self.deleting or element.action != DiffSyncActions.DELETE)
        )

    def _work(self, unit: list[DiffElement]) -> None:
        """Apply elements of the top."""
        if self.pace.has_ended:
            return
        if self.options.workers == 1:
            self._apply_unit(unit, None)
            return
        with self._told_at_the_end():
            self._foresee(unit)
            self._apply_unit(unit, None)

    @contextmanager
    def _told_at_the_end(self) -> Iterator[None]:
        """Tell the journal everything that this thread has to tell, without having the turn meanwhile."""
        try:
            yield
        finally:
            with self.team.elsewhere():
                self.ledger.close()

    def _postpone(self, element: DiffElement, above: tuple[str, str] | None) -> None:
        self.later.append((element, above))
        if element.operation_id in self.holds:
            self.held_deletes[element.operation_id] = self.holds[element.operation_id]
        obj = self.target.store.at_hand(element.type, self._uid(element))
        if not self._has_flag(element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE):
            for below in element.get_children():
                self._postpone(below, self._key(element))

    def _delete_last(self, later: list[tuple[DiffElement, tuple[str, str] | None]]) -> None:
        """Delete from the last to the first, so that nothing goes before what stands below it."""
        with self._told_at_the_end():
            self._delete_backwards(later)

    def _delete_backwards(self, later: list[tuple[DiffElement, tuple[str, str] | None]]) -> None:
        self.deleting = self.deleting_late = True
        self.holds = self.held_deletes
        stuck: set[tuple[str, str] | None] = set()
        waiting = reversed(later)
        while batch := list(islice(waiting, _DELETES)):
            if self.is_resumed:
                self.entries = self._entries_of(element for element, _ in batch)
            held = self._fetch([element for element, _ in batch])
            for element, above in batch:
                parent = self.target.store.fetch(above[0], [above[1]]).get(above[1]) if above else None
                if not self._is_deleted(element, parent, is_stuck=self._key(element) in stuck):
                    stuck.add(above)
            held.clear()

    def _is_deleted(self, element: DiffElement, parent: DiffSyncModel | None, *, is_stuck: bool) -> bool:
        if self._key(element) in self.gone_ahead:
            return True
        obj = self.target.store.at_hand(element.type, self._uid(element))
        if is_stuck and element.operation_id not in self.holds:
            self._refuse(element, State.BLOCKED, "A delete below it was not done.")
            return False
        goes_on, _ = self._operate(element, obj, parent)
        if self._has_flag(element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE):
            self._skip_children(element)
        return goes_on and element.operation_id not in self.holds

    # Elements together

    def _apply(self, elements: Iterator[DiffElement], parent: DiffSyncModel | None) -> None:
        for batch in batches(self._wanted(elements)):
            held = self._fetch(batch)
            for unit in self._units(batch):
                self._apply_unit(unit, parent)
            held.clear()

    def _units(self, elements: list[DiffElement]) -> Iterator[list[DiffElement]]:
        """The elements in their order, those together that can be done by one call."""
        for hooked, alike in groupby(elements, key=self._bulk_hook):
            group = list(alike)
            size = self.options.bulk if hooked else 1
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _bulk_hook(self, element: DiffElement) -> tuple[str, str] | None:
        action = element.action
        if (
            action is None
            or self.options.bulk == 1
            or (action == DiffSyncActions.DELETE and not self._is_leaf(element))
        ):
            return None
        return (element.type, action) if self._offers(element.type, f"{action}_many") else None

    def _offers(self, model: str, name: str) -> bool:
        try:
            return self._offered[model, name]
        except KeyError:
            found = self._offered[model, name] = hook(self._class(model), name) is not None
            return found

    def _is_leaf(self, element: DiffElement) -> bool:
        return self.deleting and not element.child_diff.has_diffs()

    def _apply_unit(self, unit: list[DiffElement], parent: DiffSyncModel | None) -> None:
        if len(unit) > 1:
            self._apply_many(unit, parent)
            return
        [element] = unit
        self._apply_element(element, self.target.store.at_hand(element.type, self._uid(element)), parent)

    def _apply_many(self, unit: list[DiffElement], parent: DiffSyncModel | None) -> None:
        outcomes: dict[int, Outcome] = {}
        ready: list[tuple[DiffElement, DiffSyncModel | None]] = []
        for element in unit:
            obj = self.target.store.at_hand(element.type, self._uid(element))
            settled = self._settled(element, obj, parent)
            if settled is None:
                ready.append((element, None if element.action == DiffSyncActions.CREATE else obj))
            else:
                outcomes[id(element)] = settled
        if ready:
            self._send([element for element, _ in ready])
            results = self._call_many(ready)
            errors: list[Exception] = []
            stops: list[SyncStopped] = []
            for (element, obj), result in zip(ready, results, strict=True):
                try:
                    done, error = self._taken_in(element, obj, result, parent)
                except SyncStopped as stop:  # what else the call has done is kept before
                    stops.append(stop)
                    continue
                outcomes[id(element)] = done is not None, done
                errors += [error] if error else []
            if stops:
                raise stops[0]
            if errors and DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                raise errors[0]
        for element in unit:
            goes_on, done = outcomes[id(element)]
            if goes_on:
                self._apply(element.get_children(), done)
            else:
                self._block(element)

    def _call_many(self, ready: list[tuple[DiffElement, DiffSyncModel | None]]) -> list[Any]:
        element = ready[0][0]
        model, action = self._class(element.type), element.action
        many = hook(model, f"{action}_many")
        with self.team.elsewhere():
            return call_many(
                lambda pairs: self.pace.call(
                    lambda: many(self.target, [_argument(model, *pair) for pair in pairs]), lambda: None
                ),
                lambda pair: self._call_single(*pair),
                ready,
            )

    def _taken_in(
        self, element: DiffElement, obj: DiffSyncModel | None, result: Any, parent: DiffSyncModel | None
    ) -> tuple[DiffSyncModel | None, Exception | None]:
        """Take in what a bulk call has returned for one record."""
        told = self._told(element)
        self.logger.debug(f"Attempting model {element.action}", **told)
        self.attempted = True
        error = result if isinstance(result, Exception) else None
        if error is None and result is not None:
            try:
                self._keep(element, obj, result, parent)
            except SyncStopped:
                raise
            except Exception as found:  # noqa: BLE001  # as for a single operation
                error = found
        self._advance()
        if error is not None:
            self._fail(element, told, error)
            return None, error
        self._land(element, told, result)
        return result, None

    # One element

    def _apply_element(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> None:
        if element.action == DiffSyncActions.DELETE and not self.deleting:
            self._postpone(element, (parent.get_type(), parent.get_unique_id()) if parent is not None else None)
            return
        super()._apply_element(element, obj, parent)

    def _operate(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> Outcome:
        settled = self._settled(element, obj, parent)
        if settled is not None:
            return settled
        if element.action == DiffSyncActions.CREATE:
            obj = None  # what stood in the way has gone ahead
        self._send([element])
        return super()._operate(element, obj, parent)

    def _send(self, elements: list[DiffElement]) -> None:
        self.pace.check()
        with self.team.elsewhere():
            if self.check_lease is not None:
                self.check_lease()
            if len(elements) == 1 and self._offers(elements[0].type, "lookup"):
                self.ledger.send_soon(elements[0].operation_id)
            else:
                self.ledger.send(element.operation_id for element in elements)

    def _call(self, element: DiffElement, obj: DiffSyncModel | None) -> DiffSyncModel | None:
        with self.team.elsewhere():
            return self._call_single(element, obj)

    def _call_single(self, element: DiffElement, obj: DiffSyncModel | None) -> DiffSyncModel | None:
        before = vars(obj).copy() if obj is not None and element.action == DiffSyncActions.UPDATE else {}
        try:
            if self.pace.is_plain:
                return super()._call(element, obj)
            return self.pace.call(
                lambda: super(GuardedSyncer, self)._call(element, obj), lambda: self._landed(element, obj)
            )
        except Exception:
            for name in element.get_attrs_diffs().get("+", ()) if before else ():
                if getattr(obj, name) is not before[name]:  # an object that was not changed does not say that it was
                    setattr(obj, name, before[name])
            raise

    def _landed(self, element: DiffElement, obj: DiffSyncModel | None) -> DiffSyncModel | None:
        """The object, if the system says that the operation was done though its call failed."""
        now = look_up(self.target, self._class(element.type), element)
        if now is NotImplemented or outcome(element, obj, now) is not State.DONE:
            return None
        if element.action == DiffSyncActions.CREATE:
            return made(self.target, element)
        return obj and with_values(obj, element.get_attrs_diffs().get("+", {}))

    def _keep(
        self, element: DiffElement, obj: DiffSyncModel | None, done: DiffSyncModel, parent: DiffSyncModel | None
    ) -> None:
        try:
            super()._keep(element, obj, done, parent)
        except ObjectStoreException as error:
            if type(error) is not ObjectStoreException and not isinstance(error, LeaseLost):
                raise
            self.ledger.note(element.operation_id, Entry(State.DONE, fields=_fields(element, done)))
            raise (SyncStopped(str(error)) if isinstance(error, LeaseLost) else interrupted(error)) from error

    def _land(self, element: DiffElement, told: dict[str, Any], done: DiffSyncModel | None) -> None:
        super()._land(element, told, done)
        reason = _LEFT_ALONE if done is None else ""
        self.ledger.note(element.operation_id, Entry(State.DONE, reason, _fields(element, done)))
        self.pace.count(1, 0)

    def _fail(self, element: DiffElement, told: dict[str, Any], error: Exception) -> None:
        model = self._class(element.type)
        reason = masked_text(model, reason_of(error), element.source_attrs, element.dest_attrs, element.keys)
        self._refuse(element, State.FAILED, reason)
        if element.action == DiffSyncActions.DELETE:
            self.gone_ahead.add(self._key(element))
        self.pace.count(1, 1)

    # What need not or must not be done

    def _settled(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> Outcome | None:
        """How it goes on with an operation that is not to be done now; None where it is."""
        if element.action == DiffSyncActions.DELETE and self._key(element) in self.gone_ahead:
            return True, None
        entry = self.entries.get(element.operation_id)
        if entry is not None and entry.state is State.DONE:
            return self._done_before(element, obj, parent, entry)
        if self._needs_way(element, obj) and obj is not None and self._make_way(element, obj):
            obj = None
        if entry is not None and entry.state is State.SENT:
            settled, obj = self._after_death(element, obj, parent)
            if settled is not None:
                return settled
        elif entry is not None and self._stays(entry.state):
            self._refuse(element, entry.state, entry.reason)
            return False, None
        return self._left_out(element, obj, entry)

    def _left_out(self, element: DiffElement, obj: DiffSyncModel | None, entry: Entry | None) -> Outcome | None:
        why = self.holds.get(element.operation_id) or self._not_retried(entry)
        if why:
            self._hold(element, why)
            return True, obj
        reason = self._conflict(element, obj)
        if reason:
            self._refuse(element, State.CONFLICT, reason)
            return False, None
        return None

    def _stays(self, state: State) -> bool:
        """Whether an operation that was not done before is not tried again."""
        if state is State.FAILED and DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
            return False  # the sync stopped there: this is where it goes on
        return not self.options.retry and state in {State.FAILED, State.CONFLICT, State.BLOCKED}

    def _not_retried(self, entry: Entry | None) -> str:
        if not self.options.retry or (
            entry is not None and entry.state is not State.PENDING and entry.state is not State.HELD
        ):
            return ""
        return entry.reason if entry is not None else "not tried before, so not tried again"

    def _needs_way(self, element: DiffElement, obj: DiffSyncModel | None) -> bool:
        return (
            element.action == DiffSyncActions.CREATE
            and obj is not None
            and (not self.is_resumed or self._key(element) in self.recreated)
        )

    def _done_before(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None, entry: Entry
    ) -> Outcome:
        self.result.done_before += 1
        self._advance()
        if entry.reason == _LEFT_ALONE:
            return False, None
        if element.action == DiffSyncActions.DELETE and obj is not None and self._is_created_elsewhere(element):
            return True, None
        return True, bring_along(self.target, element, obj, parent, entry.fields)

    def _make_way(self, element: DiffElement, obj: DiffSyncModel) -> bool:
        if self.deletes is None:
            self.deletes = deletes_in(self.diff, self._uid)
        delete, _ = self.deletes.get(self._key(element), (None, None))
        if delete is not None:
            if self.is_resumed:
                self.entries |= self._entries_of(found for found, _ in walk(iter([delete]), None))
            self.holds |= self.selection.held(delete) if self.selection.has_rules else {}
        was_deleting, self.deleting = self.deleting, True
        try:
            has_gone = super()._make_way(element, obj)
        finally:
            self.deleting = was_deleting
        for below, _ in walk(iter([delete] if delete else ()), None):
            if below.action == DiffSyncActions.DELETE:
                self.gone_ahead.add(self._key(below))
        return has_gone

    def _is_created_elsewhere(self, element: DiffElement) -> bool:
        """Whether an object that was deleted at this place has been created at another one already."""
        created = self.recreated.get(self._key(element))
        return created is not None and any(entry.state is State.DONE for entry in self.journal.read([created]).values())

    def _after_death(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None
    ) -> tuple[Outcome | None, DiffSyncModel | None]:
        """Find out what became of an operation that a sync had sent which died."""
        with self.team.elsewhere():
            now = look_up(self.target, self._class(element.type), element)
        state = outcome(element, obj, now)
        if state is State.DONE:
            found = bring_along(self.target, element, obj, parent, "")
            self.result.done_before += 1
            self._advance()
            self.ledger.note(element.operation_id, Entry(State.DONE, fields=_fields(element, found)))
            return (True, found), found
        if state is State.PENDING:
            if obj is not None and element.action == DiffSyncActions.UPDATE:
                with_values(obj, element.get_attrs_diffs()["-"])  # it had been told too early
            return None, obj
        if state is State.CONFLICT:
            self._refuse(element, State.CONFLICT, "It is neither as before the operation nor as after it.")
        else:
            self._refuse(element, State.SENT, UNKNOWN)
        return (False, None), obj

    def _conflict(self, element: DiffElement, obj: DiffSyncModel | None) -> str:
        model = self._class(element.type)
        reason = conflict(element, None if obj is None else obj.get_attrs(), model)
        if reason or not self.options.look_up:
            return reason
        with self.team.elsewhere():
            now = look_up(self.target, model, element)
        return "" if now is NotImplemented else conflict(element, now, model)

    def _hold(self, element: DiffElement, why: str) -> None:
        self.result.held += 1
        self.result.held_operations.append(self._reject(element, "held", why))
        if not self.options.retry:
            self.ledger.note(element.operation_id, Entry(State.HELD, why))
        self._advance()

    def _block(self, element: DiffElement) -> None:
        reason = f"{element.type} {self._uid(element)} above it was not done."
        before = self.result.blocked
        for below, _ in walk(element.get_children(), None):
            entry = self.entries.get(below.operation_id)
            if below.action is None:
                self._advance()
            elif entry is not None and entry.state is State.DONE:
                self.result.done_before += 1
                self._advance()
            elif below.operation_id in self.holds:
                self._hold(below, self.holds[below.operation_id])
            else:
                is_sent = entry is not None and entry.state is State.SENT
                self._refuse(below, State.SENT if is_sent else State.BLOCKED, UNKNOWN if is_sent else reason)
                self._advance()
        if number := self.result.blocked - before:
            self.logger.warning(
                "It was not done, so nothing below it is.", **self._told(element), status="blocked", number=number
            )

    def _refuse(self, element: DiffElement, state: State, reason: str) -> None:
        """Keep and list an operation that is not done."""
        count = _COUNT_OF[state]
        setattr(self.result, count, getattr(self.result, count) + 1)
        if state is not State.SENT:
            self.ledger.note(element.operation_id, Entry(state, reason))
        told = "unknown" if state is State.SENT else state.value
        self.result.rejects.append(self._reject(element, told, reason))
        if state is State.FAILED:
            self.logger.error(reason, **self._told(element), status="error")
        elif state is not State.BLOCKED:  # those are told together
            self.logger.warning(reason, **self._told(element), status=told)

    def _reject(self, element: DiffElement, state: str, reason: str) -> Reject:
        keys, payload = masked(self._class(element.type), element.keys), self._payload(element)
        return Reject(
            str(element.action), element.type, self._uid(element), keys, reason, state, element.operation_id, payload
        )

    def _told(self, element: DiffElement) -> dict[str, Any]:
        return {
            "action": element.action,
            "model": element.type,
            "unique_id": self._uid(element),
            "diffs": self._payload(element),
        }

    def _payload(self, element: DiffElement) -> dict[str, Any]:
        model = self._class(element.type)
        return {sign: masked(model, values) for sign, values in element.get_attrs_diffs().items()}

    def _has_flag(self, element: DiffElement, obj: DiffSyncModel | None, flag: DiffSyncModelFlags) -> bool:
        flags = element.flags if obj is None else obj.model_flags.value
        return bool(flags & flag.value)

    def _skip_children(self, element: DiffElement) -> None:
        super()._skip_children(element)
        for below, _ in walk(element.get_children(), None):
            if below.action is not None:
                self.ledger.note(below.operation_id, Entry(State.DONE, "gone with what stood above it"))


def interrupted(error: ObjectStoreException) -> SyncInterrupted:
    """What to say where the store or the journal cannot be reached or written."""
    return SyncInterrupted(
        f"{error} The sync has stopped there. When Redis is well again, apply the same diff once more: it goes on at the "
        "first operation that is not done."
    )


def _argument(model: type[DiffSyncModel], element: DiffElement, obj: DiffSyncModel | None) -> Any:
    """What a bulk hook is given for one record."""
    if element.action == DiffSyncActions.CREATE:
        return restored(model, element.keys), restored(model, element.source_attrs or {})
    if element.action == DiffSyncActions.UPDATE:
        return obj, restored(model, element.get_attrs_diffs()["+"])
    return obj


def _fields(element: DiffElement, done: DiffSyncModel | None) -> str:
    if done is None or element.action != DiffSyncActions.CREATE:
        return ""
    try:
        return done.model_dump_json()
    except PydanticSerializationError:  # a field that is not stored either; the attributes are known
        return ""
