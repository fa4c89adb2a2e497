"""What a store knows of one model's objects in this process: which are alive, and what is still to be written."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Protocol

from diffsync_store.store.digest import digest_of
from diffsync_store.store.redis.writing.writer import Batch, Kind
from diffsync_store.store.references import has_held_part, is_held_beside
from diffsync_store.store.releases import Releases
from diffsync_store.store.serialization import decode, encode

_BATCH = 1000
"""Objects in one command."""
_BATCH_BYTES = 1_000_000
_FRESH = 32
"""Number of new objects after which released ones are encoded, while they are still in the processor's cache."""


Encoded = tuple[bytes, bytes]
"""An object's value and digest."""


class Live(weakref.ref):  # type: ignore[type-arg]  # generic only in stubs
    """A reference to an object that the program may hold, with what Redis has of it."""

    __slots__ = ("buffer", "next", "uid", "written")

    buffer: ModelBuffer
    uid: str
    written: bytes | int
    """As it was read, or the hash of what this process has written; 0 for nothing."""
    next: Live | None
    """Of another store that has the same object."""

    def let_go(self, obj: Any) -> None:
        """The program releases the object: report it to every store that has it."""
        reference: Live | None = self
        while reference is not None:
            reference.buffer.releases.tell(reference, obj)
            reference = reference.next


def _is_gone(reference: Live) -> None:
    reference.buffer.releases.tell(reference, None)


def _will_tell(_: Live) -> None:
    """The object itself reports that it is released. A reference that calls is cleared before, where it is garbage."""


class _Out(Protocol):
    """Where batches go."""

    def put(self, batch: Batch) -> None: ...

    def has_taken(self, batch: Batch) -> bool: ...


_Moved = tuple[str, Any, int | None]
"""A unique id, what was pending for it, and the hash of what was written if it is still held."""


class ModelBuffer:
    """Live objects and pending writes of one model; used by the thread that has the store's lock.

    Pending writes keep their objects alive; `live` does not. A new object that the program releases is encoded soon; one
    that it holds becomes live when it is taken to be written. Deletes are written before adds, so that an object that was
    removed and added again stands at the end, as in a dict.
    """

    def __init__(self, model: str, model_class: Any, releases: Releases, declared: Any = None) -> None:
        self.model = model
        self.model_class = model_class
        self.declared = declared
        """The class that the store's adapter declares: objects of others are written with their class."""
        self.releases = releases
        self.keeps = not hasattr(model_class, "_tracks_changes")
        """A model of another library does not report when it is released: its objects are kept as long as the store."""
        self.classes: set[type[Any]] = set()
        """Those of all objects that were live."""
        self.live: dict[str, Live] = {}
        self._kept: dict[str, Any] = {}
        self.deletes: dict[str, None] = {}
        self.adds: dict[str, Any] = {}
        """New objects, or what is to be written of them: a tuple `Encoded`."""
        self._fresh: list[str] = []
        self.puts: dict[str, Any] = {}
        self.dirty: dict[str, Any] = {}
        """Changed objects; a tuple `Encoded` of one that was changed in place and released."""
        self.held: dict[str, Any] = {}
        """Objects that were released while a part of them was not: kept until the part is released too."""
        self._pending_ids: set[int] = set()
        """`id` of each object that is to be written, held as long as it is: its changes need no further note."""
        self.has_renamed = False
        """An object has other identifiers now than it was added with; it stands under the old ones."""
        self._moving: tuple[Batch, dict[str, Any], list[_Moved]] | None = None
        """A batch that is on its way out, and what it was made of: an exception may strike in between."""
        self._pages: dict[int, dict[str, bytes | None]] = {}
        """What was read of objects that somebody iterates over, and has not come to yet."""
        self.checked_adds = 0
        self._present: set[str] = set()
        self.known_in = b""
        """The epoch of the store in which all unique ids were known; empty while they are not."""

    def __len__(self) -> int:
        return len(self.deletes) + len(self.adds) + len(self.puts) + len(self.dirty)

    # Which unique ids there are in the store, pending ones included, where this process is the one to know

    def know_all(self, uids: set[str], epoch: bytes) -> None:
        """Know every unique id of the model, as of this epoch of the store."""
        self._present, self.known_in = uids, epoch

    def knows_all(self, epoch: bytes) -> bool:
        """Whether the unique ids are known, and nobody else has written since."""
        return self.known_in == epoch != b""

    def has(self, uid: str) -> bool:
        """Whether there is such an object, where `knows_all`."""
        return uid in self._present

    def find(self, uid: str) -> Any:
        """The live object with this unique id, or None; `Encoded` if that is all there is of it."""
        reference = self.live.get(uid)
        obj = None if reference is None else reference()
        if obj is not None:
            return obj
        return self.adds[uid] if uid in self.adds else self.dirty.get(uid)

    def revive(self, uid: str, obj: Any, value: bytes) -> None:
        """Take an object that was made from what `find` gave in the place of that."""
        if uid in self.adds:
            self.add(uid, obj)
        else:
            self.track(uid, obj, value)
            self._note_dirty(uid, obj)

    def track(self, uid: str, obj: Any, written: bytes | int = 0, *, is_new: bool = False) -> None:
        """Know `obj` as the live object of `uid`; `written` as `Live` has it. No store has one that `is_new`."""
        kind = type(obj)
        reference = self.live[uid] = Live(obj, _is_gone if self.keeps or not kind._changes_in_place else _will_tell)
        reference.buffer, reference.uid, reference.written = self, uid, written
        if self.keeps:
            self._kept[uid] = obj
        else:
            reference.next = None if is_new else _without(obj.tracked_by(), self)
            obj.tell_when_let_go(reference)
        self.classes.add(kind)

    def add(self, uid: str, obj: Any) -> None:
        """A new object is to be written."""
        self._pending_ids.add(id(obj))
        self.adds[uid] = obj
        self._present.add(uid)
        self._fresh.append(uid)
        if len(self._fresh) >= _FRESH:
            self._encode_let_go()

    def _encode_let_go(self) -> None:
        adds = self.adds
        for uid in self._fresh:
            obj = adds.get(uid)
            if obj is None or type(obj) is tuple or self.keeps or is_held_beside(obj):
                continue
            with suppress(Exception):  # the next flush reports it
                encoded = encode(obj, self.declared), digest_of(obj)
                self.classes.add(type(obj))
                self._pending_ids.discard(id(obj))
                adds[uid] = encoded
        self._fresh.clear()

    def put(self, uid: str, obj: Any) -> None:
        """An object is to be written in the place of whatever is there."""
        if uid in self.adds:
            self._pending_ids.discard(id(self.adds[uid]))
            self.add(uid, obj)
            return
        self.track(uid, obj)  # first: what it replaces may be released on the way, and is no longer of interest
        for pending in (self.dirty, self.puts, self.held):
            self._pending_ids.discard(id(pending.pop(uid, None)))
        self._pending_ids.add(id(obj))
        self.puts[uid] = obj
        self._present.add(uid)

    def note_added(self, uid: str, obj: Any, data: bytes) -> None:
        """A new object has been written."""
        self.checked_adds += 1
        self._present.add(uid)
        self.track(uid, obj, hash(data))

    def delete(self, uid: str) -> None:
        """An object is to be removed."""
        if uid not in self.adds:
            self.deletes[uid] = None
        self.forget(uid)

    def forget(self, uid: str) -> None:
        """Drop the object and everything pending for it."""
        self.live.pop(uid, None)
        self._kept.pop(uid, None)
        for pending in (self.adds, self.puts, self.dirty, self.held):
            self._pending_ids.discard(id(pending.pop(uid, None)))
        self._present.discard(uid)

    def drop_pending(self) -> None:
        """Forget what is to be written; what is live stays so."""
        for pending in (self.deletes, self.adds, self.puts, self.dirty, self.held, self._pending_ids):
            pending.clear()
        self._fresh.clear()
        self._moving = None

    def _reference_of(self, obj: Any) -> Live | None:
        """The reference that tracks exactly this object, also when its identifiers were changed since."""
        if self.keeps:
            return next((other for other in list(self.live.values()) if other() is obj), None)
        reference: Live | None = obj.tracked_by()
        while reference is not None and reference.buffer is not self:
            reference = reference.next
        return reference if reference is not None and self.live.get(reference.uid) is reference else None

    def note_change(self, obj: Any) -> None:
        """Remember that a live object was changed."""
        if id(obj) in self._pending_ids:
            self.has_renamed = self.has_renamed or self.find(obj.get_unique_id()) is not obj
            return
        reference = self._reference_of(obj)
        self.has_renamed = self.has_renamed or (reference is not None and reference.uid != obj.get_unique_id())
        if reference is not None and reference.uid not in self.adds and reference.uid not in self.puts:
            self._note_dirty(reference.uid, obj)

    def _note_dirty(self, uid: str, obj: Any) -> None:
        self._pending_ids.add(id(obj))
        self.dirty[uid] = obj

    def note_release(self, let_go: tuple[Live, Any]) -> None:
        """The program releases an object, None if it is gone: keep what was changed in it, if anything was."""
        reference, obj = let_go
        uid = reference.uid
        if self.live.get(uid) is not reference:
            return
        if obj is None:
            del self.live[uid]
            return
        obj.forget_child_indexes()
        is_garbage = reference() is None  # of the garbage collection, which clears references first
        if has_held_part(obj) if is_garbage else is_held_beside(obj):
            # An object reports its release only once in its life: it is kept as long as anybody can change it.
            self.held[uid] = obj
            if is_garbage:
                self.track(uid, obj, reference.written)
            return
        self._note_last(uid, obj, reference.written)
        del self.live[uid]

    def _note_last(self, uid: str, obj: Any, written: bytes | int) -> None:
        """Nobody can change an object any more: keep what is to be written of it."""
        try:
            data = encode(obj, self.declared)
            if not self._is_changed(uid, data, written):
                return
            encoded = data, digest_of(obj)
        except Exception:  # noqa: BLE001  # the flush reports it, not the next call
            self._note_dirty(uid, obj)
            return
        self.has_renamed = self.has_renamed or uid != obj.get_unique_id()
        self.dirty[uid] = encoded

    def note_changes_in_place(self) -> None:
        """Look at every live object for changes that nobody told of, such as an append to a list."""
        for uid in list(self.held):
            obj = self.held[uid]
            if id(obj) not in self._pending_ids and not is_held_beside(obj):
                self._note_last(uid, obj, self.live[uid].written)
                del self.live[uid], self.held[uid]
        for reference in list(self.live.values()):
            obj, uid = reference(), reference.uid
            if obj is None or uid in self.adds or uid in self.puts or self._tells_of_changes(obj):
                continue
            if self._looks_changed(uid, obj, reference.written):
                self._note_dirty(uid, obj)
                self.has_renamed = self.has_renamed or uid != obj.get_unique_id()

    def _looks_changed(self, uid: str, obj: Any, written: bytes | int) -> bool:
        """Whether an object is another than Redis has, or one that cannot be written: the write reports it."""
        try:
            return self._is_changed(uid, encode(obj, self.declared), written)
        except Exception:  # noqa: BLE001
            return True

    def _tells_of_changes(self, obj: Any) -> bool:
        """Whether every change of the object comes by assignment, and its assignments reach this store."""
        if getattr(type(obj), "_changes_in_place", True) or obj.adapter is None:
            return False
        buffers: dict[str, ModelBuffer] = getattr(obj.adapter.store, "_buffers", {})
        return buffers.get(self.model) is self

    def _is_changed(self, uid: str, data: bytes, written: bytes | int) -> bool:
        """Whether the object is another than Redis has.

        What this class writes of an object may differ from what an older class wrote: only a change that the program
        makes is a change.
        """
        if isinstance(written, int):
            return hash(data) != written
        return data != written and data != encode(decode(self.model_class, written, uid), self.declared)

    # Iterating

    def open_page(self, page: dict[str, bytes | None]) -> None:
        """What is written from now on is taken out of the page, because it says something else."""
        self._pages[id(page)] = page

    def close_page(self, page: dict[str, bytes | None]) -> None:
        """Nobody reads the page any more."""
        self._pages.pop(id(page), None)

    # Writing

    def write_to(self, out: _Out, describe: Callable[[Batch], None]) -> Iterator[None]:
        """Give out what is pending, as it is now, in the order in which it is to be written, batch after batch.

        Whatever strikes on the way, each change is either pending still or out.
        """
        self.settle(out, is_late=True)
        pending: tuple[tuple[Kind, dict[str, Any]], ...] = (
            ("deletes", self.deletes),
            ("adds", self.adds),
            ("puts", self.puts),
            ("backs", self.dirty),
        )
        for kind, objects in pending:
            yield from self._give_out(kind, objects, out, describe)

    def _give_out(
        self, kind: Kind, pending: dict[str, Any], out: _Out, describe: Callable[[Batch], None]
    ) -> Iterator[None]:
        while pending:
            batch, moved, failure = self._next(kind, pending)
            if batch.items:
                describe(batch)
                self._moving = batch, pending, moved
                out.put(batch)
                self.settle(out)
                yield
            if failure is not None:
                raise failure

    def _next(self, kind: Kind, pending: dict[str, Any]) -> tuple[Batch, list[_Moved], Exception | None]:
        """The next batch of what is pending, which stays so; and why it ends where it does, if an object is at fault."""
        batch, moved = Batch(self.model, kind, known_in=self.known_in), list[_Moved]()
        for uid in list(islice(pending, _BATCH)):
            obj = pending[uid]
            if obj is None:  # of a delete
                batch.items.append(uid)
                moved.append((uid, None, None))
                continue
            if type(obj) is tuple:
                batch.take(uid, *obj)
                moved.append((uid, obj, None))
                continue
            # Nobody can change it any more if nobody else has it: then it need not be known.
            is_known = self.keeps or is_held_beside(obj)
            try:
                data, digest = encode(obj, self.declared), digest_of(obj)
            except Exception as error:  # noqa: BLE001  # it stays pending; what came before it is written first
                return batch, moved, error
            self.classes.add(type(obj))
            batch.take(uid, data, digest)
            moved.append((uid, obj, hash(data) if is_known else None))
            if batch.size >= _BATCH_BYTES:
                break
        return batch, moved, None

    def settle(self, out: _Out, *, is_late: bool = False) -> None:
        """What is on its way out is pending no more; if this comes late, it may have been changed since."""
        if self._moving is None:
            return
        batch, pending, moved = self._moving
        if not out.has_taken(batch):
            moved = []
        for page in list(self._pages.values()):
            for uid, _, _ in moved:
                page.pop(uid, None)
        for uid, obj, written in moved:
            if uid not in pending or pending[uid] is not obj:
                continue
            self._pending_ids.discard(id(obj))
            del pending[uid]
            if obj is None or type(obj) is tuple:
                continue
            if written is None and not is_late:
                self._forget_written(uid, obj)
                continue
            self._note_written(uid, obj, written or 0)
            if is_late and self._looks_changed(uid, obj, written or 0):
                self._note_dirty(uid, obj)
        self._moving = None

    def _note_written(self, uid: str, obj: Any, written: int) -> None:
        reference = self.live.get(uid)
        if reference is None or reference() is not obj:
            self.track(uid, obj, written)
        else:
            reference.written = written

    def _forget_written(self, uid: str, obj: Any) -> None:
        reference: Any = self.live.get(uid)
        if reference is not None and reference() is obj:
            obj.tell_when_let_go(_without(obj.tracked_by(), self))
            del self.live[uid]


def _without(references: Live | None, buffer: ModelBuffer) -> Live | None:
    """A chain of references but for that of this buffer."""
    if references is None:
        return None
    if references.buffer is buffer:
        return references.next
    references.next = _without(references.next, buffer)
    return references
