"""RecordRehearsal: operations on mapped records as if they were written, as far as the system can be asked without a write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from diffsync_store.adapters.mapped_model import MappedModel
from diffsync_store.adapters.resolver import REHEARSED, Resolver
from diffsync_store.adapters.writing import Answer, RecordWriter
from diffsync_store.exceptions import ObjectNotCreated
from diffsync_store.hooks import RehearsedOperation
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper

TimeLeft = Callable[[], float]
"""Returns the seconds that are left for a rehearsal; raises when there are none."""
_PRESENT = "The system has a record with these identifiers already. Load the target again, and make a new diff."


class Lookups(Protocol):
    """What is needed of an adapter to rehearse."""

    models: dict[str, type[MappedModel]]

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]: ...


class RecordRehearsal:
    """Rehearses operations on the records of an adapter. One thread uses it."""

    def __init__(self, adapter: Lookups, resolver: Resolver, writer: RecordWriter) -> None:
        self._adapter = adapter
        self._resolver = resolver
        self._writer = writer

    def run(
        self,
        mapper: Mapper,
        operations: Sequence[RehearsedOperation],
        check: Callable[[Mapper, str, Sequence[Any]], Sequence[Exception | None]],
    ) -> list[Exception | None]:
        """Return why each operation of one model and action would be refused; None if no reason is known.

        Args:
            mapper: the mapper of the model.
            operations: the operations.
            check: takes the mapper, the action and what would be sent.
        """
        action = operations[0].action

        def send(mapper: Mapper, payloads: Sequence[Any]) -> Sequence[Answer]:
            return [each or REHEARSED for each in check(mapper, action, payloads)]

        present = self._present(mapper, operations) if action == "create" else set()
        rest = [each for place, each in enumerate(operations) if place not in present]
        answers = iter(self._writer.rehearse(mapper, rest, send) if rest else ())
        found = [ObjectNotCreated(_PRESENT) if place in present else next(answers) for place in range(len(operations))]
        return [answer if isinstance(answer, Exception) else None for answer in found]

    def names_rehearsed(self, mapper: Mapper, identifiers: Mapping[str, Any]) -> bool:
        """Whether the identifiers of a record name one that only the rehearsal has created: the system cannot have it."""
        for reference in mapper.model._references.values():
            if set(reference.fields.values()) <= identifiers.keys() and reference.model in self._adapter.models:
                named = {name: identifiers[field] for name, field in reference.fields.items()}
                uid = self._adapter.models[reference.model].create_unique_id(**named)
                if self._resolver.known_id(reference.model, uid) == REHEARSED:
                    return True
        return False

    def _present(self, mapper: Mapper, operations: Sequence[RehearsedOperation]) -> set[int]:
        """Return the places of new records that the system has already."""
        places = [place for place, each in enumerate(operations) if not self.names_rehearsed(mapper, each.ids)]
        if not places:
            return set()
        try:
            found = self._adapter.find(mapper, [operations[place].ids for place in places])
        except NotImplementedError:
            return set()
        return {place for place, record in zip(places, found, strict=True) if record is not None}
