"""The index of one store, as a comparison reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index.format import GROUPS, LEAF, Totals
from diffsync_store.store.record import ModelSchema

ABSENT = "0"
"""The flag of an object that is not in the index."""


class Difference(NamedTuple):
    """An object whose entries differ."""

    uid: str
    source: str
    target: str
    """The flag on each side."""


class Parent(NamedTuple):
    """An object that lists some objects as children."""

    model: str
    uid: str
    children: Sequence[str]


class IndexUnusable(Exception):
    """The index lacks a part, or a part of it is too large to be read. Compare without it."""


class StoreIndex(ABC):
    """The digests of the objects of one load, and who lists whom as child.

    Nothing changes an index. What has been written to the store since then is in `touched`.
    """

    schemas: Mapping[str, ModelSchema]
    """The models that the store has objects of."""
    totals: Mapping[str, Totals]
    """The models that have an index: those with objects, and those whose objects are listed as children."""

    def differing(self, target: StoreIndex, model: str) -> Iterator[Difference] | None:
        """Yield the objects that differ if both stores lie where they can be compared without reading them; None otherwise."""
        return None

    @abstractmethod
    def sums(self, model: str, level: int, firsts: Sequence[int], count: int) -> bytes:
        """Return the sums of `count` buckets from each of the `firsts` on, at a level that the index has."""

    @abstractmethod
    def group_sums(self, model: str, level: int, buckets: Sequence[int]) -> bytes:
        """Return for each bucket the sums of its 16 groups (`format.group_of`)."""

    @abstractmethod
    def entries(self, model: str, level: int, buckets: Sequence[tuple[int, str]]) -> Iterator[tuple[str, bytes]]:
        """Yield unique id and digest with flag of the objects in these buckets.

        Each bucket comes with the hex digits of the groups to return, or with `*` for all.
        """

    @abstractmethod
    def touched(self, model: str, most: int) -> list[str]:
        """Return the objects that have been written or removed since the index was built, at most one more than `most`."""

    @abstractmethod
    def flags(self, model: str, uids: Sequence[str]) -> list[str]:
        """Return the flag of each object; `ABSENT` if the index does not have it."""

    @abstractmethod
    def parents(self, model: str, uids: Sequence[str]) -> Iterable[Parent]:
        """Return the objects that list one of these objects as child, with those of them that it lists.

        A parent may come several times, each time with other children.
        """

    @abstractmethod
    def nodes(self, model: str, uids: Sequence[str]) -> list[tuple[int, int]]:
        """Return the node of each of these objects, which the index has."""


class _EmptyIndex(StoreIndex):
    """The index of a store that has no objects. Threads may share it."""

    schemas: Mapping[str, ModelSchema] = MappingProxyType({})
    totals: Mapping[str, Totals] = MappingProxyType({})

    def sums(self, model: str, level: int, firsts: Sequence[int], count: int) -> bytes:
        return bytes(SIZE * count * len(firsts))

    def group_sums(self, model: str, level: int, buckets: Sequence[int]) -> bytes:
        return bytes(SIZE * GROUPS * len(buckets))

    def entries(self, model: str, level: int, buckets: Sequence[tuple[int, str]]) -> Iterator[tuple[str, bytes]]:
        return iter(())

    def touched(self, model: str, most: int) -> list[str]:
        return []

    def flags(self, model: str, uids: Sequence[str]) -> list[str]:
        return [ABSENT] * len(uids)

    def parents(self, model: str, uids: Sequence[str]) -> Iterable[Parent]:
        return ()

    def nodes(self, model: str, uids: Sequence[str]) -> list[tuple[int, int]]:
        return [LEAF] * len(uids)


EMPTY_INDEX: StoreIndex = _EmptyIndex()
