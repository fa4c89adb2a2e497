"""A JSON API with sites and their devices as a system under test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

from diffsync_store import Adapter, BaseStore
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.testing import BehindHttpProxy, HttpProxy, Record
from tests.conformance.mapped import FULL, INVALID, MODELS, is_same
from tests.http_service import Answer, HttpService, Request

TOKEN = "s3cret-token-of-the-api"
KEYS = {"site": ("name",), "device": ("site", "name")}
PAGE = 3


class InventoryApi(HttpService):
    """Lists at `site/` and `device/`, records at `site/ID/`. A device is written with the id of its site, and read with the site.

    Args:
        bulk: whether lists are written in one request.
        paging: `offset` or `link`.
    """

    def __init__(self, *, bulk: bool, paging: str) -> None:
        super().__init__()
        self.bulk = bulk
        self.paging = paging
        self.tables: dict[str, dict[int, dict[str, Any]]] = {model: {} for model in KEYS}
        self.lock = threading.RLock()
        self._last_id = 0

    def respond(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json({"detail": "Invalid token."}, 401)
        parts = urlsplit(request.path)
        _, model, number, *_ = [*parts.path.split("/"), ""]
        with self.lock:
            if model not in self.tables:
                return _json({"detail": "Not found."}, 404)
            if request.method == "OPTIONS":
                return _json({"detail": "Method not allowed."}, 405)
            if number:
                return self._single(request, model, int(number))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            return self._page(model, parts.path, query) if request.method == "GET" else self._list(request, model)

    def _page(self, model: str, path: str, query: Mapping[str, str]) -> Answer:
        found = [self.shown(model, number) for number in self.tables[model]]
        found = [record for record in found if "name" not in query or record["name"] == query["name"]]
        start, size = int(query.get("offset", 0)), min(int(query.get("limit", PAGE)), PAGE)
        headers = {}
        if self.paging == "link" and start + size < len(found):
            headers = {"Link": f'</{path.strip("/")}/?offset={start + size}&limit={size}>; rel="next"'}
        return _json({"count": len(found), "results": found[start : start + size]}, 200, headers)

    def _list(self, request: Request, model: str) -> Answer:
        given = json.loads(request.body)
        if isinstance(given, dict):
            return self._created(model, given)
        if not self.bulk:
            return _json({"detail": "Expected a record."}, 400)
        if request.method == "POST":
            return self._many_created(model, given)
        given = [item for item in given if item["id"] in self.tables[model]]
        faults = [self._fault(model, item, item["id"]) for item in given] if request.method == "PATCH" else []
        if any(faults):
            return _json(faults, 400)
        for item in given:
            self._change(model, item) if request.method == "PATCH" else self.delete(model, item["id"])
        if request.method == "DELETE":
            return Answer(204)
        return _json([self.shown(model, item["id"]) for item in reversed(given)])  # in an order of its own

    def _created(self, model: str, item: dict[str, Any]) -> Answer:
        fault = self._fault(model, item)
        return _json(fault, 400) if fault else _json(self.shown(model, self.add(model, item)), 201)

    def _many_created(self, model: str, given: list[dict[str, Any]]) -> Answer:
        faults = [self._fault(model, item) for item in given]
        if any(faults):
            return _json(faults, 400)
        made = [self.add(model, item) for item in given]
        return _json([self.shown(model, number) for number in reversed(made)], 201)

    def _single(self, request: Request, model: str, number: int) -> Answer:
        if number not in self.tables[model]:
            return _json({"detail": "Not found."}, 404)
        if request.method == "DELETE":
            if model == "site" and any(device["site"] == number for device in self.tables["device"].values()):
                return _json({"detail": "The site has devices."}, 409)
            self.delete(model, number)
            return Answer(204)
        if request.method == "PATCH":
            item = json.loads(request.body)
            fault = self._fault(model, item, number)
            if fault:
                return _json(fault, 400)
            self._change(model, {**item, "id": number})
        return _json(self.shown(model, number))

    def _fault(self, model: str, item: Mapping[str, Any], number: int = 0) -> dict[str, list[str]]:
        now = {**self.tables[model].get(number, {}), **item}
        if FULL in (now.get("region"), now.get("role")):
            return {"region" if model == "site" else "role": [f"{FULL!r} is not a valid choice."]}
        if model == "device" and now.get("site") not in self.tables["site"]:
            return {"site": ["There is no such site."]}
        same = [
            other
            for other, record in self.tables[model].items()
            if other != number and all(record.get(name) == now.get(name) for name in KEYS[model])
        ]
        return {"non_field_errors": ["The fields must make a unique set."]} if same else {}

    # The records, also for the system under test

    def add(self, model: str, item: Mapping[str, Any]) -> int:
        self._last_id += 1
        self.tables[model][self._last_id] = dict(item)
        return self._last_id

    def _change(self, model: str, item: Mapping[str, Any]) -> None:
        self.tables[model][item["id"]] |= {name: value for name, value in item.items() if name != "id"}

    def delete(self, model: str, number: int) -> None:
        del self.tables[model][number]

    def shown(self, model: str, number: int) -> dict[str, Any]:
        record = {"id": number, **self.tables[model][number]}
        if model == "device":
            record["site"] = {"id": record["site"], "name": self.tables["site"][record["site"]]["name"]}
        return record

    def site_id(self, name: str) -> int:
        return next(number for number, site in self.tables["site"].items() if site["name"] == name)


class ApiUnderTest(BehindHttpProxy):
    """The API behind a proxy. The suite changes its tables, the adapter its records over HTTP."""

    secrets = (TOKEN,)
    page_size = PAGE

    def __init__(self, proxy: HttpProxy, api: InventoryApi) -> None:
        super().__init__(proxy)
        self.api = api

    def make_adapter_at(self, url: str, store: BaseStore) -> Adapter:
        return self._adapter(url, store, TOKEN)

    def make_adapter_with_wrong_credentials(self, store: BaseStore) -> Adapter:
        return self._adapter(self.proxy.url, store, "wrong")

    def _adapter(self, url: str, store: BaseStore, token: str) -> RestAdapter:
        settings = {
            "url": url,
            "token": token,
            "items": "results",
            "attempts": 2,
            "paging": {"kind": self.api.paging, "size": PAGE, "total": "count"},
            "writing": {"bulk": self.api.bulk},
        }
        find = {"name": "{name}"}
        records = {
            "site": {"from": "site/", "find": find},
            "device": {"from": "device/", "find": find, "fields": {"site": "site.name"}},
        }
        return RestAdapter(settings, MODELS, records, internal_storage_engine=store)

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        with self.api.lock:
            found = [self.api.shown(model, number) for number in self.api.tables[model]]
        rows = [{name: value for name, value in record.items() if name != "id"} for record in found]
        return [{**row, "site": row["site"]["name"]} if model == "device" else row for row in rows]

    def put(self, record: Record) -> None:
        self._put(record.model, record.fields)

    def _put(self, model: str, fields: Mapping[str, Any]) -> None:
        with self.api.lock:
            item = {name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()}
            if model == "device":
                item["site"] = self.api.site_id(item["site"])
            numbers = self._numbers(model, fields)
            if numbers:
                self.api.tables[model][numbers[0]] |= item
            else:
                self.api.add(model, item)

    def remove(self, record: Record) -> None:
        with self.api.lock:
            for number in self._numbers(record.model, record.identifiers):
                self.api.delete(record.model, number)

    def put_invalid(self, model: str) -> str:
        self._put(model, INVALID[model])
        return "unfit"

    def _numbers(self, model: str, fields: Mapping[str, Any]) -> Sequence[int]:
        wanted = Record(model, {name: fields[name] for name in KEYS[model]}, {})
        rows = zip(self.api.tables[model], self.records(model), strict=True)
        return [number for number, row in rows if is_same(wanted, dict(row))]


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode())
