"""What a store can say of its objects by digests, without the objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from diffsync_store.store.digest import SIZE
from diffsync_store.store.record import ModelSchema


class SubtreeDigest(NamedTuple):
    """An object and all below it; two are equal if a diff would find no difference."""

    digest: bytes
    """Sum of the digests, in two lanes."""
    counted: int
    """Objects that a diff counts."""
    skipped: int
    """Objects that a diff skips because of their flags, with all below them."""
    missing: int
    """Children that are listed and not there; where there are some, it has to be looked at whatever it equals."""


ABSENT = SubtreeDigest(bytes(SIZE), 0, 0, 0)
"""Of an object that is not there."""


@dataclass(frozen=True, slots=True)
class BucketSums:
    """The objects of a top model by buckets of their unique ids."""

    counted: int
    skipped: int
    missing: int
    """Over all objects."""
    buckets: Mapping[int, bytes]
    """Bucket to the sum of its digests."""


class SubtreeDigests(ABC):
    """The digests of one store, as they are now."""

    schemas: Mapping[str, ModelSchema]
    """The models that digests are known of."""

    @abstractmethod
    def of(self, model: str, uids: Sequence[str]) -> list[SubtreeDigest]:
        """For each unique id what stands at and below it."""

    @abstractmethod
    def sums(self, model: str) -> BucketSums | None:
        """The buckets of a model; None where it has none."""

    @abstractmethod
    def members(self, model: str, buckets: Iterable[int]) -> dict[str, SubtreeDigest]:
        """The objects in these buckets, in no order."""
