"""The index of the only shard of a load, in pieces that one command each writes to Redis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from diffsync_store.store.index.built_index import BuiltIndex, BuiltModel
from diffsync_store.store.index.format import Totals, fold
from diffsync_store.store.redis.keys import StoreKeys

_SIZE = 500_000
"""Bytes of a piece of sums."""
_PAIRS = 2000
"""Pairs in a piece of a hash."""

Part = Literal["index", "edges", "sums", "nodes", "totals"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one key of an index."""

    part: Part
    model: str
    number: int
    """Number of the shard, or level of the sums."""
    items: list[int | str | bytes]
    """Fields and values of a hash; offsets and bytes of a string."""

    @property
    def kind(self) -> str:
        """The type of the key."""
        return "string" if self.part == "sums" else "hash"

    def key_of(self, keys: StoreKeys) -> str:
        """Return the key."""
        if self.part == "nodes":
            return keys.nodes(self.model)
        if self.part == "totals":
            return keys.totals(self.model)
        key: str = getattr(keys, self.part)(self.number, self.model)
        return key


def pieces_of(index: BuiltIndex, shard: int) -> Iterator[Piece]:
    """Yield the pieces of an index."""
    for built in index.models():
        parts: tuple[tuple[Part, Iterator[Any]], ...] = (
            ("index", built.entries()),
            ("edges", built.edges()),
            ("nodes", index.nodes(built.name)),
        )
        for part, chunks in parts:
            for chunk in chunks:
                for start in range(0, len(chunk), _PAIRS):
                    yield Piece(part, built.name, shard, list(chain.from_iterable(chunk[start : start + _PAIRS])))
        yield from _sums(built)
        totals = Totals(built.level, built.counted, built.skipped, {shard: built.level})
        yield Piece("totals", built.name, shard, list(chain.from_iterable(totals.fields().items())))


def _sums(built: BuiltModel) -> Iterator[Piece]:
    """Yield the sums of all levels."""
    sums = built.sums
    for level in range(built.level, -1, -1):
        for start in range(0, len(sums), _SIZE):
            yield Piece("sums", built.name, level, [start, sums[start : start + _SIZE]])
        sums = fold(sums) if level else sums
