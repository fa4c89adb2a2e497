"""An index of a long list of children, to find a child without a linear search."""

from __future__ import annotations

from diffsync_store._process_lock import process_lock

INDEXED_FROM = 64
"""Minimum length of a list with an index. Shorter lists are searched."""

_REBUILD_AFTER = 512
"""Removals before the positions are recomputed. This limits the length of a search."""


CHILDREN_LOCK = process_lock()
"""Protects the search and change of a list of children."""


class ChildIndex:
    """The position of each unique id in one list of children.

    A recorded position ignores removals since the positions were computed. The real position is at most as many places before
    it as there were removals.
    """

    __slots__ = ("_at", "_length", "_list", "_removed")

    def __init__(self, children: list[str]) -> None:
        self._list = children
        self._recompute()

    def _recompute(self) -> None:
        self._at: dict[str, int] = {}
        for position, uid in enumerate(self._list):
            self._at.setdefault(uid, position)
        self._removed = 0
        self._length = len(self._list)

    def fits(self, children: list[str]) -> bool:
        """Whether this index belongs to `children`, and the list has the expected length."""
        return children is self._list and len(children) == self._length

    def __contains__(self, uid: str) -> bool:
        if uid not in self._at:
            # Code outside of this class may have replaced items; the last item shows it most often.
            if self._list and self._list[-1] not in self._at:
                self._recompute()
            return uid in self._at
        if self._find(uid) is None:
            self._recompute()
        return uid in self._at

    def append(self, uid: str) -> None:
        """Add an id that is not in the list."""
        self._at[uid] = self._length + self._removed
        self._list.append(uid)
        self._length += 1

    def remove(self, uid: str) -> None:
        """Remove an id.

        Raises:
            ValueError: the id is not in the list.
        """
        position = self._find(uid)
        if position is None:
            self._list.remove(uid)
            self._recompute()
            return
        del self._list[position]
        had_duplicates = len(self._at) != self._length
        del self._at[uid]
        self._length -= 1
        self._removed += 1
        if had_duplicates or self._removed >= _REBUILD_AFTER:
            self._recompute()

    def _find(self, uid: str) -> int | None:
        """Return the current position of the id, or None if it is not in the expected range."""
        if uid not in self._at:
            return None
        last = min(self._at[uid], self._length - 1)
        if last >= 0 and self._list[last] == uid:
            return last
        try:
            return self._list.index(uid, max(0, self._at[uid] - self._removed), last + 1)
        except ValueError:
            return None
