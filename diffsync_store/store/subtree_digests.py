"""The digests of the objects of a store and of their subtrees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from diffsync_store.store.digest import SIZE
from diffsync_store.store.record import ModelSchema


class SubtreeDigest(NamedTuple):
    """The digest and the counts of an object and everything below it. They are equal if a diff finds no difference."""

    digest: bytes
    """Sum of the objects' digests, in two lanes."""
    counted: int
    """Number of objects that a diff counts."""
    skipped: int
    """Number of objects that a diff skips because of their flags. Objects below them do not count."""
    missing: int
    """Number of listed children that are not in the store. If it is above 0, the object must be compared."""


ABSENT = SubtreeDigest(bytes(SIZE), 0, 0, 0)
"""The digest of an object that is not in the store."""


@dataclass(frozen=True, slots=True)
class BucketSums:
    """Sums over the objects of a top-level model, whose unique ids are hashed into buckets."""

    counted: int
    skipped: int
    missing: int
    """As in `SubtreeDigest`, summed over all objects."""
    buckets: Mapping[int, bytes]
    """Sum of the digests of each bucket, by its number."""


class SubtreeDigests(ABC):
    """The current digests of one store."""

    schemas: Mapping[str, ModelSchema]
    """The models that have digests."""

    @abstractmethod
    def of(self, model: str, uids: Sequence[str]) -> list[SubtreeDigest]:
        """Return the digest of each object, in the order of the unique ids."""

    @abstractmethod
    def sums(self, model: str) -> BucketSums | None:
        """Return the sums of a model; None if it has no buckets."""

    @abstractmethod
    def members(self, model: str, buckets: Iterable[int]) -> dict[str, SubtreeDigest]:
        """Return the digests of the objects in these buckets, by unique id, in no order."""
