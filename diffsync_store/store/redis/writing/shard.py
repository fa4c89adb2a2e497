"""The shard of a load that one writer writes: its order, and its index in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import Struct, pack
from typing import Any

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.store.index.format import MAX_TEXT, encode_all_uids, fits
from diffsync_store.store.index.shard_index import ShardIndex
from diffsync_store.store.redis.writing.batch import Batch
from diffsync_store.store.redis.writing.page import pack_page

_POSITIONS = 1 << 40
"""Positions of one shard. Those from 2^52 on, of the shard 4,096, are of objects that were added outside of a load."""


_POSITION = Struct("8s")

_SHORT = MAX_TEXT // 4
"""Characters that fit in any case."""


class Shard:
    """One shard, from its beginning until its index is written. The store's lock guards it.

    While it is open, nobody else writes to the store but the writers of other shards: the writer knows all unique ids of the shard,
    and adds need no check. Once another writer has come it is closed; what is written from then on is not in the index, and the
    store notes that it was touched.
    """

    def __init__(self, number: int = 0, shards: int = 1) -> None:
        self.number = number
        self.shards = shards
        """Number of declared shards of the load."""
        self.twice: set[tuple[str, str]] = set()
        """Model and unique id of the objects that another shard had loaded before this one."""
        self.is_open = True
        self.index = ShardIndex()
        self._position = number * _POSITIONS + 1
        self._pages: dict[tuple[int, str], int] = {}
        """Number of pages by partition and model."""

    def takes(self, batch: Batch) -> bool:
        """Whether the batch can be a part of the shard. It is closed if a page has no room for a unique id.

        Raises:
            ObjectStoreException: so it is, and the shard is one of several: nothing can be written outside of them.
        """
        if batch.kind == "adds" and not _fit(batch.uids):
            if self.shards > 1:
                raise ObjectStoreException(
                    f"A unique id of a {batch.model} has more than {MAX_TEXT:,} bytes, which a load in shards cannot store. Shorten "
                    "its identifiers, or load without shards."
                )
            self.is_open = False
        return self.is_open

    def arguments(self, batch: Batch, values: Sequence[bytes]) -> list[Any]:
        """Return the arguments for a batch: number and content of the page, unique ids, values; the same each time."""
        uids = encode_all_uids(batch.uids)
        if batch.kind == "deletes":
            return ["", "", *uids]
        if batch.kind != "adds":
            return ["", "", *chain.from_iterable(zip(uids, values, strict=True))]
        first = self._place(batch)
        places = batch.places if batch.whole else range(len(uids))
        positions = _POSITION.iter_unpack(pack(f">{len(places)}Q", *map(first.__add__, places)))
        placed = map(bytes.__add__, chain.from_iterable(positions), values)
        items = chain.from_iterable(zip(uids, placed, strict=True))
        return [batch.page, pack_page(first, uids, batch.places if batch.whole else None), *items]

    def _place(self, batch: Batch) -> int:
        """Give the batch positions and a page, and return the position of the first object of the whole batch.

        An interrupt between two lines leaves no gap between pages.
        """
        whole, of_pages = batch.whole or batch, (batch.partition, batch.model)
        if batch.page is None:
            whole.first = whole.first or self._position
            batch.page = self._pages.get(of_pages, 0)
        self._position = max(self._position, whole.first + len(whole.uids))
        self._pages[of_pages] = max(self._pages.get(of_pages, 0), batch.page + 1)
        return whole.first

    def note_written(self, batch: Batch) -> None:
        """Update the index after a batch was written. It may be noted again, before the next one."""
        index, model = self.index, batch.model
        if batch.kind == "deletes":
            for uid in batch.uids:
                index.remove(model, uid)
        else:
            index.add_all(model, batch.uids, batch.digests, batch.children)


def _fit(uids: Sequence[str]) -> bool:
    """Whether a page has room for these ids."""
    return max(map(len, uids), default=0) <= _SHORT or fits(*encode_all_uids(uids))
