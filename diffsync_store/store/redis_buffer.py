"""What a store knows of one model's objects in this process: which are alive, and what is still to be written."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from diffsync_store.store.digest import digest_of
from diffsync_store.store.encoding import decode, encode
from diffsync_store.store.held import has_held_part, is_held, let_go_of
from diffsync_store.store.redis_writer import Batch, Written

_BATCH = 1000
"""Objects in one command."""
_BATCH_BYTES = 1_000_000


class Live(weakref.ref):  # type: ignore[type-arg]  # generic only in stubs
    """A reference to an object that the program may hold, with the hash of what Redis has of it."""

    __slots__ = ("kept", "read", "uid", "written")

    uid: str
    written: int
    read: bytes | None
    """What was read of it, until this process writes it."""
    kept: Any


class ModelBuffer:
    """Live objects and pending writes of one model.

    Pending writes keep their objects alive; `live` does not. Deletes are written before adds, so that an object that
    was removed and added again stands at the end, as in a dict.
    """

    def __init__(self, model: str, model_class: type[Any]) -> None:
        self.model = model
        self.model_class = model_class
        self.keeps = not hasattr(model_class, "_tracks_changes")
        """A model of another library does not tell when it is let go: its objects are kept as long as the store."""
        self.classes: set[type[Any]] = set()
        """Those of all objects that were live."""
        self.live: dict[str, Live] = {}
        self.deletes: dict[str, None] = {}
        self.adds: dict[str, Any] = {}
        self.puts: dict[str, Any] = {}
        self.dirty: dict[str, Any] = {}
        self.late: dict[str, tuple[bytes, bytes]] = {}
        """Values and digests of objects that were changed in place and let go, as they were last."""
        self.held: dict[str, Any] = {}
        """Objects that were let go while a part of them was not: kept until the part is let go too."""
        self._pending_ids: set[int] = set()
        """`id` of each object that is to be written, held as long as it is: its changes need no further note."""
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
        """The live object with this unique id, or None."""
        reference = self.live.get(uid)
        return None if reference is None else reference()

    def track(self, uid: str, obj: Any, written: int = 0, read: bytes | None = None) -> None:
        """Know `obj` as the live object of `uid`; `written` is the hash of what Redis has of it, 0 for nothing."""
        reference = Live(obj, self._forget)
        reference.uid = uid
        reference.written = written
        reference.read = read
        reference.kept = obj if self.keeps else None
        self.classes.add(type(obj))
        if not self.keeps:
            obj.tell_when_let_go()
        self.live[uid] = reference

    def _forget(self, reference: Live) -> None:
        if self.live.get(reference.uid) is reference:
            del self.live[reference.uid]

    def add(self, uid: str, obj: Any) -> None:
        """A new object is to be written."""
        self._present.add(uid)
        self.adds[uid] = obj
        self._pending_ids.add(id(obj))
        self.track(uid, obj)

    def put(self, uid: str, obj: Any) -> None:
        """An object is to be written in the place of whatever is there."""
        self.track(uid, obj)  # first: what it replaces may be let go on the way, and is no longer of interest
        self._pending_ids.discard(id(self.adds.get(uid)))
        if uid in self.adds:
            self.adds[uid] = obj
        else:
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
        for pending in (self.adds, self.puts, self.dirty, self.late, self.held):
            self._pending_ids.discard(id(pending.pop(uid, None)))
        self._present.discard(uid)

    def reference_of(self, obj: Any) -> Live | None:
        """The reference that tracks exactly this object, also when its identifiers were changed since."""
        reference = self.live.get(obj.get_unique_id())
        if reference is not None and reference() is obj:
            return reference
        return next((other for other in list(self.live.values()) if other() is obj), None)

    def note_change(self, obj: Any) -> None:
        """Remember that a live object was changed."""
        if id(obj) in self._pending_ids or not (self.keeps or obj.is_tracked()):
            return
        reference = self.reference_of(obj)
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

    def _is_changed(self, reference: Live, data: bytes) -> bool:
        """Whether the object is another than Redis has.

        What this class writes of an object may differ from what an older class wrote: only a change that the program
        makes is a change.
        """
        if hash(data) == reference.written:
            return False
        return reference.read is None or encode(decode(self.model_class, reference.read, reference.uid)) != data

    # Writing

    def batches(self) -> Iterator[Batch]:
        """What is pending, in the order to write it; each batch is to be reported to `note_written`."""
        uids = list(self.deletes)
        for start in range(0, len(uids), _BATCH):
            yield Batch(deletes=uids[start : start + _BATCH])
        for pairs in _chunks(_encoded(self.adds)):
            yield Batch(adds=pairs)
        for pairs in _chunks(_encoded(self.puts)):
            yield Batch(puts=pairs)
        for pairs in _chunks(_encoded(self.dirty)):
            yield Batch(backs=pairs)
        for pairs in _chunks((uid, data, digest) for uid, (data, digest) in list(self.late.items())):
            yield Batch(backs=pairs)

    def note_written(self, batch: Batch) -> None:
        """A batch is in Redis."""
        for uid in batch.deletes:
            self.deletes.pop(uid, None)
        for written, pending in ((batch.adds, (self.adds,)), (batch.puts, (self.puts,))):
            self._note_pairs(written, pending)
        self._note_pairs(batch.backs, (self.dirty, self.late))

    def _note_pairs(self, written: Iterable[Written], pending: tuple[dict[str, Any], ...]) -> None:
        for uid, data, _ in written:
            reference = self.live.get(uid)
            if reference is not None:
                reference.written, reference.read = hash(data), None
            for waiting in pending:
                obj: Any = waiting.pop(uid, None)
                if obj is None:
                    continue
                self._pending_ids.discard(id(obj))
                is_live = reference is not None and reference() is obj
                # Nobody can have changed it since it was encoded, so it need not tell that it is let go.
                if is_live and not is_held(obj):
                    obj.untrack()
                    del self.live[uid]


def _encoded(objects: dict[str, Any]) -> Iterator[Written]:
    return ((uid, encode(obj), digest_of(obj)) for uid, obj in list(objects.items()))


def _chunks(written: Iterator[Written]) -> Iterator[list[Written]]:
    """Batches of bounded length and size."""
    batch: list[Written] = []
    size = 0
    for item in written:
        batch.append(item)
        size += len(item[1]) + 2 * len(item[0])
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _tells_of_changes(obj: Any) -> bool:
    """Whether every change of the object comes by assignment, and its assignments reach the store."""
    return not getattr(type(obj), "_changes_in_place", True) and obj.adapter is not None
