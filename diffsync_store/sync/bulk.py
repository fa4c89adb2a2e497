"""Many records in one call of the target's system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from diffsync_store.exceptions import ObjectCrudException

T = TypeVar("T")


def call_many(many: Callable[[list[T]], Any], one: Callable[[T], Any], items: list[T]) -> list[Any]:
    """What became of each item: what the hook returned for it, or the exception.

    A call that raises has done nothing: its items are tried again by halves, the last ones by `one`.
    """
    if len(items) == 1:
        try:
            return [one(items[0])]
        except Exception as error:  # noqa: BLE001  # whatever an adapter's code raises is this operation's failure
            return [error]
    try:
        found = list(many(items))
    except Exception:  # noqa: BLE001  # the single record that it is about is found by halves
        half = len(items) // 2
        return call_many(many, one, items[:half]) + call_many(many, one, items[half:])
    if len(found) == len(items):
        return found
    lack = f"The bulk hook returned {len(found)} results for {len(items)} records, so it is not known what was done."
    return [ObjectCrudException(lack)] * len(items)
