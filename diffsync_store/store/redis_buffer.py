"""What a store knows of one model's objects in this process: which are alive, and what is still to be written."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import islice
from typing import Any

from diffsync_store.store.digest import digest_of
from diffsync_store.store.encoding import decode, encode
from diffsync_store.store.held import has_held_part, is_held, let_go_of
from diffsync_store.store.redis_writer import Batch, Kind

_BATCH = 1000
"""Objects in one command."""
_BATCH_BYTES = 1_000_000
_FRESH = 32
"""New objects to have before those that the program has let go of are encoded: while the processor still has them at hand."""


Encoded = tuple[bytes, bytes]
"""An object's value and digest."""


class Live(weakref.ref):  # type: ignore[type-arg]  # generic only in stubs
    """A reference to an object that the program may hold, with what Redis has of it."""

    __slots__ = ("uid", "written")

    uid: str
    written: bytes | int
    """As it was read, or the hash of what this process has written; 0 for nothing."""


class ModelBuffer:
    """Live objects and pending writes of one model.

    Pending writes keep their objects alive; `live` does not. A new object that the program lets go of is encoded soon; one
    that it holds becomes live when it is taken to be written. Deletes are written before adds, so that an object that was removed and added
    again stands at the end, as in a dict.
    """

    def __init__(self, model: str, model_class: type[Any]) -> None:
        self.model = model
        self.model_class = model_class
        self.keeps = not hasattr(model_class, "_tracks_changes")
        """A model of another library does not tell when it is let go: its objects are kept as long as the store."""
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
        self.late: dict[str, Encoded] = {}
        """Of objects that were changed in place and let go, as they were last."""
        self.held: dict[str, Any] = {}
        """Objects that were let go while a part of them was not: kept until the part is let go too."""
        self._pending_ids: set[int] = set()
        """`id` of each object that is to be written, held as long as it is: its changes need no further note."""
        self.has_renamed = False
        """An object has other identifiers now than it was added with; it stands under the old ones."""
        self.checked_adds = 0
        self._present: set[str] = set()
        self.known_in = b""
        """The epoch of the store in which all unique ids were known; empty while they are not."""

    def __len__(self) -> int:
        return len(self.deletes) + len(self.adds) + len(self.puts) + len(self.dirty) + len(self.late)

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
        return self.adds.get(uid) if reference is None else reference()

    def track(self, uid: str, obj: Any, written: bytes | int = 0) -> None:
        """Know `obj` as the live object of `uid`; `written` as `Live` has it."""
        reference = self.live[uid] = Live(obj, self._forget)
        reference.uid = uid
        reference.written = written
        self.classes.add(type(obj))
        if self.keeps:
            self._kept[uid] = obj
        else:
            obj.tell_when_let_go()

    def _forget(self, reference: Live) -> None:
        if self.live.get(reference.uid) is reference:
            del self.live[reference.uid]

    def add(self, uid: str, obj: Any) -> None:
        """A new object is to be written."""
        self._present.add(uid)
        self.adds[uid] = obj
        self._pending_ids.add(id(obj))
        self._fresh.append(uid)
        if len(self._fresh) >= _FRESH:
            self._encode_let_go()

    def _encode_let_go(self) -> None:
        adds = self.adds
        for uid in self._fresh:
            obj = adds.get(uid)
            if obj is None or type(obj) is tuple or self.keeps:
                continue
            adds[uid] = None
            if is_held(obj):
                adds[uid] = obj
                continue
            try:
                adds[uid] = encode(obj), digest_of(obj)
            except Exception:  # noqa: BLE001  # whoever has it written is told
                adds[uid] = obj
                continue
            self._pending_ids.discard(id(obj))
            self.classes.add(type(obj))
        self._fresh.clear()

    def put(self, uid: str, obj: Any) -> None:
        """An object is to be written in the place of whatever is there."""
        if uid in self.adds:
            self._pending_ids.discard(id(self.adds[uid]))
            self.add(uid, obj)
            return
        self.track(uid, obj)  # first: what it replaces may be let go on the way, and is no longer of interest
        self.late.pop(uid, None)
        self._pending_ids.discard(id(self.dirty.pop(uid, None)))
        self._pending_ids.discard(id(self.puts.get(uid)))
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
        for pending in (self.adds, self.puts, self.dirty, self.late, self.held):
            self._pending_ids.discard(id(pending.pop(uid, None)))
        self._present.discard(uid)

    def drop_pending(self) -> None:
        """Forget what is to be written; what is live stays so."""
        for pending in (self.deletes, self.adds, self.puts, self.dirty, self.late, self.held, self._pending_ids):
            pending.clear()
        self._fresh.clear()

    def reference_of(self, obj: Any) -> Live | None:
        """The reference that tracks exactly this object, also when its identifiers were changed since."""
        reference = self.live.get(obj.get_unique_id())
        if reference is not None and reference() is obj:
            return reference
        return next((other for other in list(self.live.values()) if other() is obj), None)

    def note_change(self, obj: Any) -> None:
        """Remember that a live object was changed."""
        if id(obj) in self._pending_ids:
            self.has_renamed = self.has_renamed or self.find(obj.get_unique_id()) is not obj
            return
        if not (self.keeps or obj.is_tracked()):
            return
        reference = self.reference_of(obj)
        self.has_renamed = self.has_renamed or (reference is not None and reference.uid != obj.get_unique_id())
        if reference is not None and reference.uid not in self.adds and reference.uid not in self.puts:
            self.dirty[reference.uid] = obj
            self._pending_ids.add(id(obj))

    def note_release(self, obj: Any) -> None:
        """The program lets go of an object: keep what was changed in it, if anything was."""
        reference = self.reference_of(obj)
        if reference is None:
            return
        obj.forget_child_indexes()
        if has_held_part(obj):
            self.held[reference.uid] = obj
            return
        data = encode(obj)
        if self._is_changed(reference, data):
            self.late[reference.uid] = data, digest_of(obj)

    def note_changes_in_place(self) -> None:
        """Look at every live object for changes that nobody told of, such as an append to a list."""
        self._compare_live()
        # An object tells that it is let go only once in its life: it is kept as long as anybody can change it.
        let_go_of(self.held)

    def _compare_live(self) -> None:
        for reference in list(self.live.values()):
            obj = reference()
            if obj is None or reference.uid in self.adds or reference.uid in self.puts or _tells_of_changes(obj):
                continue
            if self._is_changed(reference, encode(obj)):
                self.dirty[reference.uid] = obj
                self.has_renamed = self.has_renamed or reference.uid != obj.get_unique_id()

    def _is_changed(self, reference: Live, data: bytes) -> bool:
        """Whether the object is another than Redis has.

        What this class writes of an object may differ from what an older class wrote: only a change that the program
        makes is a change.
        """
        written = reference.written
        if isinstance(written, int):
            return hash(data) != written
        return data != written and data != encode(decode(self.model_class, written, reference.uid))

    # Writing

    def batches(self) -> Iterator[Batch]:
        """Take what is pending, as it is now, in the order in which it is to be written."""
        while self.deletes:
            batch = Batch(self.model, "deletes")
            for uid in list(islice(self.deletes, _BATCH)):
                del self.deletes[uid]
                batch.items.append(uid)
            yield batch
        yield from self._taken("adds", self.adds)
        yield from self._taken("puts", self.puts)
        yield from self._taken("backs", self.dirty)
        while self.late:
            batch = Batch(self.model, "backs")
            for uid in list(islice(self.late, _BATCH)):
                batch.take(uid, *self.late.pop(uid))
                if batch.size >= _BATCH_BYTES:
                    break
            yield batch

    def _taken(self, kind: Kind, pending: dict[str, Any]) -> Iterator[Batch]:
        while pending:
            batch, failure = Batch(self.model, kind, known_in=self.known_in), None
            for uid in list(islice(pending, _BATCH)):
                obj = pending[uid]
                if type(obj) is tuple:
                    batch.take(uid, *obj)
                    del pending[uid]
                    continue
                try:
                    data, digest = encode(obj), digest_of(obj)
                except Exception as error:  # noqa: BLE001  # it stays pending; what came before it is written first
                    failure = error
                    break
                batch.take(uid, data, digest)
                del pending[uid]
                self._pending_ids.discard(id(obj))
                self.classes.add(type(obj))
                # Nobody can change it any more if nobody else has it: then it need not be known.
                if is_held(obj) or self.keeps:
                    self._note_written(uid, obj, hash(data))
                elif kind != "adds":
                    self._let_go(uid, obj)
                if batch.size >= _BATCH_BYTES:
                    break
            if batch.items:
                yield batch
            if failure is not None:
                raise failure

    def _note_written(self, uid: str, obj: Any, written: int) -> None:
        reference = self.live.get(uid)
        if reference is None:
            self.track(uid, obj, written)
        else:
            reference.written = written

    def _let_go(self, uid: str, obj: Any) -> None:
        if uid in self.live and self.find(uid) is obj:
            obj.untrack()
            del self.live[uid]


def _tells_of_changes(obj: Any) -> bool:
    """Whether every change of the object comes by assignment, and its assignments reach the store."""
    return not getattr(type(obj), "_changes_in_place", True) and obj.adapter is not None
