"""Statements that change a row instead of inserting it, where it is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite


def upsert(table: sa.Table, names: Iterable[str], unique_keys: Sequence[tuple[str, ...]], dialect: str) -> Any:
    """Return the statement that inserts or updates rows with these columns.

    Args:
        table: the table.
        names: columns of the rows.
        unique_keys: the primary key and unique constraints of the table.
        dialect: SQLAlchemy's name of the database.

    Raises:
        ValueError: no unique key is among the columns, so nothing tells whether a row is there.
    """
    names = set(names)
    key = next((key for key in unique_keys if key and names.issuperset(key)), None)
    if key is None:
        known = "; ".join(", ".join(each) for each in unique_keys) or "none"
        raise ValueError(
            f"`upsert` needs a unique key of the table {table.name!r} among the columns that are written. Its keys are: {known}."
        )
    rest = [name for name in names if name not in key] or [key[0]]
    if dialect in {"mysql", "mariadb"}:
        on_mariadb = mysql.insert(table)
        return on_mariadb.on_duplicate_key_update({name: on_mariadb.inserted[name] for name in rest})
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.on_conflict_do_update(index_elements=list(key), set_={name: insert.excluded[name] for name in rest})
