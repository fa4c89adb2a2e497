"""Reads a list by ranges of ids, some at once.

A page by offset shifts when a record before it is deleted, so that another one is missed. A page that begins at an id does not, and
costs the same at the end of a long list as at its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

from diffsync_store.adapters.netbox.client import NetBoxClient

Page = list[dict[str, Any]]
IdRange = tuple[int, int | None]
"""The first id, and the id after the last one; None for an open range."""

WITH_CURSOR = (4, 6)
"""The first version with pages that begin at an id; before, a filter by id does the same."""


class RecordList:
    """The records of a list in the order of their ids. One thread reads.

    Args:
        client: the client of the NetBox.
        path: the path of the list.
        params: parameters of each request.
        size: records of a page.
    """

    def __init__(self, client: NetBoxClient, path: str, params: Mapping[str, Any], *, size: int) -> None:
        self._client = client
        self._path = path
        self._params = params
        self._size = size

    @property
    def count(self) -> int:
        """Return how many records the list had when this was first asked."""
        return int(self._head["count"])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page in self._pages((0, None)):
            yield from page

    def pages(self, at_once: int) -> Iterator[Page]:
        """Yield the records page by page; `at_once` pages are requested at the same time."""
        ranges = self._ranges()
        if len(ranges) == 1:
            yield from self._pages(ranges[0])
            return
        with ThreadPoolExecutor(at_once, thread_name_prefix="pages") as pool:
            waiting: list[Future[Page]] = []
            try:
                for ids in ranges:
                    waiting.append(pool.submit(self._read, ids))
                    if len(waiting) >= at_once:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                for future in waiting:
                    future.cancel()

    def _ranges(self) -> list[IdRange]:
        """Ranges with about a page of records each; the last is open, for records that are new."""
        last = self._head["results"][0]["id"] if self._head["results"] else 0
        number = max(1, -(-self.count // self._size))
        width = -(-(last + 1) // number)
        starts = range(0, width * number, width)
        return list(zip(starts, [*starts[1:], None], strict=True))

    @cached_property
    def _head(self) -> dict[str, Any]:
        """Return the number of records, and the last one."""
        params = {**self._params, "fields": "id", "ordering": "-id", "limit": 1}
        found: dict[str, Any] = self._client.get_json(self._path, params)
        return found

    def _read(self, ids: IdRange) -> Page:
        return [record for page in self._pages(ids) for record in page]

    def _pages(self, ids: IdRange) -> Iterator[Page]:
        start, end = ids
        until = {} if end is None else {"id__lt": end}
        while end is None or start < end:
            params = {**self._params, **until, **self._from(start), "limit": self._size}
            answer = self._client.get_json(self._path, params)
            page = answer["results"]
            if page and page[0]["id"] < start:
                raise ValueError(f"NetBox cannot read {self._path!r} by ranges of ids.")
            yield [record for record in page if end is None or record["id"] < end]
            if answer.get("next") is None or not page:
                return
            start = page[-1]["id"] + 1

    def _from(self, start: int) -> dict[str, Any]:
        if self._client.version >= WITH_CURSOR:
            return {"start": start}
        return {"id__gte": start, "ordering": "id"}
