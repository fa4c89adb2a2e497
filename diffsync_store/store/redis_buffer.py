"""What a store knows of one model's objects in this process: which are alive, and what is still to be written."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from diffsync_store.store.encoding import encode
from diffsync_store.store.held import has_held_part


class Live(weakref.ref):  # type: ignore[type-arg]  # generic only in stubs
    """A reference to an object that the program may hold, with the hash of what Redis has of it."""

    __slots__ = ("kept", "uid", "written")

    uid: str
    written: int
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
        self.live: dict[str, Live] = {}
        self.deletes: dict[str, None] = {}
        self.adds: dict[str, Any] = {}
        self.puts: dict[str, Any] = {}
        self.dirty: dict[str, Any] = {}
        self.late: dict[str, bytes] = {}
        """Objects that were changed in place and let go, as they were last."""
        self.held: dict[str, Any] = {}
        """Objects that were let go while a part of them was not: kept until the part is let go too."""
        self.present: set[str] | None = None
        """Every unique id in the store, pending ones included; None while that is not known."""
        self.checked_adds = 0

    def __len__(self) -> int:
        return len(self.deletes) + len(self.adds) + len(self.puts) + len(self.dirty) + len(self.late)

    def find(self, uid: str) -> Any:
        """The live object with this unique id, or None."""
        reference = self.live.get(uid)
        return None if reference is None else reference()

    def track(self, uid: str, obj: Any, written: int = 0) -> None:
        """Know `obj` as the live object of `uid`; `written` is the hash of what Redis has of it, 0 for nothing."""
        reference = Live(obj, self._forget)
        reference.uid = uid
        reference.written = written
        reference.kept = obj if self.keeps else None
        self.live[uid] = reference

    def _forget(self, reference: Live) -> None:
        if self.live.get(reference.uid) is reference:
            del self.live[reference.uid]

    def drop(self, uid: str) -> None:
        """Forget everything pending for `uid` and the object itself."""
        for pending in (self.live, self.adds, self.puts, self.dirty, self.late, self.held):
            pending.pop(uid, None)  # type: ignore[attr-defined]  # a tuple of unlike dicts

    def reference_of(self, obj: Any) -> Live | None:
        """The reference that tracks exactly this object, also when its identifiers were changed since."""
        reference = self.live.get(obj.get_unique_id())
        if reference is not None and reference() is obj:
            return reference
        return next((other for other in list(self.live.values()) if other() is obj), None)

    def note_change(self, obj: Any) -> None:
        """Remember that a live object was changed."""
        reference = self.reference_of(obj)
        if reference is not None and reference.uid not in self.adds and reference.uid not in self.puts:
            self.dirty[reference.uid] = obj

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
        if hash(data) != reference.written:
            self.late[reference.uid] = data

    def note_changes_in_place(self) -> None:
        """Look at every live object for changes that nobody told of, such as an append to a list."""
        for reference in list(self.live.values()):
            obj = reference()
            if obj is None or reference.uid in self.adds or reference.uid in self.puts or _tells_of_changes(obj):
                continue
            if hash(encode(obj)) != reference.written:
                self.dirty[reference.uid] = obj
        for uid in [uid for uid, obj in self.held.items() if not has_held_part(obj)]:
            del self.held[uid]

    def pending_objects(self, kind: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
        """Pairs of unique id and encoded object for one kind of pending write."""
        for uid, obj in list(kind.items()):
            yield uid, obj if isinstance(obj, bytes) else encode(obj)


def _tells_of_changes(obj: Any) -> bool:
    """Whether every change of the object comes by assignment, and its assignments reach the store."""
    return not getattr(type(obj), "_changes_in_place", True) and obj.adapter is not None
