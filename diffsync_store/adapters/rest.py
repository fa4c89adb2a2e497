"""RestAdapter: JSON APIs over HTTP.

`from` of a model is a path below the API's `url`, such as `dcim/devices/`. What the lists of an API look like is said once, in the
settings: where the records are in an answer, how the next page is found, how a record is created, changed and deleted.

    settings: {url: "${API}", token: "${TOKEN}", items: results, paging: {kind: offset, size: 500, total: count}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from diffsync_store.adapters.http import HttpClient, HttpError, HttpSettings, explained
from diffsync_store.adapters.mapped import Answer, Change, MappedAdapter
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping.paths import Record, compile_getter
from diffsync_store.mapping.records import Mapper, RecordMapping


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paging(_Closed):
    """How the records of a list come in pages."""

    kind: Literal["none", "page", "offset", "cursor", "link"] = "none"
    """`page`: numbers from `first` on; `offset`: records to leave out; `cursor`: a token or link in the answer; `link`: the
    header `Link: <…>; rel="next"`."""
    size: int = Field(default=200, ge=1)
    """Records of a page."""
    size_parameter: str = "limit"
    parameter: str = ""
    """The parameter of the page, the offset or the cursor; `page`, `offset`, `cursor` by default."""
    first: int = 1
    """The number of the first page."""
    next: str = "next"
    """The path of the next cursor in an answer, or of the next link."""
    total: str = ""
    """The path of the number of all records in an answer; the load then knows whether it has them all."""


class Writing(_Closed):
    """How records are written."""

    create: Literal["POST", "PUT"] = "POST"
    update: Literal["PATCH", "PUT"] = "PATCH"
    path: str = "{path}{id}/"
    """The path of one record: `{path}` is the path of the list, `{id}` the record's id."""
    bulk: bool = False
    """Lists of records are taken in one request, at the path of the list."""
    if_match: bool = False
    """Send the record's ETag as `If-Match`, where it has one: a record that was changed meanwhile is refused."""


class RestSettings(HttpSettings):
    """How an API is reached, read and written."""

    items: str = ""
    """The path of the records in the answer of a list; by default the answer is the list."""
    id: str = "id"
    """The key of a record under which its id is."""
    paging: Paging = Paging()
    writing: Writing = Writing()


class RestRecords(RecordMapping):
    """How the records of a model are found in an API."""

    params: dict[str, Any] = {}
    """Parameters of each request for the list, such as a filter: what does not fit it is as if it were not there."""


class RestAdapter(MappedAdapter):
    """Reads and writes a JSON API. One thread loads; several may write."""

    Settings = RestSettings
    Records = RestRecords
    settings: RestSettings
    id_key: ClassVar[str] = "$id"

    # The connection

    def open(self) -> None:
        """Make the client."""
        _ = self.client

    def close(self) -> None:
        """Close the connections."""
        if "_client" in vars(self):
            self._client.close()
            del self._client

    @property
    def client(self) -> HttpClient:
        """The client of the API."""
        if "_client" not in vars(self):
            self._client = HttpClient(self.settings)
        return self._client

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        pages = _Pages(self, mapper)
        for record in pages:
            yield self._with_id(record)
        pages.check()

    def path_of(self, mapper: Mapper) -> str:
        """The path of a model's list."""
        return mapper.mapping.source or f"{mapper.model._modelname}/"

    def params_of(self, mapper: Mapper) -> dict[str, Any]:
        """The parameters of a request for the list."""
        return dict(mapper.mapping.params) if isinstance(mapper.mapping, RestRecords) else {}

    def _with_id(self, record: Mapping[str, Any]) -> Record:
        return {**record, self.id_key: record.get(self.settings.id)}

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        wanted = {"__".join(str(ids[name]) for name in mapper.model._identifiers) for ids in identifiers}
        found = {}
        for record in self.read_some(mapper, identifiers):
            key = mapper.key_of(record)
            if key in wanted:
                found[key] = record
        return [found.get("__".join(str(ids[name]) for name in mapper.model._identifiers)) for ids in identifiers]

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        """Records among which those with these identifiers are; a subclass whose API has filters asks for less than all."""
        return map(self._with_id, _Pages(self, mapper))

    # Writing

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        writing, path = self.settings.writing, self.path_of(mapper)
        if writing.bulk and len(payloads) > 1:
            return self._in_bulk(writing.create, path, list(payloads), ObjectNotCreated, self._ids_in_order)
        return [
            self._alone(lambda payload=payload: self._created(path, payload), ObjectNotCreated) for payload in payloads
        ]

    def _created(self, path: str, payload: dict[str, Any]) -> JsonValue:
        answer = self.client.send(self.settings.writing.create, path, body=payload).json()
        found: JsonValue = answer.get(self.settings.id) if isinstance(answer, Mapping) else None
        return found

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        writing, path = self.settings.writing, self.path_of(mapper)
        if writing.bulk and len(changes) > 1:
            bodies = [{**change.payload, self.settings.id: change.key} for change in changes]
            return self._in_bulk(writing.update, path, bodies, ObjectNotUpdated, self._present)
        return [self._alone(lambda change=change: self._updated(path, change), ObjectNotUpdated) for change in changes]

    def _updated(self, path: str, change: Change) -> None:
        one = self._path_of_one(path, change)
        self.client.send(self.settings.writing.update, one, body=change.payload, headers=self._if_match(one))

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        path = self.path_of(mapper)
        if self.settings.writing.bulk and len(changes) > 1:
            bodies = [{self.settings.id: change.key} for change in changes]
            return self._in_bulk("DELETE", path, bodies, ObjectNotDeleted, lambda bodies, _: [None] * len(bodies))
        return [self._alone(lambda change=change: self._deleted(path, change), ObjectNotDeleted) for change in changes]

    def _deleted(self, path: str, change: Change) -> None:
        try:
            self.client.send("DELETE", self._path_of_one(path, change))
        except HttpError as error:
            if error.response.status_code not in {404, 410}:  # it is gone already
                raise

    def _path_of_one(self, path: str, change: Change) -> str:
        return self.settings.writing.path.format_map({"path": path, "id": change.key})

    def _if_match(self, path: str) -> dict[str, str]:
        if not self.settings.writing.if_match:
            return {}
        tag = self.client.get(path).headers.get("ETag")
        return {"If-Match": tag} if tag else {}

    def _alone(self, call: Any, refused: type[Exception]) -> Answer:
        try:
            return call()
        except HttpError as error:
            if _is_of_record(error):
                return refused(str(error))
            raise

    def _in_bulk(
        self, method: str, path: str, bodies: list[dict[str, Any]], refused: type[Exception], read: Any
    ) -> list[Answer]:
        """Send records in one request; those that the API names as bad are refused, and the rest is sent again without them."""
        answers: list[Answer] = [None] * len(bodies)
        numbers = list(range(len(bodies)))
        while numbers:
            sent = [bodies[number] for number in numbers]
            try:
                response = self.client.send(method, path, body=sent)
            except HttpError as error:
                bad = _errors_by_record(error, len(sent)) if _is_of_record(error) else None
                if not bad:
                    raise  # nothing was done, and nobody knows which record it is about
                for place, reason in bad.items():
                    answers[numbers[place]] = refused(reason)
                numbers = [number for place, number in enumerate(numbers) if place not in bad]
                continue
            for number, answer in zip(numbers, read(sent, response), strict=True):
                answers[number] = answer
            return answers
        return answers

    def _ids_in_order(self, bodies: list[dict[str, Any]], response: Any) -> list[Answer]:
        """The ids of created records: the API answers in the order of the request, or says which is which by their values."""
        made = response.json()
        if not isinstance(made, list) or len(made) != len(bodies):
            raise ValueError(f"The API has answered a request for {len(bodies)} records with {len(made)}.")
        if all(_fits(body, record) for body, record in zip(bodies, made, strict=True)):
            return [record.get(self.settings.id) for record in made]
        found: list[Answer] = []
        for body in bodies:
            record = next((record for record in made if _fits(body, record)), None)
            found.append(
                ObjectNotCreated("The answer does not say which record it is.")
                if record is None
                else record.get(self.settings.id)
            )
        return found

    def _present(self, bodies: list[dict[str, Any]], response: Any) -> list[Answer]:
        """Whether the API has changed each record: it leaves out those that are gone, and answers in an order of its own."""
        ids = {record.get(self.settings.id) for record in response.json()}
        return [None if body[self.settings.id] in ids else ObjectNotUpdated("The record is gone.") for body in bodies]


class _Pages:
    """The records of a list, page by page, some pages at once where they can be asked for by number."""

    def __init__(self, adapter: RestAdapter, mapper: Mapper) -> None:
        self._adapter = adapter
        self._mapper = mapper
        self._paging = adapter.settings.paging
        self._items = compile_getter(adapter.settings.items) if adapter.settings.items else None
        self._total = compile_getter(self._paging.total) if self._paging.total else None
        self._next = compile_getter(self._paging.next)
        self.totals: set[int] = set()
        """The numbers of all records that the answers have named."""
        self.number = 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        kind = self._paging.kind
        pages = self._by_number() if kind in {"page", "offset"} else self._by_link()
        for page in pages:
            self.number += len(page)
            yield from page

    def check(self) -> None:
        """Say how many records there are; the load is partial where they changed while they were read."""
        if not self.totals:
            return
        if len(self.totals) > 1:
            numbers = " then ".join(map(str, sorted(self.totals)))
            self._adapter.incomplete(
                self._mapper.model, f"The API had {numbers} records while the pages were read. Load again."
            )
        self._adapter.expect(self._mapper.model, max(self.totals), at_least=True)

    def _by_number(self) -> Iterator[list[Any]]:
        first, answer = self._page(0)
        yield first
        total = self._total(answer, None) if self._total is not None and isinstance(answer, Mapping) else None
        if isinstance(total, int):
            yield from self._at_once(range(1, -(-total // self._paging.size)))
            return
        number = 1
        while len(first) >= self._paging.size:
            first, _ = self._page(number)
            number += 1
            if first:
                yield first

    def _at_once(self, numbers: range) -> Iterator[list[Any]]:
        ahead = self._adapter.settings.concurrency
        with ThreadPoolExecutor(ahead, thread_name_prefix="pages") as pool:
            waiting = [pool.submit(self._page, number) for number in numbers[:ahead]]
            rest = iter(numbers[ahead:])
            try:
                while waiting:
                    page, _ = waiting.pop(0).result()
                    with suppress(StopIteration):
                        waiting.append(pool.submit(self._page, next(rest)))
                    yield page
            finally:
                for future in waiting:
                    future.cancel()

    def _page(self, number: int) -> tuple[list[Any], Any]:
        paging = self._paging
        place = paging.first + number if paging.kind == "page" else number * paging.size
        params = {paging.size_parameter: paging.size, paging.parameter or paging.kind: place}
        answer = self._adapter.client.get(self._path, self._params | params).json()
        return self._records(answer), answer

    def _by_link(self) -> Iterator[list[Any]]:
        paging = self._paging
        path: str | None = self._path
        params: dict[str, Any] | None = self._params | (
            {paging.size_parameter: paging.size} if paging.kind != "none" else {}
        )
        seen = set()
        while path is not None:
            response = self._adapter.client.get(path, params)
            answer = response.json()
            yield self._records(answer)
            path, params = self._following(response, answer, params)
            if (path, str(params)) in seen:
                raise ValueError(f"The API leads from page to page in a circle: {path}.")
            seen.add((path, str(params)))

    def _following(
        self, response: Any, answer: Any, params: dict[str, Any] | None
    ) -> tuple[str | None, dict[str, Any] | None]:
        paging = self._paging
        if paging.kind == "link":
            return response.links.get("next", {}).get("url"), None
        if paging.kind != "cursor" or not isinstance(answer, Mapping):
            return None, None
        following = self._next(answer, None)
        if not following:
            return None, None
        if isinstance(following, str) and following.startswith(("http://", "https://", "/")):
            return following, None
        return self._path, {**self._params, paging.size_parameter: paging.size, paging.parameter or "cursor": following}

    def _records(self, answer: Any) -> list[Any]:
        if self._total is not None and isinstance(answer, Mapping):
            total = self._total(answer, None)
            if isinstance(total, int):
                self.totals.add(total)
        found = self._items(answer, None) if self._items is not None else answer
        if not isinstance(found, list):
            where = f"`items: {self._adapter.settings.items}`" if self._items is not None else "The answer"
            raise TypeError(f"{where} is not a list of records at {self._path!r}, but {type(found).__name__}.")
        return found

    @property
    def _path(self) -> str:
        return self._adapter.path_of(self._mapper)

    @property
    def _params(self) -> dict[str, Any]:
        return self._adapter.params_of(self._mapper)


def _is_of_record(error: HttpError) -> bool:
    """True if an API refuses a record, and not the caller: 400, 404, 409, 412, 422."""
    return error.response.status_code in {400, 404, 409, 410, 412, 422}


def _errors_by_record(error: HttpError, number: int) -> dict[int, str]:
    """Reasons by the places of the bad records, where the answer is a list with an item for each record."""
    details = error.details
    if not isinstance(details, list) or len(details) != number:
        return {}
    return {place: explained(found) for place, found in enumerate(details) if found}


def _fits(body: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a record of an answer has the plain values that were sent."""
    return all(
        str(record.get(key)) == str(value)
        for key, value in body.items()
        if isinstance(value, str) and isinstance(record.get(key), str)
    )
