"""Read the outline of a saved diff."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from diffsync_store.diffs.outline.layout import (
    BLOCK,
    DIGESTS,
    ENTRY,
    TOTALS,
    bucket_count,
    bucket_name,
    depths_name,
    hash_of,
)
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.store.redis.diffs.outline import OutlineFields

_DIGEST_SIZE = 32


@dataclass(frozen=True)
class Total:
    """The number of operations of one model and action; of those that change an attribute, if it names one."""

    model: str
    action: str
    attribute: str
    operations: int
    pages: int
    """The pages of elements that have such an operation, as bits."""


@dataclass(frozen=True)
class Node:
    """An element in the tree of a diff."""

    position: int
    below: int
    """Elements below it."""


class Outline:
    """What is known about a saved diff without its elements. Threads may share it.

    It is data for pages, from when the diff was saved. What is decided or applied is always checked against the elements.
    """

    def __init__(self, diff: RedisDiff, fields: OutlineFields) -> None:
        self._diff = diff
        self._fields = fields
        self._read: dict[int, bytes] = {}
        """The depths of the elements of each block that was read."""

    def checksum(self) -> str:
        """Return the checksum that the diff had when it was saved.

        Afterwards the diff checks each page that it reads, as after `RedisDiff.checksum`.
        """
        [digests] = self._fields.read(DIGESTS)
        return self._diff.checksum_of(
            [digests[start : start + _DIGEST_SIZE] for start in range(0, len(digests), _DIGEST_SIZE)]
        )

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """The number of operations by model, action and attribute; an empty attribute stands for all."""
        [text] = self._fields.read(TOTALS)
        return tuple(
            Total(model, action, attribute, operations, int(pages, 16))
            for model, action, attribute, operations, pages in json.loads(text)
        )

    def pages(self, model: str = "", action: str = "", attribute: str = "", *, first: int = 0) -> Iterator[int]:
        """Yield the numbers of the pages, from `first` on, that have a matching operation. An empty text matches all."""
        bits = 0
        for total in self.totals:
            if total.attribute == attribute and model in {"", total.model} and action in {"", total.action}:
                bits |= total.pages
        bits >>= first
        while bits:
            skipped = (bits & -bits).bit_length()
            first += skipped
            bits >>= skipped
            yield first - 1

    def positions(self, model: str, unique_id: str) -> list[int]:
        """Return the positions of the elements that may be operations on an object, in rising order; nearly always exact."""
        elements, hashed = self._diff.record.elements, hash_of(model, unique_id)
        blocks = range(-(-elements // BLOCK))
        buckets = self._fields.read(*(bucket_name(at, hashed % bucket_count(elements, at)) for at in blocks))
        return [
            block * BLOCK + position
            for block, bucket in zip(blocks, buckets, strict=True)
            for found, position in ENTRY.iter_unpack(bucket)
            if found == hashed
        ]

    def children(self, parent: int | None = None, start: int = 0) -> Iterator[Node]:
        """Yield the elements directly below the one at a position, in the order of a sync.

        Args:
            parent: the position; None for the top of the diff.
            start: the position from which on to yield.
        """
        at, stop = (0, self._diff.record.elements) if parent is None else (parent + 1, self._end_of(parent))
        at = max(at, start)
        while at < stop:
            end = self._end_of(at)
            yield Node(at, end - at - 1)
            at = end

    def path(self, position: int) -> list[Node]:
        """Return the elements above the one at a position, outermost first, and itself."""
        depth = self._depths(position // BLOCK)[position % BLOCK]
        found = [position]
        for level in range(depth - 1, -1, -1):
            found.append(self._last_before(found[-1], level))
        return [Node(at, self._end_of(at) - at - 1) for at in reversed(found)]

    def _last_before(self, position: int, depth: int) -> int:
        """Return the last position before another one that has a depth."""
        block, stop = position // BLOCK, position % BLOCK
        while (at := self._depths(block).rfind(depth, 0, stop)) < 0 < block:
            block, stop = block - 1, BLOCK
        return block * BLOCK + max(at, 0)

    def _end_of(self, position: int) -> int:
        """Return the position after an element and all that is below it."""
        depth = self._depths(position // BLOCK)[position % BLOCK]
        at, elements = position + 1, self._diff.record.elements
        while at < elements:
            depths = self._depths(at // BLOCK)
            offset = at % BLOCK
            if depths[offset] <= depth:
                return at
            at = self._skip(depths, offset, depth) + at // BLOCK * BLOCK
        return elements

    @staticmethod
    def _skip(depths: bytes, offset: int, depth: int) -> int:
        """Return the next offset in a block with at most this depth; the length of the block if there is none."""
        found = (depths.find(level, offset) for level in range(depth + 1))
        return min((at for at in found if at >= 0), default=len(depths))

    def _depths(self, block: int) -> bytes:
        if block not in self._read:
            [self._read[block]] = self._fields.read(depths_name(block))
        return self._read[block]
