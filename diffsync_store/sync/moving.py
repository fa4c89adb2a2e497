"""Applying a diff in which objects move to other parents, each by one call of its model's `move`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffsync_store.canonical import restored
from diffsync_store.diff import DiffElement, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import SyncStopped
from diffsync_store.sync.guarded import UNKNOWN
from diffsync_store.sync.hooks import hook
from diffsync_store.sync.journal import Entry
from diffsync_store.sync.moves import Move, merged, moves_in
from diffsync_store.sync.ordered import OrderedSyncer
from diffsync_store.sync.plan import not_retried, stays
from diffsync_store.sync.preconditions import conflict
from diffsync_store.sync.recovery import under, with_values

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel

_ALONG = "moved with what stands above it"


class MovingSyncer(OrderedSyncer):
    """A guarded sync that knows what moves before it begins, where a model offers a `move`.

    An object moves when the first of its two places comes up at which both parents are there. What is deleted and has
    such an object below it is deleted after everything else.
    """

    moves: dict[tuple[str, str], Move]

    def _apply_all(self) -> None:
        names = self.target._get_initial_value_order()
        models = {name for name in names if hook(getattr(self.target, name, None), "move")}
        self.moves = moves_in(self.diff, self._key, models) if models else {}
        super()._apply_all()

    def _way(self, element: DiffElement) -> tuple[str, str | None, bool] | None:
        return None if self.moves and self._key(element) in self.moves else super()._way(element)

    def _apply_element(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> None:
        if self.moves and element.action in {DiffSyncActions.CREATE, DiffSyncActions.DELETE}:
            move = self.moves.get(self._key(element))
            if move is not None:
                self._move(move)
                return
            if element.action == DiffSyncActions.DELETE and not self.deleting_late and self._shelters(element):
                self._postpone(element, None if parent is None else (parent.get_type(), parent.get_unique_id()))
                return
        super()._apply_element(element, obj, parent)

    def _shelters(self, element: DiffElement) -> bool:
        """Whether something stands below an object that is to move away before the object is deleted."""
        return any(
            below.action == DiffSyncActions.DELETE and self._key(below) in self.moves
            for below, _ in walk(element.get_children(), None)
        )

    def _postpone(self, element: DiffElement, above: tuple[str, str] | None) -> None:
        if self._key(element) in self.moves:  # what stands below it goes along
            self.later.append((element, above))
        else:
            super()._postpone(element, above)

    def _has_gone(self, element: DiffElement) -> bool | None:
        move = self.moves.get(self._key(element))
        return super()._has_gone(element) if move is None else move.is_done

    def _move(self, move: Move) -> None:
        old, new = self._parent(move.old), self._parent(move.new)
        if move.is_tried or (move.new is not None and new is None):
            return
        move.is_tried = True
        element = merged(move, self._key)
        obj = self.target.store.fetch(element.type, [self._uid(element)]).get(self._uid(element))
        self._know(move)
        entry = self.entries.get(element.operation_id)
        if entry is not None and entry.state is State.SENT:
            entry = self._after_death_of_move(move, element, old, new)
            if entry is None:
                return
        if entry is not None and entry.state is State.DONE:
            self.result.done_before += 1
        elif not self._may_move(move, element, obj, entry):
            return
        elif obj is None or not self._is_moved(move, element, obj, old, new):
            self._block(element)
            return
        move.is_done = True
        if obj is not None:
            with_values(obj, element.get_attrs_diffs()["+"])
            under(obj, old, new)
            self.target.store.changed(obj)
        self._advance()
        self._note_along(element, move)
        self._apply(element.get_children(), obj)

    def _parent(self, element: DiffElement | None) -> DiffSyncModel | None:
        if element is None:
            return None
        return self.target.store.fetch(element.type, [self._uid(element)]).get(self._uid(element))

    def _know(self, move: Move) -> None:
        """See to it that what the journal and the rules say of both places is at hand."""
        places = [move.create, move.delete]
        if self.is_resumed:
            self.entries = {**self.entries, **self._entries_of(below for below, _ in walk(iter(places), None))}
        if self.selection.has_rules:
            self.holds = {**self.holds, **self.selection.held(move.create), **self.selection.held(move.delete)}

    def _after_death_of_move(
        self, move: Move, element: DiffElement, old: DiffSyncModel | None, new: DiffSyncModel | None
    ) -> Entry | None:
        """What became of a move that a sync had sent which died; None where it must not be sent again."""
        model = self._class(element.type)
        find = hook(model, "lookup_parent")
        with self.team.elsewhere():
            place = NotImplemented if find is None else find(self.target, restored(model, element.keys))
        if place == _place(new):
            return Entry(State.DONE)
        if place == _place(old):
            return Entry(State.PENDING)
        if place is NotImplemented:
            self._refuse(element, State.SENT, UNKNOWN)
        else:
            self._refuse(
                element, State.CONFLICT, "It stands neither where it was before the move nor where it was to be."
            )
        self._block(element)
        return None

    def _may_move(self, move: Move, element: DiffElement, obj: DiffSyncModel | None, entry: Entry | None) -> bool:
        why = self.holds.get(move.create.operation_id) or self.holds.get(move.delete.operation_id)
        if entry is not None and stays(entry.state, self.options, self.flags):
            self._refuse(element, entry.state, entry.reason)
        elif why or not_retried(entry, self.options):
            for place in (move.create, move.delete):
                self._hold(place, why or not_retried(entry, self.options))
        elif reason := conflict(move.delete, None if obj is None else obj.get_attrs(), self._class(element.type)):
            self._refuse(move.delete, State.CONFLICT, reason)
            self._block(element)
        else:
            return True
        return False

    def _is_moved(
        self,
        move: Move,
        element: DiffElement,
        obj: DiffSyncModel,
        old: DiffSyncModel | None,
        new: DiffSyncModel | None,
    ) -> bool:
        told = self._told(element)
        self.logger.debug("Attempting model move", **told)
        self.attempted = True
        self._send([move.create, move.delete])
        try:
            done = self._call_move(element, obj, old, new)
        except SyncStopped:
            raise
        except Exception as error:  # whatever an adapter's code raises is this operation's failure
            self._fail(move.create, told, error)
            if DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                raise
            return False
        if done is None:
            self.result.skipped += 1
            return False
        self.result.moved += 1
        self.logger.info(done.get_status()[1] or "Moved successfully", **told, status="success")
        self.pace.count(1, 0)
        return True

    def _call_move(
        self, element: DiffElement, obj: DiffSyncModel, old: DiffSyncModel | None, new: DiffSyncModel | None
    ) -> Any:
        attrs = restored(type(obj), element.get_attrs_diffs()["+"])
        with self.team.elsewhere():
            return self.pace.call(lambda: hook(obj, "move")(old, new, attrs), lambda: None)

    def _note_along(self, element: DiffElement, move: Move) -> None:
        """Tell of everything that has its place now, without a call of its own."""
        self.ledger.note(move.create.operation_id, Entry(State.DONE))
        merged_below = {self._key(below): below for below, _ in _all(element) if below.source_attrs is not None}
        for below, _ in walk(iter([move.delete]), None):
            is_there = below is move.delete or self._key(below) in merged_below
            if below.action == DiffSyncActions.DELETE and is_there:
                self.ledger.note(below.operation_id, Entry(State.DONE, "" if below is move.delete else _ALONG))
        for below in merged_below.values():
            if below.action is None:
                self.ledger.note(below.operation_id, Entry(State.DONE, _ALONG))


def _place(parent: DiffSyncModel | None) -> str:
    return "" if parent is None else parent.get_unique_id()


def _all(element: DiffElement) -> Any:
    for below in element.get_children():
        yield below, element
        yield from _all(below)
