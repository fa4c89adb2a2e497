"""Finding a child in a long list of children without searching the list."""

from __future__ import annotations

from diffsync_store._process_lock import process_lock

INDEXED_FROM = 64
"""Children from which on a list is worth an index; shorter ones are searched, and so may be edited by hand at will."""

_REBUILD_AFTER = 512
"""Removals after which positions are counted anew; bounds how far a search can go."""


CHILDREN_LOCK = process_lock()
"""Held for the moment in which a list of children is searched and changed; nothing else happens meanwhile."""


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
        if uid not in self._at:
            # Children that somebody else has put in the places of others show at the end of the list first.
            if self._list and self._list[-1] not in self._at:
                self._count()
            return uid in self._at
        if self._find(uid) is None:
            self._count()
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
        position = self._find(uid)
        if position is None:
            self._list.remove(uid)
            self._count()
            return
        del self._list[position]
        had_twins = len(self._at) != self._length
        del self._at[uid]
        self._length -= 1
        self._removed += 1
        if had_twins or self._removed >= _REBUILD_AFTER:
            self._count()

    def _find(self, uid: str) -> int | None:
        """Where the id stands now; None if it does not stand where it should."""
        if uid not in self._at:
            return None
        last = min(self._at[uid], self._length - 1)
        if last >= 0 and self._list[last] == uid:
            return last
        try:
            return self._list.index(uid, max(0, self._at[uid] - self._removed), last + 1)
        except ValueError:
            return None
