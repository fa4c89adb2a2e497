"""Values of a filter, from the list of the records that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from diffsync_store.adapters.http import HttpClient
from diffsync_store.adapters.shards import Scalar, WrongShards

_PAGE = 200


class ListedFilter(NamedTuple):
    """Where the values of a filter are."""

    path: str
    """The list of the records that the filter names."""
    key: str
    """The key of a record that the filter takes."""
    params: Mapping[str, Any] = {}


def values_of_filter(client: HttpClient, name: str, known: Mapping[str, ListedFilter]) -> Iterator[Scalar]:
    """Yield the values of a filter in order, and null for the records without one.

    Raises:
        WrongShards: the filter is not known.
    """
    if name not in known:
        raise WrongShards(
            f"The values of {name!r} cannot be listed, only those of {', '.join(known)}. List the shards in the file."
        )
    listed = known[name]
    found: list[str] = []
    total = 1
    while len(found) < total:
        params = {**listed.params, "limit": _PAGE, "offset": len(found)}
        answer = client.get_json(listed.path, params)
        if not answer["results"]:
            break
        found += [str(record[listed.key]) for record in answer["results"]]
        total = answer["count"]
    yield None
    yield from sorted(set(found))
