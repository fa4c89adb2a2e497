"""What a system has: collections of records, and their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class DiscoveredField:
    """A field of the records of a collection."""

    name: str
    type: str = "str"
    """A type name of `diffsync_store.mapping.types`, without `?`."""
    may_be_null: bool = False
    is_read_only: bool = False
    is_required: bool = False
    """True if a record cannot be created without a value."""
    refers_to: str = ""
    """The collection of the record that the value names; empty for a plain value."""
    path: str = ""
    """The path of the value in a record; the name if empty."""
    column: str = ""
    """The key of a record that holds the id of the record that the value names; empty if it is not known yet."""


@dataclass(frozen=True)
class Collection:
    """Records of one kind: a table, an endpoint, a file."""

    name: str
    """The name by which people know it, such as `device_types`."""
    source: str
    """The value of `from` in a mapping."""
    fields: Sequence[DiscoveredField]
    keys: Sequence[tuple[str, ...]] = ()
    """Fields that together identify a record, the best choice first. Empty if nothing is known."""

    def get(self, name: str) -> DiscoveredField:
        """Return a field by its name."""
        return next(field for field in self.fields if field.name == name)


class Discovery(Protocol):
    """Looks into one system. One thread uses it; `close` it at the end."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return the settings of the ready adapter, without a token."""
        ...

    def names(self) -> Sequence[str]:
        """Return the names of the collections."""
        ...

    def describe(self, name: str) -> Collection:
        """Return a collection with its fields.

        Raises:
            ValueError: it has no fields, or they cannot be found out.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
