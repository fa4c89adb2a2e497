"""Applying a Diff to a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import structlog

from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags, DiffSyncStatus
from diffsync_store.exceptions import (
    ObjectAlreadyExists,
    ObjectCrudException,
    ObjectNotCreated,
    ObjectNotDeleted,
    ObjectNotFound,
    ObjectNotUpdated,
    ObjectStoreWrongType,
    SyncStopped,
)
from diffsync_store.hooks import call_many, takes_one
from diffsync_store.redaction import (
    STANDARD_MESSAGES,
    format_reason,
    redact_error,
    redact_fields,
    redact_id,
    redact_text,
    secret_fields,
)
from diffsync_store.result import Reject, SyncResult
from diffsync_store.values.readable import readable, restored

if TYPE_CHECKING:
    from diffsync_store._adapter_like import AdapterLike
    from diffsync_store.model import DiffSyncModel

_AHEAD = 500
"""Elements of one level whose objects are fetched at once."""
_AT_ONCE = 5000
"""Elements, with those below them, to have in memory at once where they come from elsewhere."""
_COUNTED = {"create": "created", "update": "updated", "delete": "deleted"}

Deletes = dict[tuple[str, str], tuple[DiffElement, DiffElement | None]]
"""By model and unique id: the element that deletes the object, and the one above it."""


def deletes_in(diff: Diff, uid: Callable[[DiffElement], str]) -> Deletes:
    """What a diff deletes."""
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
        self.logger = structlog.get_logger().new(src=source, dst=target, flags=flags)
        self.result = SyncResult()
        self.processed = 0
        self.total = 0
        self.attempted = False
        self.is_asked = target._overrides("get") or target.store.overrides("get")
        """The target's own `get` says which objects it has."""
        self.asks_source = source._overrides("get", "get_or_none")
        self.deletes: Deletes | None = None
        """What the diff deletes, once something stands in the way of a create."""
        self._declared: dict[str, frozenset[str]] = {}
        """The fields that models declare as secret."""
        self.gone_ahead: set[tuple[str, str]] = set()
        """Objects whose delete was done ahead of its turn, or has failed."""

    def run(self) -> bool:
        """Apply; tell whether any operation was attempted.

        Raises:
            ObjectCrudException, or whatever a model's `create`, `update` or `delete` raises: the first failure, unless
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

    def _wanted(self, elements: Iterator[DiffElement]) -> Iterator[DiffElement]:
        return (element for element in elements if self.logs_unchanged or element.has_diffs())

    def _size(self, elements: Iterator[DiffElement]) -> int:
        return sum(1 + self._size(element.get_children()) for element in self._wanted(elements))

    def _apply(self, elements: Iterator[DiffElement], parent: DiffSyncModel | None) -> None:
        for batch in batches(self._wanted(elements)):
            held = self._fetch(batch)
            for element in batch:
                # What an operation before this one has removed or added counts, so it is looked up once more.
                obj = self._found(element)
                if obj is not None:
                    obj.set_status(DiffSyncStatus.UNKNOWN)
                self._apply_element(element, obj, parent)
            held.clear()

    def _fetch(self, elements: list[DiffElement]) -> list[DiffSyncModel]:
        """The target's objects for these elements, in one request a model: at hand as long as they are held."""
        uids: dict[str, list[str]] = {}
        for element in () if self.is_asked else elements:
            uids.setdefault(element.type, []).append(self._uid(element))
        return [obj for model in uids for obj in self.target.store.fetch(model, uids[model]).values()]

    def _found(self, element: DiffElement) -> DiffSyncModel | None:
        """The target's object for an element, as it is now."""
        if not (self.is_asked or self.asks_source):
            return self.target.store.get_cached(element.type, self._uid(element))
        model = self._class(element.type)
        if self.asks_source:  # for what its method does: what is to be applied stands in the diff
            self.source.get_or_none(model, element.keys)
        try:
            obj: DiffSyncModel = self.target.get(model, element.keys)
            return obj
        except ObjectNotFound:
            return None

    def _uid(self, element: DiffElement) -> str:
        if element.uid is None:
            element.uid = self._class(element.type).create_unique_id(**element.keys)
        return element.uid

    def _key(self, element: DiffElement) -> tuple[str, str]:
        return element.type, self._uid(element)

    def _class(self, model: str) -> type[DiffSyncModel]:
        return class_of(self.target, model)

    def _apply_element(self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None) -> None:
        action = element.action
        if action == DiffSyncActions.NO_CHANGE:
            if self.logs_unchanged:
                self.logger.debug(
                    "No changes to apply; no action needed",
                    **self._told(element),
                    status=DiffSyncStatus.SUCCESS.value,
                )
            self._advance()
            if obj is None:  # it has gone since the diff was made: nothing can stand below it
                self._block(element)
            else:
                self._apply(element.get_children(), obj)
            return
        if self.gone_ahead and action == DiffSyncActions.DELETE and self._key(element) in self.gone_ahead:
            return
        # Flags that ask for children first are the target's own: the object knows them.
        if action == DiffSyncActions.DELETE and self._deletes_children_first(element, obj):
            self._apply(element.get_children(), obj)
            goes_on, _ = self._operate(element, obj, parent)
            if not goes_on:
                self._tell_that_nothing_came_of(element)
            return
        goes_with_it = action == DiffSyncActions.DELETE and self._has_flag(
            element, obj, DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE
        )
        goes_on, done = self._operate(element, obj, parent)
        if goes_with_it and goes_on:
            self._skip_children(element)
        elif goes_on and not goes_with_it:
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
        """Count what was deleted together with the object that it stands below."""
        self._advance(self._size(element.get_children()))

    def _block(self, element: DiffElement) -> None:
        """Count what stands below an object that was refused: it cannot be done."""
        self._tell_that_nothing_came_of(element)
        self.result.blocked += _operations(element.get_children())
        self._advance(self._size(element.get_children()))

    def _tell_that_nothing_came_of(self, element: DiffElement) -> None:
        self.logger.warning("No object resulted from sync, will not process child objects.", **self._told(element))

    def _operate(
        self, element: DiffElement, obj: DiffSyncModel | None, parent: DiffSyncModel | None
    ) -> tuple[bool, DiffSyncModel | None]:
        """Do one create, update or delete; tell whether to go on below it, and with which object."""
        if obj is not None and element.action == DiffSyncActions.CREATE and self._make_way(element, obj):
            obj = None
        told = self._told(element)
        self.logger.debug(f"Attempting model {element.action}", **told)
        self.attempted = True
        try:
            done = self._call(element, obj)
        except SyncStopped:
            raise
        except Exception as error:  # whatever an adapter's code raises is this operation's failure
            self._fail(element, told, error)
            if DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                raise
            self._advance()
            return False, None
        self._land(element, told, done)
        if done is not None:
            try:
                self._keep(element, obj, done, parent)
            except (ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType) as error:  # the system has done it
                if DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                    raise
                self._tell_of_store(element, told, error)
        self._advance()
        return done is not None, done

    def _fail(self, element: DiffElement, told: dict[str, Any], error: Exception) -> None:
        secrets, groups = self._secrets(element), (element.source_attrs, element.dest_attrs, element.keys)
        redact_error(error, secrets, *groups)
        self.logger.error(redact_text(secrets, str(error), *groups), **told, status=DiffSyncStatus.ERROR.value)
        self.result.failed += 1
        keys, reason = self._shown_keys(element), redact_text(secrets, reason_of(error), *groups)
        self.result.rejects.append(Reject(str(element.action), element.type, self._shown_id(element), keys, reason))
        if element.action == DiffSyncActions.DELETE:
            self.gone_ahead.add(self._key(element))  # not to be tried again to make way

    def _tell_of_store(self, element: DiffElement, told: dict[str, Any], error: Exception) -> None:
        refused = redact_text(self._secrets(element), str(error), element.keys)
        self.logger.error(f"The store does not take what was done: {refused}", **told)

    def _land(self, element: DiffElement, told: dict[str, Any], done: DiffSyncModel | None) -> None:
        """Count and log what was done, or left alone on purpose."""
        if done is None:
            self.result.skipped += 1
            message = f"{element.type} {element.action} did not return the model object."
            self.logger.warning(message, **told, status=DiffSyncStatus.FAILURE.value)
            return
        field = _COUNTED[str(element.action)]
        setattr(self.result, field, getattr(self.result, field) + 1)
        status, message = done.get_status()
        # The status of an object that is not of this package is of another enum, or a text.
        said: Any = getattr(status, "value", status)
        log: dict[Any, Any] = {
            DiffSyncStatus.SUCCESS.value: self.logger.info,
            DiffSyncStatus.FAILURE.value: self.logger.warning,
        }
        if message not in STANDARD_MESSAGES:
            message = redact_text(self._secrets(element), message, element.source_attrs, element.dest_attrs)
        log.get(said, self.logger.error)(message, **told, status=said)

    def _make_way(self, element: DiffElement, obj: DiffSyncModel) -> bool:
        """Delete ahead what stands in the way of a create, if the diff deletes it later: it moves to another parent."""
        if self.deletes is None:
            self.deletes = deletes_in(self.diff, self._uid)
        if self._key(element) in self.gone_ahead or (found := self.deletes.pop(self._key(element), None)) is None:
            return False
        delete, above = found
        parent = self.target.store.fetch(above.type, [self._uid(above)]).get(self._uid(above)) if above else None
        self._apply_element(delete, obj, parent)
        self.gone_ahead.add(self._key(element))
        return not self.target.store.fetch(element.type, [self._uid(element)])

    def _call(self, element: DiffElement, obj: DiffSyncModel | None) -> DiffSyncModel | None:
        """Have the target's system do it."""
        if element.action == DiffSyncActions.CREATE:
            if obj is not None:
                raise ObjectNotCreated(
                    f"Failed to create {element.type} {self._shown_keys(element)} - it already exists!"
                )
            model = self._class(element.type)
            ids, attrs = restored(model, element.keys), restored(model, element.source_attrs or {})
            if takes_one(model, "create"):
                return model.create(adapter=self.target, ids=ids, attrs=attrs)
            return self._call_many(model, "create", (ids, attrs))
        if element.action == DiffSyncActions.UPDATE:
            if obj is None:
                raise ObjectNotUpdated(f"Failed to update {element.type} {self._shown_keys(element)} - not found!")
            attrs = restored(type(obj), element.get_attrs_diffs()["+"])
            if takes_one(type(obj), "update"):
                return obj.update(attrs=attrs)
            return self._call_many(type(obj), "update", (obj, attrs))
        if obj is None:
            raise ObjectNotDeleted(f"Failed to delete {element.type} {self._shown_keys(element)} - not found!")
        return obj.delete() if takes_one(type(obj), "delete") else self._call_many(type(obj), "delete", obj)

    def _call_many(self, model: type[DiffSyncModel], action: str, record: Any) -> DiffSyncModel | None:
        """Have the hook for many records do it with one, where the model has no other way."""
        answer = call_many(model, action, self.target, [record])[0]
        if isinstance(answer, Exception):
            raise answer
        found: DiffSyncModel | None = answer
        return found

    def _keep(
        self, element: DiffElement, obj: DiffSyncModel | None, done: DiffSyncModel, parent: DiffSyncModel | None
    ) -> None:
        """Bring the target's store along."""
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

    def _told(self, element: DiffElement) -> dict[str, Any]:
        """What each event about an element tells."""
        return {
            "action": element.action,
            "model": element.type,
            "unique_id": self._shown_id(element),
            "diffs": {
                sign: redact_fields(self._secrets(element), values)
                for sign, values in element.get_attrs_diffs().items()
            },
        }

    def _secrets(self, element: DiffElement) -> frozenset[str]:
        """The fields that the model, on either side, declares as secret."""
        own = self._declared.get(element.type)
        if own is None:
            own = self._declared[element.type] = secret_fields(self._class(element.type))
        return own.union(element._secrets) if element._secrets else own

    def _shown_keys(self, element: DiffElement) -> dict[str, Any]:
        return redact_fields(self._secrets(element), element.keys)

    def _shown_id(self, element: DiffElement) -> str:
        """The unique id for people to read."""
        return redact_id(self._secrets(element), element.keys, self._uid(element))

    def _advance(self, elements: int = 1) -> None:
        if self.callback is not None and elements:
            self.processed += elements
            self.callback("sync", self.processed, self.total)


def class_of(adapter: AdapterLike, model: str) -> type[DiffSyncModel]:
    """The class that an adapter has for a model.

    Raises:
        AttributeError: it has none.
    """
    found: type[DiffSyncModel] | None = getattr(adapter, model, None)
    if found is None:
        raise AttributeError(
            f"{type(adapter).__name__} has no model {model!r}: "
            f"declare it as a class variable, `{model} = ...`, or leave it out of top_level."
        )
    return found


def reason_of(error: Exception) -> str:
    """What an exception says, with its class where it is not one that says that an operation was refused."""
    return readable(str(error)) if isinstance(error, ObjectCrudException) else format_reason(error)


def _operations(elements: Iterator[DiffElement]) -> int:
    return sum((element.action is not None) + _operations(element.get_children()) for element in elements)


def batches(elements: Iterator[DiffElement]) -> Iterator[list[DiffElement]]:
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
