"""The records of a list, page by page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin

from diffsync_store.adapters.http import HttpClient, HttpError, failure_in
from diffsync_store.adapters.rest.settings import Paging
from diffsync_store.mapping.paths import compile_getter

Params = dict[str, Any]
_AFTER_THE_END = frozenset({400, 404, 416, 422})
"""Statuses by which APIs refuse a page after the last one."""


class Pages:
    """The records of one list. Pages with a number are requested several at a time, and come in order.

    Records that appear on two pages, because the list has shifted while it was read, come once. One thread iterates.

    Args:
        client: the client of the API.
        path: the path of the list.
        params: parameters of each request.
        paging: how the pages follow each other.
        items: the path of the records in an answer; empty if the answer is the list.
        id_of: the id of a record.
        at_once: how many pages are requested at the same time.
    """

    def __init__(
        self,
        client: HttpClient,
        path: str,
        params: Params,
        paging: Paging,
        items: str = "",
        *,
        id_of: Callable[[Mapping[str, Any]], Any],
        at_once: int = 4,
    ) -> None:
        self._client = client
        self._path = path
        self._params = params
        self._paging = paging
        self._items = items
        self._id_of = id_of
        self._at_once = at_once
        self._records_in = compile_getter(items) if items else None
        self._total_in = compile_getter(paging.total) if paging.total else None
        self._next_in = compile_getter(paging.next)
        self._more_in = compile_getter(paging.more) if paging.more else None
        self.totals: list[int] = []
        """How many records the list has, as the answers said, without repetition."""
        self.has_shifted = False
        """True if records came or went between two pages, so that some may be missing."""

    def __iter__(self) -> Iterator[Any]:
        seen: set[Any] = set()
        for page in self._by_number() if self._paging.kind in {"page", "offset"} else self._one_after_the_other():
            yield from self._new_ones(page, seen)

    def _new_ones(self, page: list[Any], seen: set[Any]) -> Iterator[Any]:
        """The records that no page before had.

        Raises:
            ValueError: two records of the page have one id.
        """
        here: dict[Any, Any] = {}
        for record in page:
            key = self._key(record)
            if key is None:
                yield record
            elif key in here and here[key] != record:
                raise ValueError(f"Two records of one page of {self._path!r} have the id {key!r}. Correct `id`.")
            elif key not in seen:
                here[key] = record
                seen.add(key)
                yield record

    # Pages with a number

    def _by_number(self) -> Iterator[list[Any]]:
        first = self._page(self._place(0, self._paging.size))
        yield first
        # An API may have a smaller limit for the size of a page than what was asked for.
        size = min(len(first), self._paging.size)
        if not first or (self.totals and self.totals[0] <= len(first) < self._paging.size):
            return
        # Each page begins with the last record of the page before. If it is another one, the list has shifted between two requests.
        overlap = 1 if self._paging.kind == "offset" and size > 1 else 0
        last = first[-1]
        for page in self._later(first, size - overlap, overlap):
            is_same = bool(page) and self._key(page[0], page[0]) == self._key(last, last)
            self.has_shifted = self.has_shifted or (overlap == 1 and not is_same)
            yield page[overlap:] if is_same else page
            last = page[-1] if page else last

    def _later(self, first: list[Any], step: int, overlap: int) -> Iterator[list[Any]]:
        """The pages after the first: those that the total promises, and more if the last of them is full: the total may be wrong."""
        before, number = first, 1
        if self.totals:
            number = -(-(self.totals[0] - overlap) // step)
            for before in self._several(range(1, number), step):
                yield before
            if len(before) < step + overlap:
                return
        # Without a total, only a page without new records is the end: the API may call a short page a page.
        while len(page := self._page_or_end(self._place(number, step))) > overlap:
            if self._keys(page) == self._keys(before):
                self._require_last(before, first)
                return
            yield page
            before, number = page, number + 1

    def _require_last(self, page: list[Any], first: list[Any]) -> None:
        """Check a page that comes again: an API may do so with its last one.

        Raises:
            ValueError: it is the first page, so that the API seems to have no other.
        """
        if page is first and not self.totals:
            place = self._paging.place_parameter
            raise ValueError(
                f"The second page of {self._path!r} is the first one again: the API ignores {place!r}. Correct `parameter` of `paging`; "
                "use `kind: none` if there are no pages, or `total` if the API repeats its last page."
            )

    def _several(self, numbers: range, step: int) -> Iterator[list[Any]]:
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="pages") as pool:
            rest = iter(numbers)
            waiting: deque[Future[list[Any]]] = deque()
            try:
                while True:
                    for _, number in zip(range(self._at_once - len(waiting)), rest, strict=False):
                        waiting.append(pool.submit(self._page, self._place(number, step)))
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _place(self, number: int, step: int) -> int:
        return self._paging.first + number if self._paging.kind == "page" else number * step

    def _page(self, place: int) -> list[Any]:
        params = self._params | self._size() | {self._paging.place_parameter: place}
        try:
            answer = self._client.get_json(self._path, params)
        except HttpError as error:
            if self._paging.kind == "page" and place > self._paging.first and error.response.status_code == 404:
                return []  # some APIs say so that the page before was the last one
            raise
        return self._records(answer)

    def _page_or_end(self, place: int) -> list[Any]:
        """A page that may be after the last one, which an API may refuse if it has given a total."""
        try:
            return self._page(place)
        except HttpError as error:
            if self.totals and error.response.status_code in _AFTER_THE_END:
                return []
            raise

    # Pages that name the next one

    def _one_after_the_other(self) -> Iterator[list[Any]]:
        path, params = self._path, self._params | (self._size() if self._paging.kind != "none" else {})
        seen: set[str | int] = set()
        while True:
            response = self._client.get(path, params)
            answer = self._client.json_of(response)
            yield self._records(answer)
            following = self._following(response, answer)
            if following in {None, "", False}:
                return
            if following in seen:
                raise ValueError(f"The links between the pages of {self._path!r} form a circle.")
            seen.add(following)
            if self._paging.kind == "cursor":
                params = self._params | self._size() | {self._paging.place_parameter: following}
            else:
                path, params = urljoin(str(response.request.url), str(following)), {}

    def _following(self, response: Any, answer: Any) -> str | int | None:
        """Return the cursor or the URL of the next page; empty on the last page."""
        kind = self._paging.kind
        if kind == "link":
            found: str | None = response.links.get("next", {}).get("url")
            return found
        if kind == "none" or not isinstance(answer, Mapping):
            return None
        if self._more_in is not None and not self._more_in(answer, None):
            return None
        following = self._next_in(answer, None)
        if isinstance(following, str | int | None):
            return following
        raise TypeError(
            f"`next: {self._paging.next}` is a {type(following).__name__} at {self._path!r}, not a cursor or a URL."
        )

    # Both

    def _key(self, record: Any, default: Any = None) -> Any:
        found = self._id_of(record) if isinstance(record, Mapping) else None
        if found is None:
            return default
        return found if isinstance(found, Hashable) else repr(found)

    def _keys(self, page: list[Any]) -> list[Any]:
        return [self._key(record, record) for record in page]

    def _size(self) -> Params:
        return {self._paging.size_parameter: self._paging.size} if self._paging.size_parameter else {}

    def _records(self, answer: Any) -> list[Any]:
        found = answer
        if self._records_in is not None:
            found = self._records_in(answer, None) if isinstance(answer, Mapping) else None
        if not isinstance(found, list):
            where = f"`items: {self._items}`" if self._items else "The answer"
            keys = f" The answer has {', '.join(map(str, answer))}." if isinstance(answer, Mapping) else ""
            raise TypeError(f"{where} is not a list of records at {self._path!r}, but {type(found).__name__}.{keys}")
        if isinstance(answer, Mapping):
            self._require_no_error(found, answer)
            self._note_total(len(found), answer)
        return found

    def _require_no_error(self, records: list[Any], answer: Mapping[str, Any]) -> None:
        """Check that a list is not empty because of an error, which some APIs answer with 200.

        Raises:
            ValueError: it is.
        """
        reason = failure_in(answer)
        if reason and not records:
            raise ValueError(f"The API answers {self._path!r} with no records and an error: {reason}")

    def _note_total(self, number: int, answer: Mapping[str, Any]) -> None:
        """Keep the total of an answer; one below the number of the page's records, such as -1, is none."""
        total = None if self._total_in is None else self._total_in(answer, None)
        if not isinstance(total, int) or isinstance(total, bool) or total < number:
            return
        if total not in self.totals:
            self.totals.append(total)
