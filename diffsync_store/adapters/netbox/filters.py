"""Checks that NetBox knows a filter.

NetBox leaves out a filter that it does not know, and answers with all records. A load by a mistyped filter would take records for
the target's that are not, and a sync would delete them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from diffsync_store.adapters.http import HttpClient, HttpError

_NOT_FILTERS = frozenset({"fields", "omit", "brief", "limit", "offset", "start", "ordering", "format"})
_NO_VALUE = "0-none-of-them"


class UnknownFilter(ValueError):
    """NetBox does not know a parameter of `params`."""


def require_filters(client: HttpClient, path: str, names: Iterable[str]) -> None:
    """Raise UnknownFilter if a list does not know one of these filters."""
    names = [name for name in names if name not in _NOT_FILTERS]
    total = _count(client, path, {}) if names else 0
    unknown = [name for name in names if total and _is_left_out(client, path, name, total)]
    if unknown:
        known = _declared(client, path)  # flags take any value, so that a filter of one has to be looked up
        unknown = [name for name in unknown if name not in known]
    if unknown:
        raise UnknownFilter(
            f"NetBox has no filter {', '.join(map(repr, unknown))} for {path!r}, and would answer with all records. Correct `params`."
        )


def _is_left_out(client: HttpClient, path: str, name: str, total: int) -> bool:
    try:
        return _count(client, path, {name: _NO_VALUE}) >= total
    except HttpError as error:
        if error.response.status_code != 400:
            raise
        return False  # it is known, and does not take the value


def _count(client: HttpClient, path: str, params: Mapping[str, Any]) -> int:
    return int(client.get_json(path, {**params, "fields": "id", "limit": 1})["count"])


def _declared(client: HttpClient, path: str) -> set[str]:
    """Return the parameters of a list in NetBox's description of its API, which is large and takes seconds."""
    paths = client.get_json("schema/", {"format": "json"})["paths"]
    found: Mapping[str, Any] = next(
        (about for key, about in paths.items() if key.strip("/").endswith(path.strip("/"))), {}
    )
    return {parameter["name"] for parameter in found.get("get", {}).get("parameters", ())}
