"""The tables and views of a database, by SQLAlchemy's inspection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from diffsync_store.adapters.discovery.collection import Collection, DiscoveredField
from diffsync_store.adapters.sql import SqlAdapter
from diffsync_store.adapters.sql.tables import unique_keys

_TYPES: tuple[tuple[type[Any], str], ...] = (
    (sa.Boolean, "bool"),
    (sa.Integer, "int"),
    (sa.Float, "number"),
    (sa.Numeric, "decimal"),
    (sa.DateTime, "datetime"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.Interval, "duration"),
    (sa.Uuid, "uuid"),
    (sa.JSON, "json"),
    (sa.String, "str"),
)
_NAMED = {"INET": "ip", "CIDR": "network", "MACADDR": "mac", "MACADDR8": "mac"}


class SqlDiscovery:
    """Looks into a database."""

    def __init__(self, url: str) -> None:
        self.settings = {"url": url}
        self._adapter = SqlAdapter(self.settings, {}, {})
        self._inspector = sa.inspect(self._adapter.engine)

    def names(self) -> Sequence[str]:
        """Return the names of the tables and views of the default schema."""
        return [*self._inspector.get_table_names(), *self._inspector.get_view_names()]

    def describe(self, name: str) -> Collection:
        """Return a table with its columns. A column with a foreign key of one column becomes a reference."""
        columns = self._inspector.get_columns(name)
        primary = self._inspector.get_pk_constraint(name)["constrained_columns"]
        foreign = dict(self._single_foreign_keys(name))
        generated = {column["name"] for column in columns if _is_generated(column, is_key=primary == [column["name"]])}
        fields = [_field(column, foreign.get(column["name"], ""), column["name"] in generated) for column in columns]
        unique = [[*key] for key in unique_keys(self._inspector, name) if [*key] != primary]
        keys = [*unique, primary] if set(primary) <= generated else [primary, *unique]
        by_column = {column["name"]: field.name for column, field in zip(columns, fields, strict=True)}
        found = [tuple(by_column[column] for column in key if column in by_column) for key in keys if key]
        return Collection(name, name, fields, tuple(found))

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()

    def _single_foreign_keys(self, name: str) -> Iterator[tuple[str, str]]:
        for key in self._inspector.get_foreign_keys(name):
            if len(key["constrained_columns"]) == 1 and not key.get("referred_schema"):
                yield key["constrained_columns"][0], key["referred_table"]


def _field(column: Any, refers_to: str, is_generated: bool) -> DiscoveredField:
    name = str(column["name"])
    return DiscoveredField(
        name=name.removesuffix("_id") if refers_to else name,
        type=_type_name(column["type"]),
        may_be_null=bool(column["nullable"]),
        is_read_only=is_generated,
        is_required=not column["nullable"] and column.get("default") is None and not is_generated,
        refers_to=refers_to,
        path=name,
    )


def _is_generated(column: Any, *, is_key: bool) -> bool:
    """True for an identity, a computed column, or a number that is the primary key."""
    if column.get("computed") or column.get("identity") or column.get("autoincrement") is True:
        return True
    return is_key and isinstance(column["type"], sa.Integer)


def _type_name(kind: Any) -> str:
    named = _NAMED.get(type(kind).__name__.upper())
    if named is not None:
        return named
    if getattr(kind, "display_width", None) == 1:  # MariaDB's BOOLEAN is TINYINT(1)
        return "bool"
    if isinstance(kind, sa.ARRAY):
        return f"list[{_type_name(kind.item_type)}]"
    return next((name for sql_type, name in _TYPES if isinstance(kind, sql_type)), "str")
