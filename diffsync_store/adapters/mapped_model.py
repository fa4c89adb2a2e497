"""MappedModel: a declared model whose records an adapter writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from diffsync_store.mapping.models import DeclaredModel


class MappedModel(DeclaredModel):
    """A declared model whose records a MappedAdapter writes."""

    system_id: JsonValue = None
    """The id by which the adapter's system knows the record; it is not compared."""

    @classmethod
    def create_many(cls, adapter: Any, records: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Any]:
        """Create the records of a batch."""
        answers: list[Any] = adapter.create_records(cls, records)
        return answers

    @classmethod
    def update_many(cls, adapter: Any, changes: Sequence[tuple[MappedModel, dict[str, Any]]]) -> list[Any]:
        """Change the records of a batch."""
        answers: list[Any] = adapter.update_records(cls, changes)
        return answers

    @classmethod
    def delete_many(cls, adapter: Any, objects: Sequence[MappedModel]) -> list[Any]:
        """Delete the records of a batch."""
        answers: list[Any] = adapter.delete_records(cls, objects)
        return answers

    @classmethod
    def lookup_many(cls, adapter: Any, ids: Sequence[dict[str, Any]]) -> Any:
        """Look up records in the system."""
        return adapter.look_up_records(cls, ids)
