"""The operations that take back what the syncs of a saved diff have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from diffsync_store.adapter import Adapter
from diffsync_store.diff import DiffElement, walk
from diffsync_store.enum import DiffSyncActions
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.hooks import ACTIONS, hook, is_own, takes_many
from diffsync_store.journal import PENDING, Entry
from diffsync_store.model import DiffSyncModel
from diffsync_store.operation import Operation, SavedElement, SavedOrderDiff, diff_of
from diffsync_store.redaction import redact_id, redact_values, secret_fields
from diffsync_store.result import Reject
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.store.serialization import decode
from diffsync_store.sync.lookup import differing

Key = tuple[str, str]
"""Model and unique id of an object."""
_INVERSE = {
    DiffSyncActions.CREATE: DiffSyncActions.DELETE,
    DiffSyncActions.UPDATE: DiffSyncActions.UPDATE,
    DiffSyncActions.DELETE: DiffSyncActions.CREATE,
}
_BATCH = 1000
"""Elements whose journal entries and objects are read together."""
MAX_NOTES = 20
"""Operations that are not undone and that the notes of a diff name."""


class _Move(NamedTuple):
    """An object that a sync put under another parent."""

    old: Key | None
    new: Key | None
    attrs: dict[str, Any]
    """Its attributes after the move."""


class Undo:
    """The inverse of what the syncs of a saved diff have done, compared with what the target has now.

    An operation that is undone already, or that somebody has undone by hand, has no inverse. A value that somebody has changed
    since is kept. One thread uses it.

    Args:
        saved: the diff whose operations are taken back.
        target: the adapter of its target, over a store that was loaded after the sync.
    """

    def __init__(self, saved: RedisDiff, target: Adapter) -> None:
        self._saved = saved
        self._target = target
        self._entries: dict[str, Entry] = {}
        self._objects: dict[Key, DiffSyncModel] = {}
        self._moves: dict[Key, _Move] = {}
        self.diff_id = ""
        """The id of the diff that has its elements, once it is saved."""
        self.not_undone: list[Reject] = []
        """Operations that are not taken back, each with the reason."""
        self.done_already = 0
        """Operations whose records are as they were before the sync."""
        self.recreated: Counter[str] = Counter()
        """Deleted records that are created again, by model."""

    def elements(self) -> Iterator[DiffElement]:
        """Yield the top-level elements of the undo in the order of a sync. Call it once."""
        self._moves = self._find_moves()
        for trees in self._batches():
            self._read(trees)
            for element in trees:
                undone = self._inverse(element, None, parent_is_there=True)
                if undone.has_diffs():
                    yield undone

    def notes(self) -> tuple[str, ...]:
        """Return what a person has to know before the undo is applied."""
        lines = [*self.recreation_notes()]
        lines += [
            f"Not undone ({each.state}): {each.action} of {each.model} {each.unique_id}: {each.reason}"
            for each in self.not_undone[:MAX_NOTES]
        ]
        if len(self.not_undone) > MAX_NOTES:
            lines.append(f"Not undone: {len(self.not_undone) - MAX_NOTES:,} more.")
        return tuple(lines)

    def recreation_notes(self) -> tuple[str, ...]:
        """Return what a person has to know about the records that are created again."""
        return tuple(
            f"{count:,} deleted {model} {'record is' if count == 1 else 'records are'} created again, with the fields of the "
            "model only. The system may give new ids."
            for model, count in self.recreated.items()
        )

    # Reading

    def _batches(self) -> Iterator[list[DiffElement]]:
        names = self._saved.record.source_name, self._saved.record.target_name
        batch: list[Operation] = []
        for operation in self._saved.elements():
            if len(batch) >= _BATCH and not operation.parents:
                yield list(diff_of(batch, *names).get_children())
                batch = []
            batch.append(operation)
        yield list(diff_of(batch, *names).get_children())

    def _read(self, trees: list[DiffElement]) -> None:
        """Read the journal entries and the objects of some trees, and the parents of objects that were moved."""
        elements = [element for element, _ in walk(iter(trees), None)]
        self._entries = self._saved.journal().read([each.operation_id for each in elements if each.action is not None])
        wanted: dict[str, set[str]] = {}
        for model, uid in filter(None, map(self._key, elements)):
            wanted.setdefault(model, set()).add(uid)
            move = self._moves.get((model, uid))
            for parent in filter(None, (move.old, move.new) if move else ()):
                wanted.setdefault(parent[0], set()).add(parent[1])
        self._objects = {
            (model, uid): obj
            for model, uids in wanted.items()
            for uid, obj in self._target.store.fetch(model, list(uids)).items()
        }

    def _find_moves(self) -> dict[Key, _Move]:
        """Return the objects that were deleted in one place and created in another."""
        models = {
            model for model, actions in self._saved.record.by_model.items() if {"create", "delete"} <= actions.keys()
        }
        created: dict[Key, tuple[Key | None, dict[str, Any]]] = {}
        deleted: dict[Key, Key | None] = {}
        for operation, entry in self._saved.outcomes() if models else ():
            if operation.model not in models or not entry.is_applied:
                continue
            element = operation.element("", "")
            parent = (operation.parents[-1][0], operation.parent_id or "") if operation.parents else None
            if (key := self._key(element)) is not None and operation.action == DiffSyncActions.CREATE:
                created[key] = parent, element.source_attrs or {}
            elif key is not None and operation.action == DiffSyncActions.DELETE:
                deleted[key] = parent
        return {key: _Move(deleted[key], *created[key]) for key in created.keys() & deleted.keys()}

    def _model(self, name: str) -> type[DiffSyncModel] | None:
        found: type[DiffSyncModel] | None = getattr(self._target, name, None)
        return found

    def _key(self, element: DiffElement) -> Key | None:
        model = self._model(element.type)
        if model is None:
            return None
        return element.type, element.uid or model.create_unique_id(**element.keys)

    # The inverse

    def _inverse(self, element: DiffElement, parent: DiffSyncModel | None, *, parent_is_there: bool) -> SavedElement:
        """Return the element that takes an operation and those below it back.

        Args:
            element: what the sync has done.
            parent: the object above it, as it is now.
            parent_is_there: the object above it exists, or is created again.
        """
        entry = self._entries.get(element.operation_id, PENDING)
        key, model = self._key(element), self._model(element.type)
        now = self._objects.get(key) if key else None
        inverse = SavedElement(
            element.type, element.name, element.keys, element.source_name, element.dest_name, SavedOrderDiff
        )
        inverse.uid, inverse.flags = element.uid, element.flags
        inverse._secrets = element._secrets
        sides = self._sides(element, entry, now, model, parent_is_there=parent_is_there)
        attrs = now.get_attrs() if now is not None else None
        is_there = (attrs is not None and key not in self._moves) or sides[0] is not None
        for child in element.get_children():
            undone = self._inverse(child, now, parent_is_there=is_there)
            if undone.has_diffs():
                inverse.child_diff.add(undone)
        if sides[0] is None and sides[1] is not None and now is not None and self._keeps_children(inverse, now):
            self._leave(element, "conflict", "It has objects below it that this sync did not create, or that stay.")
            sides = None, None
        if sides == (None, None):
            sides = attrs, attrs  # it is only above other operations
        inverse.add_attrs(*sides)
        return inverse

    def _sides(
        self,
        element: DiffElement,
        entry: Entry,
        now: DiffSyncModel | None,
        model: type[DiffSyncModel] | None,
        *,
        parent_is_there: bool,
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the attributes to restore and those that the target has now; twice None if nothing is to be done."""
        if element.action is not None and entry.state is State.SENT:
            self._leave(element, "unknown", "Whether the sync has done it is unknown: resolve it first.")
        if element.action is None or not entry.is_applied:
            return None, None
        key = self._key(element)
        if model is None or not self._has_inverse(model, element):
            lacks = (
                "no longer has this model" if model is None else f"cannot {_INVERSE[str(element.action)]} such records"
            )
            return self._leave(element, "no inverse", f"{self._target.name} {lacks}.")
        if key is not None and key in self._moves and element.action != DiffSyncActions.UPDATE:
            return self._move_back(element, key, now)
        if element.action == DiffSyncActions.CREATE:
            return self._delete(element, entry, now, model)
        if element.action == DiffSyncActions.DELETE:
            return self._create(element, now, model, parent_is_there=parent_is_there)
        return self._restore(element, now, model)

    def _delete(
        self, element: DiffElement, entry: Entry, now: DiffSyncModel | None, model: type[DiffSyncModel]
    ) -> tuple[None, dict[str, Any] | None]:
        if now is None:
            self.done_already += 1
            return None, None
        attrs, written = now.get_attrs(), element.source_attrs or {}
        changed = differing(written, attrs, model)
        if changed and entry.fields:
            with suppress(ObjectStoreException):  # the class has changed since
                made: DiffSyncModel = decode(model, entry.fields.encode(), element.uid or "")
                changed = [name for name in changed if name in differing(made.get_attrs(), attrs, model)]
        if changed:
            return self._leave(element, "conflict", self._changed_text(element, changed, {}, written, attrs))
        return None, attrs

    def _create(
        self, element: DiffElement, now: DiffSyncModel | None, model: type[DiffSyncModel], *, parent_is_there: bool
    ) -> tuple[dict[str, Any] | None, None]:
        before = element.dest_attrs or {}
        if now is not None:
            if changed := differing(before, now.get_attrs(), model):
                text = self._changed_text(element, changed, before, {}, now.get_attrs())
                return self._leave(element, "conflict", f"Somebody has created it again: {text}")
            self.done_already += 1
            return None, None
        if not parent_is_there:
            return self._leave(element, "blocked", "The object above it does not exist.")
        self.recreated[element.type] += 1
        return before, None

    def _restore(
        self, element: DiffElement, now: DiffSyncModel | None, model: type[DiffSyncModel]
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        if now is None:
            return self._leave(element, "conflict", "The record was deleted since the sync.")
        changes, attrs = element.get_attrs_diffs(), now.get_attrs()
        before, written = changes["-"], changes["+"]
        not_restored = set(differing(before, attrs, model))
        changed = [name for name in differing(written, attrs, model) if name in not_restored]
        if changed:
            self._leave(element, "conflict", self._changed_text(element, changed, before, written, attrs))
        restored = {name: value for name, value in before.items() if name in not_restored and name not in changed}
        if not restored:
            self.done_already += not changed
            return None, None
        return {**attrs, **restored}, attrs

    def _move_back(
        self, element: DiffElement, key: Key, now: DiffSyncModel | None
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return a side of an object that returns to its old parent. Both of its elements come to the same decision."""
        is_create, kept = element.action == DiffSyncActions.CREATE, self._why_not_moved(key)
        if kept and is_create:
            self._leave(element, "conflict", kept)
        if self._is_moved_back(key):
            self.done_already += 1
            return None, None
        if kept or now is None:
            return None, None
        return (None, now.get_attrs()) if is_create else (element.dest_attrs, None)

    def _is_moved_back(self, key: Key) -> bool:
        """Whether an object that the sync has moved is below its old parent."""
        move = self._moves[key]
        if move.old == move.new:  # it has moved together with the object above it
            return move.old in self._moves and self._is_moved_back(move.old)
        return move.old is not None and self._lists(move.old, key)

    def _why_not_moved(self, key: Key) -> str:
        """Return why an object cannot return to its old parent; empty if it can, or if it is there."""
        if self._is_moved_back(key):
            return ""
        move, now = self._moves[key], self._objects.get(key)
        is_left = now is not None and (move.new is None or self._lists(move.new, key))
        if now is None or not is_left or differing(move.attrs, now.get_attrs(), type(now)):
            return "The record was moved, changed or deleted since the sync moved it."
        if move.old == move.new and move.old in self._moves:
            return self._why_not_moved(move.old)
        if move.old is not None and move.old not in self._objects and not self._was_deleted(move.old):
            return "The object that it was below does not exist."
        return ""

    def _was_deleted(self, key: Key) -> bool:
        """Whether the sync has deleted an object, so that the undo creates it again."""
        return key[0] in self._saved.record.by_model and "delete" in self._saved.record.by_model[key[0]]

    def _lists(self, parent: Key, key: Key) -> bool:
        found = self._objects.get(parent)
        return found is not None and key[1] in _children(found, key[0])

    def _keeps_children(self, inverse: DiffElement, now: DiffSyncModel) -> bool:
        """Whether an object to delete has children that are not deleted with it."""
        deleted = {self._key(child) for child in inverse.get_children() if child.action == DiffSyncActions.DELETE}
        return any((model, uid) not in deleted for model in now.get_children_mapping() for uid in _children(now, model))

    def _has_inverse(self, model: type[DiffSyncModel], element: DiffElement) -> bool:
        if self._key(element) in self._moves and hook(model, "move"):
            return True
        offered = {action for action in ACTIONS if takes_many(model, action) or is_own(model, action)}
        return not offered or _INVERSE[str(element.action)] in offered

    # What is not undone

    def _leave(self, element: DiffElement, state: str, reason: str) -> tuple[None, None]:
        """List an operation that is not undone."""
        secrets = secret_fields(*filter(None, (self._model(element.type),)), element)
        changes = {sign: redact_values(secrets, values) for sign, values in element.get_attrs_diffs().items()}
        self.not_undone.append(
            Reject(
                str(element.action),
                element.type,
                redact_id(secrets, element.keys, element.uid or element.name),
                redact_values(secrets, element.keys),
                reason,
                state,
                element.operation_id,
                changes,
            )
        )
        return None, None

    def _changed_text(
        self,
        element: DiffElement,
        names: list[str],
        before: Mapping[str, Any],
        written: Mapping[str, Any],
        now: Mapping[str, Any],
    ) -> str:
        """Return what somebody has changed since the sync: the value before it, that of the sync, and the present one."""
        secrets = secret_fields(*filter(None, (self._model(element.type),)), element)
        old, new, present = (redact_values(secrets, values) for values in (before, written, now))
        texts = []
        for name in names:
            parts = [f"was {old[name]!r} before the sync"] if name in old else []
            parts += [f"the sync wrote {new[name]!r}"] if name in new else []
            texts.append(f"{name}: {', '.join([*parts, f'it is {present[name]!r} now'])}")
        return f"{'; '.join(texts)}."


def _children(obj: DiffSyncModel, model: str) -> list[str]:
    """Return the unique ids of the children of a model."""
    field = obj.get_children_mapping().get(model)
    return list(getattr(obj, field, ())) if field else []
