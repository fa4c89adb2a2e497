"""A JSON API on 127.0.0.1 with one list of devices: paging of each kind, single and bulk writes, ETags.

with JsonApi({"name": "a"}, {"name": "b"}, total="count") as api:
    httpx.get(f"{api.url}/devices/")
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.http_service import Answer, Failure, HttpService, Request

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
BAD = "bad"
"""A record whose name begins with this is refused."""


class JsonApi(HttpService):
    """Its list is at `devices/`; a record is at `devices/ID/`.

    Args:
        records: the devices; their ids are 1, 2, …
        items: the key of the list in an answer; empty if the answer is the list.
        total: the key of the number of all records in an answer; empty if it is not said.
        paging: the kind of paging, as in the settings of the adapter.
        largest_page: the API's own limit for the size of a page.
        bulk: whether lists are written in one request.
        names_bad: whether a refused list is answered with an error for each record, in order.
        drops: keys that are dropped without an error.
        described: what `OPTIONS` says of the fields, as in Django REST Framework; without it, `OPTIONS` is refused.
        openapi: the document at `openapi.json`.
        failures: as for HttpService.
    """

    def __init__(
        self,
        *records: Mapping[str, Any],
        items: str = "results",
        total: str = "count",
        paging: str = "offset",
        largest_page: int = 1000,
        bulk: bool = True,
        names_bad: bool = True,
        drops: Sequence[str] = (),
        described: Mapping[str, Any] | None = None,
        openapi: Mapping[str, Any] | None = None,
        failures: Sequence[Failure] = (),
    ) -> None:
        super().__init__(failures=failures)
        self.records: dict[int, dict[str, Any]] = {}
        self.versions: dict[int, int] = {}
        self.items = items
        self.total = total
        self.paging = paging
        self.largest_page = largest_page
        self.bulk = bulk
        self.names_bad = names_bad
        self.drops = drops
        self.described = described
        self.openapi = openapi
        self.before: Callable[[Request], object] = lambda _: None
        """Called before each request is answered, to change the records meanwhile."""
        self._lock = threading.Lock()
        self._last_id = 0
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> dict[str, Any]:
        self._last_id += 1
        made = {"id": self._last_id, **{key: value for key, value in record.items() if key not in self.drops}}
        self.records[self._last_id] = made
        self.versions[self._last_id] = 1
        return made

    @property
    def names(self) -> list[str]:
        return sorted(record["name"] for record in self.records.values())

    def writes(self) -> list[tuple[str, Any]]:
        """Method and body of each request that changes something."""
        return [(each.method, json.loads(each.body or b"null")) for each in self.received if each.method not in _READS]

    def respond(self, request: Request) -> Answer:
        with self._lock:
            self.before(request)
            parts = urlsplit(request.path)
            query = parse_qs(parts.query)
            _, place, *rest = [unquote(part) for part in parts.path.split("/")]
            if place == "openapi.json" and self.openapi is not None:
                return _json(self.openapi)
            if place != "devices":
                return _json({"detail": "Not found."}, 404)
            if request.method == "OPTIONS":
                return _json({"actions": {"POST": self.described}}) if self.described else _json({}, 405)
            if rest and rest[0]:
                return self._single(request, rest[0])
            return self._page(query, parts.path) if request.method == "GET" else self._write_list(request)

    # Reading

    def _page(self, wanted: Mapping[str, list[str]], path: str) -> Answer:
        query = {name: values[-1] for name, values in wanted.items()}
        found = [
            record
            for record in self.records.values()
            if all(str(record.get(key)) in values for key, values in wanted.items() if key in {"name", "site"})
        ]
        size = min(int(query.get("limit", self.largest_page)), self.largest_page)
        start = int(query.get("after", 0))
        if self.paging == "page":
            start = (int(query.get("page", 1)) - 1) * size
        if self.paging == "offset":
            start = int(query.get("offset", 0))
        page = found if self.paging == "none" else found[start : start + size]
        is_last = start + size >= len(found)
        headers = {}
        answer: Any = page
        if self.items:
            answer = {self.items: page, **({self.total: len(found)} if self.total else {})}
            if self.paging == "cursor" and not is_last:
                answer["next"] = str(start + size)
            if self.paging == "next":
                answer["next"] = None if is_last else f"?limit={size}&after={start + size}"
        if self.paging == "link" and not is_last:
            headers = {"Link": f'<{self.url}{path}?limit={size}&after={start + size}>; rel="next"'}
        return _json(answer, headers=headers)

    # Writing

    def _write_list(self, request: Request) -> Answer:
        given = json.loads(request.body)
        if isinstance(given, dict):
            return self._create([given], alone=True)
        if not self.bulk:
            return _json({"detail": "Expected one record."}, 400)
        if request.method == "POST":
            return self._create(given, alone=False)
        known = [item for item in given if item["id"] in self.records]
        errors = [self._fault(item) for item in given]
        if any(errors):
            return self._refused(errors)
        if request.method == "DELETE":
            for item in known:
                del self.records[item["id"]]
            return Answer(204)
        return _json([self._change(item["id"], item) for item in reversed(known)])  # in an order of its own

    def _create(self, given: list[dict[str, Any]], *, alone: bool) -> Answer:
        errors = [self._fault(item) for item in given]
        if any(errors):
            return _json(errors[0], 400) if alone else self._refused(errors)
        made = [self.add(item) for item in given]
        headers = {"Location": f"{self.url}/devices/{made[0]['id']}/"}
        return _json(made[0], 201, headers) if alone else _json(made, 201)

    def _fault(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return (
            {"name": ["This name is refused."]}
            if str(item.get("name", "")).startswith(BAD) or item.get("site") == BAD
            else {}
        )

    def _refused(self, errors: list[dict[str, Any]]) -> Answer:
        return _json(errors if self.names_bad else {"detail": "One of the records is refused."}, 400)

    def _single(self, request: Request, name: str) -> Answer:
        number = int(name) if name.isdigit() else 0
        if number not in self.records:
            return _json({"detail": "Not found."}, 404)
        tag = f'"{self.versions[number]}"'
        if request.headers.get("if-match", tag) != tag:
            return _json({"detail": "The record has changed."}, 412)
        if request.method == "DELETE":
            del self.records[number]
            return Answer(204)
        if request.method in {"PATCH", "PUT"}:
            given = json.loads(request.body)
            if fault := self._fault(given):
                return _json(fault, 400)
            self._change(number, given)
        return _json(self.records[number], headers={"ETag": f'"{self.versions[number]}"'})

    def _change(self, number: int, given: Mapping[str, Any]) -> dict[str, Any]:
        self.records[number] |= {key: value for key, value in given.items() if key not in self.drops}
        self.versions[number] += 1
        return self.records[number]


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode())
