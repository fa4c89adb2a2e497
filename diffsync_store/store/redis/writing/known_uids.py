"""The unique ids of one model, as the only writer of a store knows them."""

from __future__ import annotations


class KnownUids(set[str]):
    """The unique ids, so that the only writer detects duplicates without a request.

    The ids are valid for one epoch of the store; the epoch changes when another process writes.
    """

    epoch = b""
    """The epoch that the ids are valid for; empty while they are unknown."""

    def load(self, uids: set[str], epoch: bytes) -> None:
        """Set the ids of all objects in the store in this epoch."""
        self.clear()
        self.update(uids)
        self.epoch = epoch

    def are_valid(self, epoch: bytes) -> bool:
        """Whether the ids are those of this epoch."""
        return self.epoch == epoch != b""
