"""What Nautobot says of its lists: what a token may do, and the choices of fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffsync_store.adapters.http import HttpClient
from diffsync_store.adapters.rest.described import DescribedFields


class ListFields:
    """The fields of one list, from the answer to `OPTIONS`. It does not change; threads may share it."""

    def __init__(self, answer: Any) -> None:
        actions = answer.get("actions") if isinstance(answer, Mapping) else None
        self.actions: Mapping[str, Any] = actions if isinstance(actions, Mapping) else {}
        """Fields by the methods that the token may use; empty where it may only read."""
        self._fields: Mapping[str, Mapping[str, Any]] = self.actions.get("POST") or self.actions.get("PUT") or {}

    @classmethod
    def read(cls, client: HttpClient, path: str) -> ListFields:
        """Ask Nautobot for the fields of a list."""
        return cls(client.send("OPTIONS", path).json())

    def described(self) -> DescribedFields:
        """Return the fields, and what is said of their values."""
        return DescribedFields.from_options({"actions": self.actions})

    def may_create(self) -> bool:
        """True if the token may create records of the list."""
        return "POST" in self.actions

    def choices(self, name: str) -> dict[str, str]:
        """Label → value of a field with choices; empty where it has none, or the token may not see them."""
        return {str(one["display"]): one["value"] for one in self._fields.get(name, {}).get("choices", ())}
