"""A list of a JSON API: where its records are in an answer, how its pages follow, which fields its records have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from diffsync_store.adapters.discovery.collection import Collection
from diffsync_store.adapters.discovery.samples import collection_of, sample
from diffsync_store.adapters.http import HttpClient, HttpSettings
from diffsync_store.adapters.rest import RestAdapter

_TOTALS = ("count", "total", "total_count", "totalCount")


class RestDiscovery:
    """Looks at the list that an address leads to.

    Args:
        url: the address of the list.
        token: the API's token; empty if it needs none.
    """

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        folder, _, last = parts.path.rstrip("/").rpartition("/")
        self._name = last or "records"
        self._source = f"{last}{'/' if parts.path.endswith('/') else ''}{f'?{parts.query}' if parts.query else ''}"
        address = {"url": f"{parts.scheme}://{parts.netloc}{folder}/"}
        self._credentials = {"token": token} if token else {}
        self.settings: Mapping[str, Any] = {**address, **self._shape(address)}

    def names(self) -> Sequence[str]:
        """Return the last part of the address."""
        return [self._name]

    def describe(self, name: str) -> Collection:
        """Return the fields of the first records."""
        settings = {**self.settings, **self._credentials}
        return collection_of(name, self._source, sample(RestAdapter, settings, {"from": self._source}))

    def close(self) -> None:
        """Nothing is open."""

    def _shape(self, address: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings `items` and `paging` that the answer asks for."""
        client = HttpClient(HttpSettings.model_validate({**address, **self._credentials}))
        try:
            response = client.get(self._source)
            return _shape_of(client.json_of(response), has_next_link="next" in response.links)
        finally:
            client.close()


def _shape_of(answer: Any, *, has_next_link: bool) -> dict[str, Any]:
    paging: dict[str, Any] = {"kind": "link", "size_parameter": ""} if has_next_link else {}
    if not isinstance(answer, Mapping):
        return {"paging": paging} if paging else {}
    items = next((key for key, value in answer.items() if _is_list_of_records(value)), "")
    total = next((key for key in _TOTALS if isinstance(answer.get(key), int)), "")
    if isinstance(answer.get("next"), str | None) and "next" in answer:
        paging = {"kind": "next", "size_parameter": ""}
    if paging and total:
        paging["total"] = total
    found = {"items": items, "paging": paging}
    return {key: value for key, value in found.items() if value}


def _is_list_of_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
