"""Tables that are created from models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_args, get_origin
from uuid import UUID

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.dialects import mysql

from diffsync_store.adapters.sql.mapper import SqlMapper
from diffsync_store.adapters.sql.source import is_query
from diffsync_store.adapters.sql.tables import Tables
from diffsync_store.adapters.sql.values import bare
from diffsync_store.mapping.paths import keys_of
from diffsync_store.mapping.records import Mapper

KEY_LENGTH = 255
"""Characters of text in a key, on databases that limit them."""
_MARIADB = ("mysql", "mariadb")

_TYPES: Mapping[Any, Any] = {
    int: sa.BigInteger,
    float: sa.Double,
    Decimal: lambda: sa.Numeric(38, 10).with_variant(sa.Text(), "sqlite"),  # whose numbers are not exact
    bool: sa.Boolean,
    date: sa.Date,
    time: lambda: sa.Time().with_variant(mysql.TIME(fsp=6), *_MARIADB),
    datetime: lambda: sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), *_MARIADB),
    timedelta: lambda: sa.Interval().with_variant(sa.Double(), "sqlite", *_MARIADB),  # seconds
    UUID: lambda: sa.Uuid().with_variant(sa.String(36), "sqlite", *_MARIADB),
    str: sa.Text,
}
"""By the class of a field; lists and all others are JSON."""


def is_missing(tables: Tables, mapper: SqlMapper) -> bool:
    """True if a model has a table that is not there."""
    return not is_query(mapper.source_name) and tables.find(mapper.source_name) is None


def new_tables(tables: Tables, mappers: Sequence[SqlMapper], all_mappers: Mapping[str, Mapper]) -> sa.MetaData:
    """Return the tables of some models that are not there; `create_all` creates them.

    Raises:
        ValueError: a model does not say what its table looks like.
    """
    missing = [mapper for mapper in mappers if is_missing(tables, mapper)]
    metadata = sa.MetaData()
    for mapper in missing:
        _table_of(mapper, metadata)
    for mapper in missing:
        _add_foreign_keys(mapper, metadata, all_mappers, missing)
    return metadata


def _table_of(mapper: SqlMapper, metadata: sa.MetaData) -> sa.Table:
    schema, _, name = mapper.source_name.rpartition(".")
    columns = [_column(mapper, field) for field in mapper.fields]
    return sa.Table(
        name,
        metadata,
        *columns,
        schema=schema or None,
        # Keys of text differ by case and by blanks, as identifiers do.
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
    )


def _column(mapper: SqlMapper, field: str) -> sa.Column[Any]:
    names = keys_of(mapper.write_path_of(field) or "")
    if len(names) != 1:
        raise ValueError(
            f"The table {mapper.source_name!r} cannot be created: the field {field!r} of {mapper.model._modelname!r} has no "
            "column of its own. Create the table, or leave the field's path out."
        )
    annotation = mapper.model.model_fields[field].annotation
    is_key = field in mapper.model._identifiers
    if is_key and _is_optional(annotation):
        raise ValueError(
            f"The table {mapper.source_name!r} cannot be created: its identifier {field!r} may be null. Declare it without `?`."
        )
    named = {own for reference in mapper.model._references.values() for own in reference.fields.values()}
    kind = _type_of(annotation, is_key=is_key or field in named)
    return sa.Column(
        names[0], kind, primary_key=is_key, nullable=not is_key and _is_optional(annotation), autoincrement=False
    )


def _type_of(annotation: Any, *, is_key: bool) -> Any:
    found = bare(annotation)
    if found is str and is_key:
        return sa.Text().with_variant(sa.String(KEY_LENGTH), *_MARIADB)
    if get_origin(found) in {list, dict} or found is JsonValue:
        return sa.JSON(none_as_null=True)
    return _TYPES.get(found, sa.Text)()


def _is_optional(annotation: Any) -> bool:
    return type(None) in get_args(annotation) or any(type(None) in get_args(each) for each in get_args(annotation)[:1])


def _add_foreign_keys(
    mapper: SqlMapper, metadata: sa.MetaData, all_mappers: Mapping[str, Mapper], missing: Sequence[SqlMapper]
) -> None:
    """Let the database keep the references between tables that are created together."""
    table = metadata.tables[mapper.source_name]
    for pairs, other in _references(mapper, all_mappers):
        if other in missing:
            own = [keys_of(mapper.write_path_of(field) or "")[0] for _, field in pairs]
            target = metadata.tables[other.source_name]
            columns = [target.c[keys_of(other.write_path_of(identifier) or "")[0]] for identifier, _ in pairs]
            table.append_constraint(sa.ForeignKeyConstraint(own, columns))


def _references(
    mapper: SqlMapper, all_mappers: Mapping[str, Mapper]
) -> Iterator[tuple[list[tuple[str, str]], SqlMapper]]:
    for reference in mapper.model._references.values():
        other = all_mappers.get(reference.model)
        if isinstance(other, SqlMapper):
            order = other.model._identifiers
            yield [(identifier, reference.fields[identifier]) for identifier in order], other
