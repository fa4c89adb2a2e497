"""The unique ids of one model, as the only writer of a store knows them."""

from __future__ import annotations


class KnownUids:
    """The unique ids, so that the only writer detects duplicates without a request.

    The ids are valid for one epoch of the store; the epoch changes when another process writes.
    """

    def __init__(self) -> None:
        self._uids: set[str] = set()
        self.epoch = b""
        """The epoch that the ids are valid for; empty while they are unknown."""

    def load(self, uids: set[str], epoch: bytes) -> None:
        """Set the ids of all objects in the store in this epoch."""
        self._uids, self.epoch = uids, epoch

    def are_valid(self, epoch: bytes) -> bool:
        """Whether the ids are those of this epoch."""
        return self.epoch == epoch != b""

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids

    def add(self, uid: str) -> None:
        """Add the id of a new object, written or pending."""
        self._uids.add(uid)

    def discard(self, uid: str) -> None:
        """Remove the id of a deleted object."""
        self._uids.discard(uid)
