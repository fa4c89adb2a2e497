"""The part of NetBox 4.6 that its adapter meets, in memory on 127.0.0.1, for tests where no NetBox is installed.

with NetBoxApi() as api, api.client() as client:
    client.post("dcim/manufacturers/", json={"name": "Acme", "slug": "acme"})
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from tests.http_service import Answer, HttpService, Request

TOKEN = "0123456789abcdef0123456789abcdef01234567"
CHOICES = {"passive": "Passive", "front-to-rear": "Front to rear", "kg": "Kilograms", "lb": "Pounds"}
_TAGS = {"managed": 1, "other": 2}
_OF_PAGES = frozenset({"fields", "limit", "start", "offset", "ordering", "format"})

Fields = dict[str, Any]
Errors = dict[str, list[str]]


class List(NamedTuple):
    """A list of records."""

    blank: Fields
    """The value of each optional field that is not given."""
    unique: Sequence[Sequence[str]]
    """Fields that no two records have together; they are required."""
    choices: frozenset[str] = frozenset()
    parent: str = ""
    """The field with the id of a record of the list before."""


LISTS = {
    "dcim/manufacturers": List({"description": "", "tags": [], "custom_fields": {}}, [("name",), ("slug",)]),
    "dcim/device-types": List(
        {"part_number": "", "u_height": 1.0, "airflow": None, "weight": None, "weight_unit": None},
        [("manufacturer", "model"), ("manufacturer", "slug")],
        frozenset({"airflow", "weight_unit"}),
        "manufacturer",
    ),
}
_PARENTS, _CHILDREN = LISTS


class Refused(Exception):
    """A request that NetBox refuses."""

    def __init__(self, status: int, content: Any) -> None:
        super().__init__(status, content)
        self.answer = _json(content, status)


class NetBoxApi(HttpService):
    """Manufacturers and their device types. Threads share it; requests are answered one after the other."""

    token = TOKEN

    def __init__(self) -> None:
        super().__init__()
        self.url += "/api/"
        self.version = "4.6.8"
        self.denied: set[str] = set()
        """Methods that the user of the token has no right to."""
        self.before: Callable[[Request], object] = lambda _: None
        """Called before each request is answered, to change the records meanwhile."""
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Delete all records."""
        self.lists: dict[str, dict[int, Fields]] = {path: {} for path in LISTS}
        self._versions: dict[int, int] = {}
        self._last_id = 0

    def client(self) -> httpx.Client:
        """A client beside the adapter under test, to prepare and to look."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Token {TOKEN}"}, timeout=200)

    def respond(self, request: Request) -> Answer:
        with self._lock:
            self.before(request)
            try:
                return self._answer(request)
            except Refused as refused:
                return refused.answer

    def _answer(self, request: Request) -> Answer:
        parts = urlsplit(request.path)
        path = parts.path.removeprefix("/api/").strip("/")
        if request.headers.get("authorization") != f"Token {TOKEN}":
            raise Refused(403, {"detail": "Invalid token"})
        if path == "status":
            return _json({"netbox-version": self.version})
        head, _, last = path.rpartition("/")
        records = self.lists.get(path, self.lists.get(head))
        if records is None or (path not in LISTS and not last.isdigit()):
            return Answer(404, {"Content-Type": "text/html"}, b"<html>Page not found</html>")
        if request.method == "OPTIONS":
            return _json({"actions": {} if "POST" in self.denied else {"POST": {}}})
        if request.method in self.denied:
            raise Refused(403, {"detail": "You do not have permission to perform this action."})
        if path not in LISTS:
            return self._single(request, head, int(last))
        if request.method == "GET":
            return self._page(path, parse_qs(parts.query))
        return self._write(request.method, path, json.loads(request.body))

    # Reading

    def _page(self, path: str, query: Mapping[str, list[str]]) -> Answer:
        found = [record for record in self.lists[path].values() if _is_wanted(record, query)]
        count, size = len(found), int(query.get("limit", ["50"])[0])
        if "start" in query:  # pages that begin at an id have no number of all records
            start, rest = int(query["start"][0]), None
            found = [record for record in found if record["id"] >= start]
            if len(found) > size:
                rest = self._link(path, query, start=found[size]["id"])
            return _json({"count": None, "next": rest, "results": self._shown(path, found[:size], query)})
        offset = int(query.get("offset", ["0"])[0])
        if query.get("ordering") == ["-id"]:
            found.reverse()
        rest = self._link(path, query, offset=offset + size) if offset + size < count else None
        page = self._shown(path, found[offset : offset + size], query)
        return _json({"count": count, "next": rest, "results": page})

    def _link(self, path: str, query: Mapping[str, list[str]], **place: int) -> str:
        return f"{self.url}{path}/?{urlencode({**query, **place}, doseq=True)}"

    def _shown(self, path: str, records: Sequence[Fields], query: Mapping[str, list[str]]) -> list[Fields]:
        names = set(",".join(query.get("fields", [])).split(",")) - {""}
        shown = [self._nested(path, record) for record in records]
        return [{key: value for key, value in each.items() if not names or key in names} for each in shown]

    def _nested(self, path: str, record: Fields) -> Fields:
        shown = dict(record)
        for name in LISTS[path].choices:
            shown[name] = {"value": record[name], "label": CHOICES[record[name]]} if record[name] else None
        if parent := LISTS[path].parent:
            above = self.lists[_PARENTS][record[parent]]
            shown[parent] = {key: above[key] for key in ("id", "name", "slug")}
        if "tags" in record:
            shown["tags"] = [
                {"id": _TAGS[tag], "name": tag.title(), "slug": tag, "color": "9e9e9e"} for tag in record["tags"]
            ]
        return shown

    # Writing

    def _write(self, method: str, path: str, body: Any) -> Answer:
        given = body if isinstance(body, list) else [body]
        if method == "POST":
            made = self._create(path, given, alone=not isinstance(body, list))
            return _json(made if isinstance(body, list) else made[0], 201)
        known = [item for item in given if item["id"] in self.lists[path]]  # those that are gone are skipped
        if method == "PATCH":
            return _json([self._change(path, item["id"], item) for item in self._checked(path, known)])
        self._delete(path, [item["id"] for item in known])
        return Answer(204)

    def _create(self, path: str, given: Sequence[Fields], *, alone: bool) -> list[Fields]:
        wanted = [{**LISTS[path].blank, **item} for item in given]
        errors = [self._errors(path, item) for item in wanted]
        if any(errors):
            raise Refused(400, errors[0] if alone else errors)
        formed = [self._formed(path, item) for item in wanted]
        if any(
            _key(item, names) == _key(other, names) for item, other in _pairs(formed) for names in LISTS[path].unique
        ):
            raise Refused(
                500, {"error": "duplicate key value violates unique constraint", "exception": "IntegrityError"}
            )
        return [self._add(path, item) for item in formed]

    def _add(self, path: str, item: Fields) -> Fields:
        self._last_id += 1
        self.lists[path][self._last_id] = {"id": self._last_id, **item}
        self._versions[self._last_id] = 1
        return self._nested(path, self.lists[path][self._last_id])

    def _checked(self, path: str, given: Sequence[Fields]) -> Sequence[Fields]:
        """Changes, all of them good: of a list, NetBox names the first error and no record."""
        for item in given:
            if errors := self._errors(path, {**self.lists[path][item["id"]], **item}):
                raise Refused(400, errors)
        return given

    def _change(self, path: str, number: int, item: Fields) -> Fields:
        record = self.lists[path][number]
        custom = {**record.get("custom_fields", {}), **item.get("custom_fields", {})}
        record |= self._formed(path, {**record, **item, "id": number})
        if "custom_fields" in record:
            record["custom_fields"] = custom
        self._versions[number] += 1
        return self._nested(path, record)

    def _delete(self, path: str, numbers: Sequence[int]) -> None:
        used = [record for record in self.lists[_CHILDREN].values() if record[LISTS[_CHILDREN].parent] in numbers]
        if path == _PARENTS and used:
            raise Refused(409, {"detail": f"Unable to delete object. {len(used)} dependent objects were found."})
        for number in numbers:
            del self.lists[path][number]

    def _single(self, request: Request, path: str, number: int) -> Answer:
        if number not in self.lists[path]:
            raise Refused(404, {"detail": "No record matches the given query."})
        if request.headers.get("if-match", self._tag(number)) != self._tag(number):
            raise Refused(412, {"detail": "The object has been modified."})
        if request.method == "DELETE":
            self._delete(path, [number])
            return Answer(204)
        if request.method == "PATCH":
            [item] = self._checked(path, [{**json.loads(request.body), "id": number}])
            self._change(path, number, item)
        return _json(self._nested(path, self.lists[path][number]), headers={"ETag": self._tag(number)})

    def _tag(self, number: int) -> str:
        return f'"{self._versions[number]}"'

    # What a record is refused for

    def _errors(self, path: str, item: Fields) -> Errors:
        about, errors = LISTS[path], Errors()
        for name in {name for names in about.unique for name in names}:
            if not str(item.get(name, "")).strip():
                errors[name] = ["This field is required."]
        for name, blank in about.blank.items():
            if item[name] is None and blank == "":
                errors[name] = ["This field may not be null."]
        for name in about.choices:
            if item[name] and item[name] not in CHOICES:
                errors[name] = [f"{item[name]} is not a valid choice."]
        for tag in item.get("tags", ()):
            if isinstance(tag, dict) and tag["slug"] not in _TAGS:
                errors["tags"] = [f"Related object not found using the provided attributes: {tag}"]
        return errors or self._errors_of_relations(path, item)

    def _errors_of_relations(self, path: str, item: Fields) -> Errors:
        about = LISTS[path]
        if about.parent and self._parent_of(item[about.parent]) is None:
            return {about.parent: ["Related object not found using the provided numeric ID."]}
        formed = self._formed(path, item)
        others = [record for record in self.lists[path].values() if record["id"] != item.get("id")]
        for names in about.unique:
            if any(_key(record, names) == _key(formed, names) for record in others):
                key = names[0] if len(names) == 1 else "__all__"
                return {key: [f"A record with this {' and '.join(names)} already exists."]}
        return {}

    def _parent_of(self, given: Any) -> int | None:
        parents = self.lists[_PARENTS]
        if isinstance(given, dict):
            return next((number for number, record in parents.items() if given.items() <= record.items()), None)
        return given if given in parents else None

    def _formed(self, path: str, item: Fields) -> Fields:
        """A record as it is kept: without outer blanks, unknown fields and what is nested."""
        about = LISTS[path]
        names = {"id", *about.blank, *(name for names in about.unique for name in names)}
        formed = {
            key: value.strip() if isinstance(value, str) else value for key, value in item.items() if key in names
        }
        if about.parent:
            formed[about.parent] = self._parent_of(item[about.parent])
        if "tags" in formed:
            formed["tags"] = [tag["slug"] if isinstance(tag, dict) else tag for tag in formed["tags"]]
        return formed


def _is_wanted(record: Fields, query: Mapping[str, list[str]]) -> bool:
    """Whether a record has one of the values of each filter; NetBox leaves out a filter that it does not know."""
    for name, values in query.items():
        if name == "id__lt" and record["id"] >= int(values[0]):
            return False
        if name == "id__gte" and record["id"] < int(values[0]):
            return False
        if name == "tag" and not set(values) & set(record.get("tags", ())):
            return False
        key = name.removesuffix("_id")
        if name not in _OF_PAGES and key in record and not _has_value(record[key], values):
            return False
    return True


def _has_value(value: Any, values: Sequence[str]) -> bool:
    """Whether a field has one of the values of a filter, in which `null` is no value."""
    return "null" in values if value is None else str(value) in set(values) - {"null"}


def _key(record: Fields, names: Sequence[str]) -> list[Any]:
    return [record[name] for name in names]


def _pairs(items: Sequence[Fields]) -> Iterator[tuple[Fields, Fields]]:
    return ((item, other) for place, item in enumerate(items) for other in items[:place])


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode())
