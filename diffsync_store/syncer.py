"""Applying a Diff to a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from diffsync_store._adapter_like import AdapterLike, overrides
from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags, DiffSyncStatus
from diffsync_store.exceptions import (
    ObjectAlreadyExists,
    ObjectNotCreated,
    ObjectNotDeleted,
    ObjectNotFound,
    ObjectNotUpdated,
    ObjectStoreWrongType,
    SyncStopped,
)
from diffsync_store.hooks import call_many, takes_one
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import redact_text
from diffsync_store.result import Reject, SyncResult
from diffsync_store.sync_elements import TargetElements
from diffsync_store.values.readable import restored

_MAX_BATCH = 500
"""Maximum elements of one level whose objects are fetched together."""
_MAX_ELEMENTS = 5000
"""Maximum elements of a batch, including those below."""
_COUNTERS = {"create": "created", "update": "updated", "delete": "deleted"}

Deletes = dict[tuple[str, str], tuple[DiffElement, DiffElement | None]]
"""By model and unique id: the element that deletes an object, and the element above it."""


def deletes_in(diff: Diff, uid: Callable[[DiffElement], str]) -> Deletes:
    """Return the deletes of a diff."""
    return {
        (element.type, uid(element)): (element, above)
        for element, above in walk(diff.get_children(), None)
        if element.action == DiffSyncActions.DELETE
    }


class Syncer:
    """One application of a diff to a target.

    Only elements that change something, and those above them, are visited; the source is not read.
    """

    def __init__(
        self,
        diff: Diff,
        source: AdapterLike,
        target: AdapterLike,
        flags: DiffSyncFlags,
        callback: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.diff = diff
        self.source = source
        self.target = target
        self.flags = DiffSyncFlags(flags)
        self.callback = callback
        self.logs_unchanged = DiffSyncFlags.LOG_UNCHANGED_RECORDS in self.flags
        self.elements = TargetElements(source, target, flags)
        self.logger = self.elements.logger
        self.result = SyncResult()
        self.processed = 0
        self.total = 0
        self.attempted = False
        self.has_own_get = overrides(target, "get") or target.store.overrides("get")
        """The target's own `get` decides which objects it has."""
        self.calls_source = overrides(source, "get", "get_or_none")
        self.deletes: Deletes | None = None
        """The deletes of the diff, once a create collides with an object."""
        self.deleted_early: set[tuple[str, str]] = set()
        """Objects whose delete was done before its turn, or has failed."""

    def run(self) -> bool:
        """Apply the diff; return whether any operation was attempted.

        Raises:
            ObjectCrudException: or any exception of a model's `create`, `update` or `delete`: the first failure, unless
                the flags ask to continue.
        """
        self.logger.info("Beginning sync")
        self.diff.result = self.result
        if self.callback is not None:
            self.total = self._size(self.diff.get_children()) if self.logs_unchanged else self.diff.size()
        try:
            self._apply(self.diff.get_children(), None)
        finally:
            self.target.store.flush()
        self.logger.info("Sync complete")
        return self.attempted

    def _visited(self, elements: Iterator[DiffElement]) -> Iterator[DiffElement]:
        return (element for element in elements if self.logs_unchanged or element.has_diffs())

    def _size(self, elements: Iterator[DiffElement]) -> int:
        return sum(1 + self._size(element.get_children()) for element in self._visited(elements))

    def _apply(self, elements: Iterator[DiffElement], parent: DiffSyncModel | None) -> None:
        for batch in batches(self._visited(elements)):
            loaded = self._fetch(batch)
            for element in batch:
                # Looked up again: an operation before this one may have added or removed it.
                obj = self._current_object(element)
                if obj is not None:
                    obj.set_status(DiffSyncStatus.UNKNOWN)
                self._apply_element(element, obj, parent)
            loaded.clear()

    def _fetch(self, elements: list[DiffElement]) -> list[DiffSyncModel]:
        """Load the target's objects of these elements, with one request per model; they stay cached while referenced."""
        uids: dict[str, list[str]] = {}
        for element in () if self.has_own_get else elements:
            uids.setdefault(element.type, []).append(self.elements.uid(element))
        return [obj for model in uids for obj in self.target.store.fetch(model, uids[model]).values()]

    def _current_object(self, element: DiffElement) -> DiffSyncModel | None:
        """Return the current object of an element on the target."""
        if not (self.has_own_get or self.calls_source):
            return self.target.store.get_cached(element.type, self.elements.uid(element))
        model = self.elements.model(element.type)
        if self.calls_source:  # for its side effects: the diff has the values
            self.source.get_or_none(model, element.keys)
        try:
            obj: DiffSyncModel = self.target.get(model, element.keys)
            return obj
        except ObjectNotFound:
            return None

    def _apply_element(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> None:
        action = element.action
        if action == DiffSyncActions.NO_CHANGE:
            if self.logs_unchanged:
                self.elements.log_unchanged(element)
            self._advance()
            if obj is None:  # it was deleted since the diff was made, with its children
                self._block(element)
            else:
                self._apply(element.get_children(), obj)
            return
        if self.deleted_early and action == DiffSyncActions.DELETE and self.elements.key(element) in self.deleted_early:
            return
        # These flags are those of the target's object.
        if action == DiffSyncActions.DELETE and self._deletes_children_first(element, obj):
            self._apply(element.get_children(), obj)
            continues, _ = self._operate(element, obj, parent)
            if not continues:
                self._log_no_object(element)
            return
        includes_children = action == DiffSyncActions.DELETE and self._has_flag(
            element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE
        )
        continues, done = self._operate(element, obj, parent)
        if includes_children and continues:
            self._skip_children(element)
        elif continues and not includes_children:
            self._apply(element.get_children(), done)
        else:
            self._block(element)

    def _deletes_children_first(self, element: DiffElement, obj: DiffSyncModel | None) -> bool:
        return self._has_flag(element, obj, DiffSyncModelFlags.NATURAL_DELETION_ORDER) and not self._has_flag(
            element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE
        )

    def _has_flag(self, element: DiffElement, obj: DiffSyncModel | None, flag: DiffSyncModelFlags) -> bool:
        return obj is not None and bool(obj.model_flags.value & flag.value)

    def _skip_children(self, element: DiffElement) -> None:
        """Count children that were deleted together with their parent."""
        self._advance(self._size(element.get_children()))

    def _block(self, element: DiffElement) -> None:
        """Count the operations below an object that failed: they cannot be done."""
        self._log_no_object(element)
        self.result.blocked += _operations(element.get_children())
        self._advance(self._size(element.get_children()))

    def _log_no_object(self, element: DiffElement) -> None:
        self.logger.warning(
            "No object resulted from sync, will not process child objects.", **self.elements.log_fields(element)
        )

    def _operate(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None
    ) -> tuple[bool, DiffSyncModel | None]:
        """Do one create, update or delete; return whether to continue below it, and its object."""
        if obj is not None and element.action == DiffSyncActions.CREATE and self._delete_early(element, obj):
            obj = None
        self.elements.log_attempt(element, element.action)
        self.attempted = True
        try:
            done = self._call(element, obj)
        except SyncStopped:
            raise
        except Exception as error:  # whatever an adapter raises is a failure of this operation
            self._fail(element, error)
            if DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                raise
            self._advance()
            return False, None
        counter = "skipped" if done is None else _COUNTERS[str(element.action)]
        setattr(self.result, counter, getattr(self.result, counter) + 1)
        self.elements.log_done(element, element.action, done)
        if done is not None:
            try:
                self._update_store(element, obj, done, parent)
            except (ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType) as error:  # the system has done it
                if DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                    raise
                self.elements.log_store_refusal(element, error)
        self._advance()
        return done is not None, done

    def _fail(self, element: DiffElement, error: Exception) -> None:
        reason = self.elements.reason(element, error)
        text = redact_text(
            self.elements.secrets(element), str(error), element.source_attrs, element.dest_attrs, element.keys
        )
        self.logger.error(text, **self.elements.log_fields(element), status=DiffSyncStatus.ERROR.value)
        self.result.failed += 1
        uid, identifiers = self.elements.redacted_id(element), self.elements.identifiers(element)
        self.result.rejects.append(Reject(str(element.action), element.type, uid, identifiers, reason))
        if element.action == DiffSyncActions.DELETE:
            self.deleted_early.add(self.elements.key(element))  # a create must not try it again

    def _delete_early(self, element: DiffElement, obj: DiffSyncModel) -> bool:
        """Delete the object that a create collides with, if the diff deletes it later: it moves to another parent."""
        if self.deletes is None:
            self.deletes = deletes_in(self.diff, self.elements.uid)
        if (
            self.elements.key(element) in self.deleted_early
            or (found := self.deletes.pop(self.elements.key(element), None)) is None
        ):
            return False
        delete, above = found
        parent = (
            self.target.store.fetch(above.type, [self.elements.uid(above)]).get(self.elements.uid(above))
            if above
            else None
        )
        self._apply_element(delete, obj, parent)
        self.deleted_early.add(self.elements.key(element))
        return not self.target.store.fetch(element.type, [self.elements.uid(element)])

    def _call(self, element: DiffElement, obj: DiffSyncModel | None) -> DiffSyncModel | None:
        """Call the model."""
        if element.action == DiffSyncActions.CREATE:
            if obj is not None:
                raise ObjectNotCreated(
                    f"Failed to create {element.type} {self.elements.identifiers(element)} - it already exists!"
                )
            model = self.elements.model(element.type)
            ids, attrs = restored(model, element.keys), restored(model, element.source_attrs or {})
            if takes_one(model, "create"):
                return model.create(adapter=self.target, ids=ids, attrs=attrs)
            return self._call_many(model, "create", (ids, attrs))
        if element.action == DiffSyncActions.UPDATE:
            if obj is None:
                raise ObjectNotUpdated(
                    f"Failed to update {element.type} {self.elements.identifiers(element)} - not found!"
                )
            attrs = restored(type(obj), element.get_attrs_diffs()["+"])
            if takes_one(type(obj), "update"):
                return obj.update(attrs=attrs)
            return self._call_many(type(obj), "update", (obj, attrs))
        if obj is None:
            raise ObjectNotDeleted(f"Failed to delete {element.type} {self.elements.identifiers(element)} - not found!")
        return obj.delete() if takes_one(type(obj), "delete") else self._call_many(type(obj), "delete", obj)

    def _call_many(self, model: type[DiffSyncModel], action: str, record: Any) -> DiffSyncModel | None:
        """Call the hook for many records with one record: the model has no other hook."""
        answer = call_many(model, action, self.target, [record])[0]
        if isinstance(answer, Exception):
            raise answer
        found: DiffSyncModel | None = answer
        return found

    def _update_store(
        self, element: DiffElement, obj: DiffSyncModel | None, done: DiffSyncModel, parent: DiffSyncModel | None
    ) -> None:
        """Update the target's store."""
        if element.action == DiffSyncActions.CREATE:
            if parent is not None:
                parent.add_child(done)
            self.target.add(done)
        elif element.action == DiffSyncActions.UPDATE:
            self.target.store.mark_dirty(done)
        elif obj is not None:
            if parent is not None:
                parent.remove_child(obj)
            skips = self._has_flag(element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE)
            self.target.remove(obj, remove_children=skips)

    def _advance(self, elements: int = 1) -> None:
        if self.callback is not None and elements:
            self.processed += elements
            self.callback("sync", self.processed, self.total)


def _operations(elements: Iterator[DiffElement]) -> int:
    return sum((element.action is not None) + _operations(element.get_children()) for element in elements)


def batches(elements: Iterator[DiffElement]) -> Iterator[list[DiffElement]]:
    """Yield lists of elements whose objects are fetched together."""
    batch: list[DiffElement] = []
    size = 0
    for element in elements:
        batch.append(element)
        size += len(element)
        if len(batch) == _MAX_BATCH or size >= _MAX_ELEMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
