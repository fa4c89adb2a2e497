"""A batch of writes that one command sends to Redis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MAX_OBJECTS = 1000
MAX_BYTES = 1_000_000

Kind = Literal["deletes", "adds", "puts", "updates"]


@dataclass(slots=True)
class Batch:
    """Writes of one kind to one model.

    `adds` are new objects; Redis refuses them if the unique id exists. `puts` add or replace objects. `updates` change stored
    objects; Redis skips them if the object no longer exists.
    """

    model: str
    kind: Kind
    known_in: bytes = b""
    """Epoch of the store in which the objects are known to be new; empty if Redis must check."""
    schema: str = ""
    """The `ModelSchema` of the model, as JSON."""
    items: list[str | bytes] = field(default_factory=list)
    """Unique ids for deletes; otherwise unique ids and values alternate."""
    digests: list[bytes] = field(default_factory=list)
    size: int = 0
    """Approximate size in bytes."""
    number: int = 0
    """Sequence number among the batches of one writer; 0 before it is sent."""

    def append(self, uid: str, value: bytes, digest: bytes) -> None:
        """Append an object."""
        self.items += (uid, value)
        self.digests.append(digest)
        self.size += len(value) + 2 * len(uid)

    @property
    def is_full(self) -> bool:
        return self.size >= MAX_BYTES
