"""Finding a child in a long list of children without searching the list."""

from __future__ import annotations

_REBUILD_AFTER = 512
"""Removals after which positions are counted anew; bounds how far a search can go."""


class ChildIndex:
    """Where each unique id stands in one list of children.

    An id's recorded position is the one that it would have had if nothing had been removed since the positions were
    counted, so it stands there or at most as many places before as there were removals.
    """

    __slots__ = ("_at", "_length", "_list", "_removed")

    def __init__(self, children: list[str]) -> None:
        self._list = children
        self._count()

    def _count(self) -> None:
        self._at: dict[str, int] = {}
        for position, uid in enumerate(self._list):
            self._at.setdefault(uid, position)
        self._removed = 0
        self._length = len(self._list)

    def fits(self, children: list[str]) -> bool:
        """Whether this is the index of `children`, and nobody else has changed its length."""
        return children is self._list and len(children) == self._length

    def __contains__(self, uid: str) -> bool:
        return uid in self._at

    def append(self, uid: str) -> None:
        """Add an id that is not in the list."""
        self._at[uid] = self._length + self._removed
        self._list.append(uid)
        self._length += 1

    def remove(self, uid: str) -> None:
        """Remove an id.

        Raises:
            ValueError: it is not in the list.
        """
        if uid not in self._at or not self._delete_near(self._at[uid], uid):
            self._list.remove(uid)
            self._count()
            return
        had_twins = len(self._at) != self._length
        del self._at[uid]
        self._length -= 1
        self._removed += 1
        if had_twins or self._removed >= _REBUILD_AFTER:
            self._count()

    def _delete_near(self, position: int, uid: str) -> bool:
        last = min(position, self._length - 1)
        if last >= 0 and self._list[last] == uid:
            del self._list[last]
            return True
        try:
            del self._list[self._list.index(uid, max(0, position - self._removed), last + 1)]
        except ValueError:
            return False
        return True
