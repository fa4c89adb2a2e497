"""Whether the database keeps what was written: it may round, cut or pad a value, and its triggers may change or drop a row.

A row that the next load would not read as it was written is refused, in the same transaction. Otherwise each plan would show the same
change again, or the value would be lost without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from diffsync_store.adapters.secrets import secret_names
from diffsync_store.adapters.sql.batches import in_parts, rows_with_keys
from diffsync_store.adapters.sql.mapper import KEY, SqlMapper
from diffsync_store.adapters.sql.values import key_form
from diffsync_store.adapters.writing import Payload
from diffsync_store.mapping.paths import Record
from diffsync_store.redaction import format_reason
from diffsync_store.sync.lookup import differing

_MAX_TEXT = 60


class NotKept(ValueError):
    """The database does not keep a row as it was written."""


class Sent(NamedTuple):
    """A row that is written."""

    key: Any
    """The primary key of a row that is changed; None for a new row."""
    values: Mapping[str, Any]
    """By column."""
    fields: Mapping[str, Any]
    """The fields of the record that the values are made of."""
    is_exact: bool = False
    """Whether no value was converted for its column."""

    @classmethod
    def of(cls, mapper: SqlMapper, payload: Mapping[str, Any], key: Any = None) -> Sent:
        """Return the row of a payload.

        Raises:
            ValueError: a value does not fit its column.
        """
        values = mapper.row_of(payload)
        is_exact = all(value is payload[name] for name, value in values.items())
        return cls(key, values, payload.fields if isinstance(payload, Payload) else {}, is_exact)


def require_kept(connection: sa.Connection, mapper: SqlMapper, written: Sequence[tuple[Any, Sent]]) -> None:
    """Read rows back that were just written, and compare them.

    Args:
        connection: in the transaction that wrote them.
        mapper: the mapping of their model.
        written: the primary key of each row, and what was sent.

    Raises:
        NotKept: a row differs from what was sent.
    """
    checked = [
        (key, sent) for key, sent in written if None not in key
    ]  # SQLite keeps null in keys, and finds no such row
    checked = _not_as_sent(connection, mapper.table(), checked)
    if not checked:
        return
    found = dict(_records(connection, mapper, [key for key, _ in checked]))
    compared = {name for name in mapper.fields if mapper.reads_what_it_writes(name)}
    for key, sent in checked:
        record = found.get(_text(key))
        if record is None:  # the database may write the key in another form, and still find it
            record = next((record for _, record in _records(connection, mapper, [key])), None)
        if record is None:
            raise NotKept(
                f"The table {mapper.table().name!r} does not have the row after it was written: "
                "a trigger, a rule or a policy of the database drops or hides it."
            )
        _require_equal(mapper, compared, sent, record)


def _not_as_sent(
    connection: sa.Connection, table: sa.Table, written: Sequence[tuple[Any, Sent]]
) -> list[tuple[Any, Sent]]:
    """Return the rows that must be compared as records: whose columns have other values than were sent, or whose values were converted."""
    names = list(dict.fromkeys(name for _, sent in written for name in sent.values))
    primary = list(table.primary_key.columns)
    columns = [*primary, *(table.c[name] for name in names)]
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for part in in_parts([key for key, _ in written]):
        for row in connection.execute(sa.select(*columns).where(rows_with_keys(table, part))):
            key = tuple(str(key_form(value)) for value in row[: len(primary)])
            found[key] = dict(zip(names, row[len(primary) :], strict=True))
    return [(key, sent) for key, sent in written if not _is_kept(found.get(_text(key)), sent)]


def _is_kept(row: Mapping[str, Any] | None, sent: Sent) -> bool:
    return row is not None and sent.is_exact and all(row[name] == value for name, value in sent.values.items())


def _require_equal(mapper: SqlMapper, compared: set[str], sent: Sent, record: Record) -> None:
    expected = {
        name: value
        for name, value in sent.fields.items()
        if name in compared and not (value is None and _may_be_filled(mapper, sent, name))
    }
    try:
        now = dict(mapper.model(**mapper.fields_of(record)))
    except Exception as error:
        raise NotKept(
            f"The next load would reject the record as the database keeps it: {format_reason(error, mapper.model)}"
        ) from error
    for name in differing(expected, now, mapper.model):
        is_secret = name in secret_names(mapper.model)
        kept, wanted = ("another value", "it") if is_secret else (_short(now[name]), _short(expected[name]))
        raise NotKept(
            f"The column {mapper.write_path_of(name)!r} has {kept} after {wanted} was written: its type, its collation or a trigger "
            "changes the value. Alter the column, or change the value before, with a transform in the source."
        )


def _may_be_filled(mapper: SqlMapper, sent: Sent, name: str) -> bool:
    """Whether another value is right where null was written: the database fills it for a new row, or the mapping for a null."""
    field = mapper.mapping.fields.get(name)
    return sent.key is None or (field is not None and field.default is not None)


def _records(
    connection: sa.Connection, mapper: SqlMapper, keys: Sequence[Any]
) -> Iterator[tuple[tuple[str, ...], Record]]:
    for part in in_parts(keys):
        statement = mapper.prepared().statement.order_by(None).where(rows_with_keys(mapper.table(), part))
        for row in connection.execute(statement):
            record = mapper.record_of(row)
            yield _text(record[KEY]), record


def _text(key: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, key))


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
