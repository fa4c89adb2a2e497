"""Make the outline of a diff while its elements are saved or read."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

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
from diffsync_store.operation import Operation
from diffsync_store.values.codec import equal

_FIELDS = 64
"""Fields that are written together."""
_MAX_DEPTH = 255


class OutlineBuilder:
    """Takes the elements page by page. Its memory grows by the digests of the pages alone. For one thread.

    Args:
        write: writes fields of the outline.
    """

    def __init__(self, write: Callable[[Mapping[str, bytes]], None]) -> None:
        self._write = write
        self._digests = bytearray()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._pages: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._page = 0
        self._depths = bytearray()
        self._objects: list[tuple[int, int]] = []
        """Hash and position of each object in the block."""
        self._block = 0

    def add(self, operations: Iterable[Operation], digest: bytes) -> None:
        """Take the next page of elements, and its digest."""
        of_page: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
        for operation in operations:
            if len(self._depths) == BLOCK:
                self._end_block()
            if operation.action is not None:
                of_page[operation.model, operation.action, changed_attributes(operation)] += 1
                if operation.unique_id:
                    self._objects.append((hash_of(operation.model, operation.unique_id), len(self._depths)))
            self._depths.append(min(len(operation.parents), _MAX_DEPTH))
        self._count(of_page)
        self._digests += digest
        self._page += 1

    def finish(self) -> None:
        """Write what is left."""
        self._end_block()
        totals = [[*key, count, f"{self._pages[key]:x}"] for key, count in self._counts.items()]
        self._write({DIGESTS: bytes(self._digests), TOTALS: json.dumps(totals).encode()})

    def _count(self, of_page: Counter[tuple[str, str, tuple[str, ...]]]) -> None:
        for (model, action, attributes), count in of_page.items():
            for attribute in ("", *attributes):
                key = model, action, attribute
                self._counts[key] += count
                self._pages[key] |= 1 << self._page

    def _end_block(self) -> None:
        elements = self._block * BLOCK + len(self._depths)
        self._write({depths_name(self._block): bytes(self._depths)})
        buckets = [bytearray() for _ in range(bucket_count(elements, self._block))]
        for hashed, position in self._objects:
            buckets[hashed % len(buckets)] += ENTRY.pack(hashed, position)
        numbered = enumerate(buckets)
        while some := list(islice(numbered, _FIELDS)):
            self._write({bucket_name(self._block, number): bytes(bucket) for number, bucket in some})
        self._block += 1
        self._depths.clear()
        self._objects.clear()


def changed_attributes(operation: Operation) -> tuple[str, ...]:
    """Return the names of the attributes that `Operation.changes` has, without the cost of an element."""
    source, target = operation.source, operation.target
    if source is None or target is None:
        return tuple((target or ()) if source is None else source)
    if operation.exact:  # the values that count are not those in readable form
        return tuple(operation.changes().get("+", ()))
    equal_ones = operation.equal
    return tuple(
        name
        for name, old in target.items()
        if name in source and name not in equal_ones and not equal(source[name], old)
    )
