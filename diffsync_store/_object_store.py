"""The interface of stores for the objects in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ObjectStore:
    """The methods of a store that its objects call. `BaseStore` implements them."""

    is_in_memory: bool = True
    """The store is copied and pickled with its adapter."""

    def mark_dirty(self, obj: Any) -> None:
        """Note that a field of an object was assigned, or its children changed."""

    def fetch(self, model: str, uids: Sequence[str]) -> Mapping[str, Any]:
        """Return live objects by unique id, without those that are missing."""
        raise NotImplementedError
