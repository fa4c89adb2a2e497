"""The objects of one model that this process has read or written: at most one object for each unique id."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from diffsync_store.store.redis.writing.tracked_object import TrackedObject

MAX_DROPPED = 1000
"""Maximum dropped objects whose values are kept. The program may still hold and change a list of such an object."""


class IdentityMap:
    """Weak references to objects, by the unique ids under which they are stored.

    An object lives as long as the program refers to it. After that its values are kept for a while, until `expired`
    returns them.
    """

    def __init__(self) -> None:
        self._by_uid: dict[str, TrackedObject] = {}
        self._by_identity: dict[int, TrackedObject] = {}
        self._dropped: deque[TrackedObject] = deque()
        self._note_drop = self._dropped.append  # called at any time in any thread, so it takes no lock

    def add(self, uid: str, obj: Any, written: bytes | int, values_of: Any) -> None:
        """Track an object instead of the one with its unique id.

        Args:
            uid: the unique id under which it is stored.
            obj: the object.
            written: see `TrackedObject.written`.
            values_of: the object, to keep its values after it was dropped; or None.
        """
        reference = TrackedObject(obj, self._note_drop)
        reference.uid, reference.written, reference.identity = uid, written, id(obj)
        if values_of is None:
            reference.kind = None
        else:
            reference.hold_values(values_of)
        self._by_uid[uid] = self._by_identity[reference.identity] = reference

    def reference(self, uid: str) -> TrackedObject | None:
        """Return the reference with this unique id. The program may have dropped its object."""
        return self._by_uid.get(uid)

    def reference_to(self, obj: Any) -> TrackedObject | None:
        """Return the reference to this object; None if another object is tracked under its unique id."""
        reference = self._by_identity.get(id(obj))
        return reference if reference is not None and reference() is obj and self._is_current(reference) else None

    def remove(self, uid: str) -> None:
        """Stop tracking the object with this unique id."""
        self._by_uid.pop(uid, None)

    def __iter__(self) -> Iterator[TrackedObject]:
        return iter(list(self._by_uid.values()))

    def expired(self) -> Iterator[TrackedObject]:
        """Yield references to the objects that were dropped first. Each is tracked until `discard` is called."""
        dropped, by_identity, by_uid = self._dropped, self._by_identity, self._by_uid
        for _ in range(len(dropped) - MAX_DROPPED):
            reference = dropped.popleft()
            if by_identity.get(reference.identity) is reference:
                del by_identity[reference.identity]
            if by_uid.get(reference.uid) is reference:
                if reference.kind is None:
                    del by_uid[reference.uid]
                else:
                    yield reference

    def discard(self, reference: TrackedObject) -> None:
        """Stop tracking an object, unless another object is tracked under its unique id now."""
        if self._is_current(reference):
            del self._by_uid[reference.uid]

    def _is_current(self, reference: TrackedObject) -> bool:
        return self._by_uid.get(reference.uid) is reference
