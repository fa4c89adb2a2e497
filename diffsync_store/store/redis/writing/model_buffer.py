"""The pending changes of the objects of one model."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator
from itertools import compress, islice
from operator import is_, itemgetter
from typing import Any, Protocol

from diffsync_store.store.redis.writing.batch import MAX_OBJECTS, Batch, Kind
from diffsync_store.store.redis.writing.children import children_of, has_children
from diffsync_store.store.redis.writing.identity_map import IdentityMap
from diffsync_store.store.redis.writing.known_uids import KnownUids
from diffsync_store.store.redis.writing.references import are_held_elsewhere, is_held_elsewhere
from diffsync_store.store.redis.writing.tracked_object import TrackedObject
from diffsync_store.store.serialization import decode, encode, encode_all, encode_with_digest, is_encoded_as


class _Queue(Protocol):
    def put(self, batch: Batch) -> None: ...

    def contains(self, batch: Batch) -> bool: ...


_AT_ONCE = 250
"""Maximum objects that are encoded at once."""
_UID, _OBJECT = itemgetter(0), itemgetter(1)

_Moved = tuple[str, Any, int]
"""The unique id and the object that was pending (None for a delete), and the hash of the value in the batch."""


class ModelBuffer:
    """New, changed and deleted objects of one model, held strongly until they are written.

    Used only by the thread that holds the store's lock. Deletes are written before adds: an object that was removed and
    added again comes last, as in a dict.
    """

    def __init__(
        self, store: Any, model: str, model_class: Any, declared: Any = None, batch_objects: int = MAX_OBJECTS
    ) -> None:
        self._store = weakref.ref(store)
        self.model = model
        self.model_class = model_class
        self.declared = declared
        """The class that the adapter declares. Objects of other classes are stored with the name of their class."""
        self.batch_objects = batch_objects
        self.classes: set[type[Any]] = set()
        """The classes of all objects seen."""
        self.uids = KnownUids()
        self.checked_adds = 0
        self.has_changed_uids = False
        """Whether the identifiers of an object have changed since it was added. It is stored under the old unique id."""
        self.deletes: dict[str, None] = {}
        self.adds: dict[str, Any] = {}
        self.puts: dict[str, Any] = {}
        self.dirty: dict[str, Any] = {}
        self._tracked = IdentityMap()
        self._moving: tuple[Batch, dict[str, Any], list[_Moved]] | None = None
        """The batch that is being put into the queue, the dict in which its objects are pending, and the objects.

        It is set before the batch is put into the queue, so that an interrupt between two steps loses nothing.
        """
        self._just_written: tuple[weakref.ref[Any], str, int, bool] | None = None
        self._pages: dict[int, dict[str, bytes | None]] = {}

    def __len__(self) -> int:
        return len(self.deletes) + len(self.adds) + len(self.puts) + len(self.dirty)

    # Objects

    def find(self, uid: str) -> Any:
        """Return the object with this unique id, if it is pending or the program refers to it."""
        for pending in (self.adds, self.puts, self.dirty):
            if uid in pending:
                return pending[uid]
        reference = self._tracked.reference(uid)
        if reference is None:
            return None
        obj = reference()
        return self._recover(reference) if obj is None else obj

    def load(self, uid: str, value: bytes, adapter: Any) -> Any:
        """Return the object with a value that was read, and track it."""
        reference = self._tracked.reference(uid)
        if reference is not None and reference.kind is not None and reference.has_written(value):
            obj = reference.restored()  # the program may have kept one of its lists
        else:
            obj = decode(self.model_class, value, uid)
        obj.__dict__["adapter"] = adapter
        self.classes.add(type(obj))
        self.track(uid, obj, value)
        return obj

    def track(self, uid: str, obj: Any, written: bytes | int) -> None:
        """Track an object whose value is in Redis."""
        self._tracked.add(uid, obj, written, None if self._reports_changes(obj) else obj)

    def expire(self) -> None:
        """Stop tracking the objects that were dropped first. Changed ones become pending."""
        for reference in self._tracked.expired():
            if self._recover(reference) is None:
                self._tracked.discard(reference)

    def _recover(self, reference: TrackedObject) -> Any:
        """Return an object that was changed in place and then dropped, and make it pending; None if it is unchanged."""
        kind = reference.kind
        if kind is None:
            return None
        if kind is self.declared and is_encoded_as(kind, reference.fields, reference.written):
            return None
        obj = reference.restored()
        if not self._is_changed(reference.uid, obj, reference.written):
            return None
        self.track(reference.uid, obj, reference.written)
        self._set_dirty(reference.uid, obj)
        return obj

    def _reports_changes(self, obj: Any) -> bool:
        """Whether an object changes only by assignment, and each assignment calls `mark_dirty` of this store."""
        if getattr(obj, "_changes_in_place", True):
            return False
        adapter = obj.__dict__["adapter"]
        return adapter is not None and adapter.store is self._store()

    def _is_changed(self, uid: str, obj: Any, written: bytes | int) -> bool:
        """Whether the program has changed an object since its value was read or written.

        A value that another version of the class has written may differ without a change of the object. An object that cannot be
        encoded counts as changed, so that the flush raises the error.
        """
        try:
            data = encode(obj, self.declared)
            if isinstance(written, int):
                return hash(data) != written
            return data != written and data != encode(decode(self.model_class, written, uid), self.declared)
        except Exception:  # noqa: BLE001  # any code of the class may fail
            return True

    # Changes

    def add(self, uid: str, obj: Any) -> None:
        """Add a new object."""
        self.adds[uid] = obj
        self.uids.add(uid)

    def put(self, uid: str, obj: Any) -> None:
        """Add an object, or replace the one with this unique id."""
        if uid in self.adds:
            self.add(uid, obj)
            return
        self._tracked.remove(uid)
        self.dirty.pop(uid, None)
        self.puts[uid] = obj
        self.uids.add(uid)

    def note_added(self, uid: str, obj: Any, data: bytes) -> None:
        """Track a new object that has been written."""
        self.checked_adds += 1
        self.uids.add(uid)
        self.track(uid, obj, hash(data))

    def delete(self, uid: str) -> None:
        """Remove an object."""
        if uid not in self.adds:
            self.deletes[uid] = None
        self.forget(uid)

    def forget(self, uid: str) -> None:
        """Stop tracking an object, and drop its pending changes."""
        self._tracked.remove(uid)
        for pending in (self.adds, self.puts, self.dirty):
            pending.pop(uid, None)
        self.uids.discard(uid)

    def drop_pending(self) -> None:
        """Drop all pending changes. Objects stay tracked."""
        for pending in (self.deletes, self.adds, self.puts, self.dirty):
            pending.clear()
        self._moving = None

    def mark_dirty(self, obj: Any) -> None:
        """Make an object pending, if it belongs to this store."""
        uid = obj.get_unique_id()
        if self.adds.get(uid) is obj or self.puts.get(uid) is obj:
            return
        reference = self._tracked.reference_to(obj)
        if reference is not None:
            self._set_dirty(reference.uid, obj)
        elif any(pending is obj for pending in (*self.adds.values(), *self.puts.values())):
            self.has_changed_uids = True

    def mark_changed_in_place(self) -> None:
        """Find objects that changed without an assignment, for example by an append to a list."""
        for reference in self._tracked:
            obj = reference()
            if obj is None:
                self._recover(reference)
            elif not self._reports_changes(obj) and self._is_changed(reference.uid, obj, reference.written):
                self._set_dirty(reference.uid, obj)

    def _set_dirty(self, uid: str, obj: Any) -> None:
        self.dirty[uid] = obj
        self.has_changed_uids = self.has_changed_uids or uid != obj.get_unique_id()

    # Iterating

    def open_page(self, page: dict[str, bytes | None]) -> None:
        """Start an iteration over a page of read values: values of objects that are written meanwhile are removed from it."""
        self._pages[id(page)] = page

    def close_page(self, page: dict[str, bytes | None]) -> None:
        """Stop updating a page."""
        self._pages.pop(id(page), None)

    # Writing

    def write_to(self, queue: _Queue, set_schema: Callable[[Batch], None]) -> Iterator[None]:
        """Move all pending changes to the queue, batch by batch, in the order of writing.

        An interrupt at any point leaves each change either pending or in the queue.
        """
        self.finish_move(queue, is_late=True)
        pending: tuple[tuple[Kind, dict[str, Any]], ...] = (
            ("deletes", self.deletes),
            ("adds", self.adds),
            ("puts", self.puts),
            ("updates", self.dirty),
        )
        for kind, objects in pending:
            yield from self._move(kind, objects, queue, set_schema)

    def encode_adds(self, queue: _Queue, set_schema: Callable[[Batch], None]) -> None:
        """Move the new objects to the queue, unless something else must be written before them."""
        self.finish_move(queue, is_late=True)
        if not self.deletes:
            deque(self._move("adds", self.adds, queue, set_schema), maxlen=0)

    def _move(
        self, kind: Kind, pending: dict[str, Any], queue: _Queue, set_schema: Callable[[Batch], None]
    ) -> Iterator[None]:
        while pending:
            batch, moved, failure = self._next_batch(kind, pending)
            if batch.uids:
                set_schema(batch)
                self._moving = batch, pending, moved
                del moved
                queue.put(batch)
                self.finish_move(queue)
                yield
            if failure is not None:
                raise failure

    def _next_batch(self, kind: Kind, pending: dict[str, Any]) -> tuple[Batch, list[_Moved], Exception | None]:
        """Return the next batch, its objects, and the error of the first object that cannot be encoded. The batch ends before it."""
        batch, moved = Batch(self.model, kind, known_in=self.uids.epoch), list[_Moved]()
        if kind == "deletes":
            batch.uids += islice(pending, self.batch_objects)
            moved += ((uid, None, 0) for uid in batch.uids)
            return batch, moved, None
        objects = list(islice(pending.items(), self.batch_objects))
        for start in range(0, len(objects), _AT_ONCE):
            some = objects[start : start + _AT_ONCE]
            failure = None
            if not self._append_plain(batch, moved, some):
                failure = self._append_each(batch, moved, some)
            if failure is not None or batch.is_full:
                return batch, moved, failure
        return batch, moved, None

    def _append_plain(self, batch: Batch, moved: list[_Moved], objects: list[tuple[str, Any]]) -> bool:
        """Append objects with plain values at once; return False if one needs more, or if they may not fit."""
        uids, found = map(_UID, objects), list(map(_OBJECT, objects))
        encoded = None if self.declared is None else encode_all(found, self.declared)
        if encoded is None or not batch.has_room(encoded[0]):
            return False
        self.classes.add(self.declared)
        values, digests = encoded
        children = map(children_of, found) if has_children(self.declared) else None
        batch.extend(list(uids), values, digests, children)
        moved += zip(map(_UID, objects), found, map(hash, values), strict=True)
        return True

    def _append_each(self, batch: Batch, moved: list[_Moved], objects: list[tuple[str, Any]]) -> Exception | None:
        """Append objects until the batch is full; return the error of the first one that cannot be encoded."""
        for uid, obj in objects:
            try:
                data, digest = encode_with_digest(obj, self.declared)
            except Exception as error:  # noqa: BLE001  # any code of the class may fail
                return error
            self.classes.add(type(obj))
            batch.append(uid, data, digest, children_of(obj))
            moved.append((uid, obj, hash(data)))
            if batch.is_full:
                break
        return None

    def finish_move(self, queue: _Queue, *, is_late: bool = False) -> None:
        """Remove the objects of the moving batch from the pending ones, if the batch is in the queue.

        Args:
            queue: the queue.
            is_late: an interrupt has delayed this call, so objects may have changed since they were encoded.
        """
        if self._moving is None:
            return
        batch, pending, moved = self._moving
        if queue.contains(batch):
            for page in list(self._pages.values()):
                for uid, _, _ in moved:
                    page.pop(uid, None)
            self._drop_moved(pending, moved, is_late=is_late)
        self._moving = None

    def _drop_moved(self, pending: dict[str, Any], moved: list[_Moved], *, is_late: bool) -> None:
        self._track_just_written()
        if not is_late and pending is not self.deletes:
            _drop_unheld(pending, moved)
        while moved:
            uid, obj, written = moved[-1]
            if pending.get(uid, self) is obj:
                if obj is not None and (is_late or is_held_elsewhere(obj)):
                    self._just_written = weakref.ref(obj), uid, written, is_late
                    if is_late or not self._reports_changes(obj):
                        self._track_just_written()
                del pending[uid]
            moved.pop()
            del obj
            if self._just_written is not None:
                self._track_just_written()

    def _track_just_written(self) -> None:
        """Track an object that was written, unless the program has dropped it."""
        if self._just_written is None:
            return
        reference, uid, written, is_late = self._just_written
        obj = reference()
        if obj is not None:
            self.track(uid, obj, written)
            if is_late and self._is_changed(uid, obj, written):
                self._set_dirty(uid, obj)
        self._just_written = None


def _drop_unheld(pending: dict[str, Any], moved: list[_Moved]) -> None:
    """Remove the objects that the program cannot change any more from both, with few calls for each.

    They are removed from the pending ones in one step, so that an interrupt comes before or after it. Those that are left are looked
    at one by one.
    """
    held = are_held_elsewhere(moved)
    if held is None or not all(map(is_, map(pending.get, map(_UID, moved)), map(_OBJECT, moved))):
        return
    if len(moved) == len(pending) and not any(held):
        pending.clear()
    else:
        dropped = [item[0] for item, is_held in zip(moved, held, strict=True) if not is_held]
        deque(map(pending.__delitem__, dropped), maxlen=0)
    moved[:] = compress(moved, held)
