"""Applying single operations under guards: journalled, resumable, nothing overwritten, each operation once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError

from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import LeaseLost, ObjectStoreException, StoreUnavailable, SyncInterrupted, SyncStopped
from diffsync_store.masking import hide_in, masked, masked_text
from diffsync_store.result import Reject
from diffsync_store.sync.hooks import hook, transient_errors
from diffsync_store.sync.journal import LEFT_ALONE, Entry, Journal
from diffsync_store.sync.ledger import Ledger
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.pace import Pace
from diffsync_store.sync.plan import not_retried, stays
from diffsync_store.sync.preconditions import conflict
from diffsync_store.sync.recovery import bring_along, look_up, made, outcome, with_values
from diffsync_store.sync.selection import Selection
from diffsync_store.sync.team import Team
from diffsync_store.syncer import Syncer, deletes_in, reason_of

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.model import DiffSyncModel

Outcome = tuple[bool, "DiffSyncModel | None"]
"""Whether to go on below an element, and with which object."""

_COUNT_OF = {State.FAILED: "failed", State.CONFLICT: "conflicts", State.BLOCKED: "blocked", State.SENT: "unknown"}
UNKNOWN = (
    "It was sent by a sync that died, and nobody can tell whether it was done: look at the record in the target, say what "
    "it shows with saved.settle(operation_id, is_done=...) or `diffsync-store settle DIFF_ID OPERATION_ID --done` "
    "(--not-done), and apply the diff again. A model with a `lookup` is asked."
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
        self.deleting = not options.deletes_last
        self._offered: dict[tuple[str, str], bool] = {}
        """Which hooks models have."""

    def _entries_of(self, elements: Iterable[DiffElement]) -> dict[str, Entry]:
        """What the journal knows of elements; where it may lack entries, one without may have been sent."""
        operations = {element.operation_id: element for element in elements if element.action is not None}
        entries = self.journal.read(list(operations))
        if self.may_lack_entries:
            for name, element in operations.items():
                if self._offers(element.type, "lookup"):
                    entries.setdefault(name, Entry(State.SENT))
        return entries

    def _offers(self, model: str, name: str) -> bool:
        try:
            return self._offered[model, name]
        except KeyError:
            found = self._offered[model, name] = hook(self._class(model), name) is not None
            return found

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
            if not is_of_redis(error) and not isinstance(error, LeaseLost):
                raise
            self.ledger.note(element.operation_id, Entry(State.DONE, fields=_fields(element, done)))
            raise (SyncStopped(str(error)) if isinstance(error, LeaseLost) else interrupted(error)) from error

    def _land(self, element: DiffElement, told: dict[str, Any], done: DiffSyncModel | None) -> None:
        super()._land(element, told, done)
        reason = LEFT_ALONE if done is None else ""
        self.ledger.note(element.operation_id, Entry(State.DONE, reason, _fields(element, done)))
        self.pace.count(1, 0)

    def _fail(self, element: DiffElement, told: dict[str, Any], error: Exception) -> None:
        groups = element.source_attrs, element.dest_attrs, element.keys
        hide_in(error, self._secrets(element), *groups)
        reason = masked_text(self._secrets(element), reason_of(error), *groups)
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
        elif entry is not None and stays(entry.state, self.options, self.flags):
            self._refuse(element, entry.state, entry.reason)
            return False, None
        return self._left_out(element, obj, entry)

    def _left_out(self, element: DiffElement, obj: DiffSyncModel | None, entry: Entry | None) -> Outcome | None:
        why = self.holds.get(element.operation_id) or not_retried(entry, self.options)
        if why:
            self._hold(element, why)
            return True, obj
        reason = self._conflict(element, obj)
        if reason:
            self._refuse(element, State.CONFLICT, reason)
            return False, None
        return None

    def _needs_way(self, element: DiffElement, obj: DiffSyncModel | None) -> bool:
        return (
            element.action == DiffSyncActions.CREATE
            and obj is not None
            and (not self.is_resumed or self._key(element) in self.recreated)
        )

    def _done_before(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None, entry: Entry
    ) -> Outcome:
        self._count_before(entry)
        if entry.is_left_alone:
            return False, None
        if element.action == DiffSyncActions.DELETE and obj is not None and self._is_created_elsewhere(element):
            return True, None
        return True, bring_along(self.target, element, obj, parent, entry.fields)

    def _count_before(self, entry: Entry) -> None:
        self.result.done_before += entry.is_applied
        self.result.skipped += entry.is_left_alone
        self._advance()

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
        reason = f"{element.type} {self._shown_id(element)} above it was not done."
        before = self.result.blocked
        for below, _ in walk(element.get_children(), None):
            entry = self.entries.get(below.operation_id)
            if below.action is None:
                self._advance()
            elif entry is not None and entry.state is State.DONE:
                self._count_before(entry)
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
        keys, payload = masked(self._secrets(element), element.keys), self._payload(element)
        uid = self._shown_id(element)
        return Reject(str(element.action), element.type, uid, keys, reason, state, element.operation_id, payload)

    def _told(self, element: DiffElement) -> dict[str, Any]:
        return {
            "action": element.action,
            "model": element.type,
            "unique_id": self._shown_id(element),
            "diffs": self._payload(element),
        }

    def _payload(self, element: DiffElement) -> dict[str, Any]:
        secrets = self._secrets(element)
        return {sign: masked(secrets, values) for sign, values in element.get_attrs_diffs().items()}

    def _has_flag(self, element: DiffElement, obj: DiffSyncModel | None, flag: DiffSyncModelFlags) -> bool:
        flags = element.flags if obj is None else obj.model_flags.value
        return bool(flags & flag.value)

    def _is_done(self, element: DiffElement, goes_on: bool) -> bool:
        return goes_on and element.operation_id not in self.holds

    def _skip_children(self, element: DiffElement) -> None:
        super()._skip_children(element)
        for below, _ in walk(element.get_children(), None):
            if below.action is not None:
                self.ledger.note(below.operation_id, Entry(State.DONE, "gone with what stood above it"))


def is_of_redis(error: ObjectStoreException) -> bool:
    """Whether Redis cannot be reached or written, rather than that the sync was refused something."""
    return type(error) in {ObjectStoreException, StoreUnavailable}


def interrupted(error: ObjectStoreException) -> SyncInterrupted:
    """What to say where the store or the journal cannot be reached or written."""
    return SyncInterrupted(
        f"{error} The sync has stopped there. When Redis is well again, apply the same diff once more: it goes on at the "
        "first operation that is not done."
    )


def _fields(element: DiffElement, done: DiffSyncModel | None) -> str:
    if done is None or element.action != DiffSyncActions.CREATE:
        return ""
    try:
        return done.model_dump_json()
    except PydanticSerializationError:  # a field that is not stored either; the attributes are known
        return ""
