"""Applying a Diff to a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import structlog

from diffsync_store.canonical import restored
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags, DiffSyncStatus
from diffsync_store.exceptions import ObjectCrudException, ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.result import Reject, SyncResult

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.model import DiffSyncModel

_AHEAD = 500
"""Elements of one level whose objects are fetched at once."""
_AT_ONCE = 5000
"""Elements, with those below them, to have in memory at once where they come from elsewhere."""


class Syncer:
    """One application of a diff to a target.

    Only elements that change something, and those above them, are visited; the source is not read.
    """

    def __init__(
        self,
        diff: Diff,
        source: Adapter,
        target: Adapter,
        flags: DiffSyncFlags,
        callback: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.diff = diff
        self.target = target
        self.flags = flags
        self.callback = callback
        self.logs_unchanged = DiffSyncFlags.LOG_UNCHANGED_RECORDS in flags
        self.logger = structlog.get_logger().new(src=source, dst=target, flags=flags)
        self.result = SyncResult()
        self.processed = 0
        self.total = 0
        self.attempted = False

    def run(self) -> bool:
        """Apply; tell whether any operation was attempted.

        Raises:
            ObjectCrudException, or whatever a model's `create`, `update` or `delete` raises: the first failure, unless
                the flags ask to continue.
        """
        self.logger.info("Beginning sync")
        self.diff.result = self.result
        self.total = self._size(self.diff.get_children()) if self.logs_unchanged else self.diff.size()
        try:
            self._apply(self.diff.get_children(), None)
        finally:
            self.target.store.flush()
        self.logger.info("Sync complete")
        return self.attempted

    def _wanted(self, elements: Iterator[DiffElement]) -> Iterator[DiffElement]:
        return (element for element in elements if self.logs_unchanged or element.has_diffs())

    def _size(self, elements: Iterator[DiffElement]) -> int:
        return sum(1 + self._size(element.get_children()) for element in self._wanted(elements))

    def _apply(self, elements: Iterator[DiffElement], parent: DiffSyncModel | None) -> None:
        for batch in _batches(self._wanted(elements)):
            held = self._fetch(batch)
            for element in batch:
                # What an operation before this one has removed or added counts, so it is looked up once more.
                self._apply_element(element, self.target.store.at_hand(element.type, self._uid(element)), parent)
            held.clear()

    def _fetch(self, elements: list[DiffElement]) -> list[DiffSyncModel]:
        """The target's objects for these elements, in one request a model: at hand as long as they are held."""
        uids: dict[str, list[str]] = {}
        for element in elements:
            uids.setdefault(element.type, []).append(self._uid(element))
        return [obj for model in uids for obj in self.target.store.fetch(model, uids[model]).values()]

    def _uid(self, element: DiffElement) -> str:
        if element.uid is None:
            element.uid = self._class(element.type).create_unique_id(**element.keys)
        return element.uid

    def _class(self, model: str) -> type[DiffSyncModel]:
        found: type[DiffSyncModel] | None = getattr(self.target, model, None)
        if found is None:
            raise AttributeError(
                f"{type(self.target).__name__} has no model {model!r}: "
                f"declare it as a class variable, `{model} = ...`, or leave it out of top_level."
            )
        return found

    def _apply_element(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> None:
        if element.action == DiffSyncActions.NO_CHANGE:
            if self.logs_unchanged:
                self._bound(element).debug("No changes to apply; no action needed", status=DiffSyncStatus.SUCCESS.value)
            self._advance()
            if obj is None and element.has_diffs():  # it has gone since the diff was made: nothing can stand below it
                self._block(element)
            else:
                self._apply(element.get_children(), obj)
            return
        # Flags that ask for children first are the target's own: the object knows them.
        if self._deletes_children_first(element, obj):
            self._apply(element.get_children(), obj)
            self._operate(element, obj, parent)
            return
        done = self._operate(element, obj, parent)
        if element.action == DiffSyncActions.DELETE and self._has_flag(obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE):
            self._advance(self._size(element.get_children()))
        elif done is None:
            self._block(element)
        else:
            self._apply(element.get_children(), done)

    def _deletes_children_first(self, element: DiffElement, obj: DiffSyncModel | None) -> bool:
        return (
            element.action == DiffSyncActions.DELETE
            and self._has_flag(obj, DiffSyncModelFlags.NATURAL_DELETION_ORDER)
            and not self._has_flag(obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE)
        )

    @staticmethod
    def _has_flag(obj: DiffSyncModel | None, flag: DiffSyncModelFlags) -> bool:
        return obj is not None and bool(obj.model_flags.value & flag.value)

    def _block(self, element: DiffElement) -> None:
        """Count what stands below an object that was refused: it cannot be done."""
        self._bound(element).warning("No object resulted from sync, will not process child objects.")
        self.result.blocked += _operations(element.get_children())
        self._advance(self._size(element.get_children()))

    def _operate(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None
    ) -> DiffSyncModel | None:
        """Do one create, update or delete; return its object, or None where it was not done."""
        action, logger = str(element.action), self._bound(element)
        logger.debug(f"Attempting model {action}")
        self.attempted = True
        try:
            done = self._crud(element, obj, parent)
        except Exception as error:  # whatever an adapter's code raises is this operation's failure
            logger.error(str(error), status=DiffSyncStatus.ERROR.value)  # noqa: TRY400  # the event is part of the API
            self.result.failed += 1
            reason = str(error) if isinstance(error, ObjectCrudException) else f"{type(error).__name__}: {error}"
            self.result.rejects.append(Reject(action, element.type, self._uid(element), element.keys, reason))
            if DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                raise
            self._advance()
            return None
        self._advance()
        if done is None:
            self.result.skipped += 1
            message = f"{element.type} {action} did not return the model object."
            logger.warning(message, status=DiffSyncStatus.FAILURE.value)
            return None
        field = {"create": "created", "update": "updated", "delete": "deleted"}[action]
        setattr(self.result, field, getattr(self.result, field) + 1)
        status, message = done.get_status()
        log = {DiffSyncStatus.SUCCESS: logger.info, DiffSyncStatus.FAILURE: logger.warning}.get(status, logger.error)
        log(message, status=getattr(status, "value", status))
        return done

    def _crud(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None
    ) -> DiffSyncModel | None:
        if element.action == DiffSyncActions.CREATE:
            return self._create(element, obj, parent)
        if element.action == DiffSyncActions.UPDATE:
            return self._update(element, obj)
        return self._delete(element, obj, parent)

    def _create(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None
    ) -> DiffSyncModel | None:
        if obj is not None:
            raise ObjectNotCreated(f"Failed to create {element.type} {element.keys} - it already exists!")
        model = self._class(element.type)
        ids, attrs = restored(model, element.keys), restored(model, element.get_attrs_diffs()["+"])
        done = model.create(adapter=self.target, ids=ids, attrs=attrs)
        if done is not None:
            self.target.add(done)
            if parent is not None:
                parent.add_child(done)
        return done

    def _update(self, element: DiffElement, obj: DiffSyncModel | None) -> DiffSyncModel | None:
        if obj is None:
            raise ObjectNotUpdated(f"Failed to update {element.type} {element.keys} - not found!")
        done = obj.update(restored(type(obj), element.get_attrs_diffs()["+"]))
        if done is not None:
            self.target.store.changed(done)
        return done

    def _delete(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None
    ) -> DiffSyncModel | None:
        if obj is None:
            raise ObjectNotDeleted(f"Failed to delete {element.type} {element.keys} - not found!")
        done = obj.delete()
        if done is not None:
            skips = self._has_flag(obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE)
            self.target.remove(obj, remove_children=skips)
            if parent is not None:
                parent.remove_child(obj)
        return done

    def _bound(self, element: DiffElement) -> Any:
        return self.logger.bind(
            action=element.action, model=element.type, unique_id=self._uid(element), diffs=element.get_attrs_diffs()
        )

    def _advance(self, elements: int = 1) -> None:
        self.processed += elements
        if self.callback is not None and elements:
            self.callback("sync", self.processed, self.total)


def _operations(elements: Iterator[DiffElement]) -> int:
    return sum((element.action is not None) + _operations(element.get_children()) for element in elements)


def _batches(elements: Iterator[DiffElement]) -> Iterator[list[DiffElement]]:
    batch: list[DiffElement] = []
    size = 0
    for element in elements:
        batch.append(element)
        size += len(element)
        if len(batch) == _AHEAD or size >= _AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
