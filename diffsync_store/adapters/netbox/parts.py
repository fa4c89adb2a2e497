"""Models whose records are some fields of another model's records: `part_of`.

A device names its primary address, the address names an interface, and the interface its device, so that no order creates the three
with all that they name. The primary address as a model of its own, which is part of a device, is set when the others are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from diffsync_store.adapters.mapped import Answer, Change
from diffsync_store.adapters.rest.writing import Writer
from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import FieldMapping, Mapper, RecordMapping

KEY = "id"
"""The key under which the id of the whole record stands in the payload of a part."""


def as_part(model: type[DeclaredModel], mapping: RecordMapping, whole: str) -> RecordMapping:
    """Return the mapping of a part: its identifiers are not written, they find the whole record.

    Raises:
        ValueError: the model does not say by a reference which record its records are part of.
    """
    identifiers = set(model._identifiers)
    label = next(
        (
            label
            for label, found in model._references.items()
            if found.model == whole and set(found.fields.values()) <= identifiers
        ),
        None,
    )
    if label is None:
        raise ValueError(
            f"`part_of: {whole}` of {model._modelname!r}: the model needs a reference to {whole!r} by its identifiers."
        )
    own = {name: mapping.fields.get(name, FieldMapping()) for name in identifiers}
    kept = {name: field.model_copy(update={"read_only": True, "write": None}) for name, field in own.items()}
    return mapping.model_copy(
        update={"fields": {**mapping.fields, **kept}, "references": {**mapping.references, label: KEY}}
    )


def present(mapper: Mapper, records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records that have the part: those with a value in one of its attributes."""
    for record in records:
        found = mapper.fields_of(record)
        if any(found.get(name) is not None for name in mapper.model._attributes):
            yield record


def create(writer: Writer, payloads: Sequence[dict[str, Any]]) -> list[Answer]:
    """Write parts into the records that they are part of; the id of each or an exception."""
    changes = [
        Change(payload[KEY], {key: value for key, value in payload.items() if key != KEY}, {}) for payload in payloads
    ]
    answers = writer.update(changes)
    return [change.key if answer is None else answer for change, answer in zip(changes, answers, strict=True)]


def delete(writer: Writer, changes: Sequence[Change], nothing: dict[str, Any]) -> list[Answer]:
    """Take parts out of the records that they are part of.

    Args:
        writer: the writer of the records.
        changes: the parts that go.
        nothing: the payload of a record without the part.
    """
    return writer.update([change._replace(payload=dict(nothing)) for change in changes])
