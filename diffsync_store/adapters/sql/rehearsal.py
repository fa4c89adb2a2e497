"""What makes a transaction of a database a safe and complete rehearsal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from diffsync_store.adapters.rehearsal import TimeLeft
from diffsync_store.adapters.sql.batches import Answer, Run
from diffsync_store.exceptions import CannotRehearse

_WITHOUT_TRANSACTIONS = sa.text(
    "SELECT t.TABLE_NAME, t.ENGINE FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e "
    "ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'BASE TABLE' "
    "AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'"
)


def require_transactions(connection: sa.Connection, tables: Sequence[sa.Table], *, creates_tables: bool) -> None:
    """Check that the database can roll back what is written to these tables.

    Raises:
        CannotRehearse: it cannot.
    """
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return
    if creates_tables:
        raise CannotRehearse(
            "Nothing was rehearsed: this database cannot roll back the creation of tables (`create_tables`). Create the tables first."
        )
    names = {table.name.lower() for table in tables}
    for name, engine in connection.execute(_WITHOUT_TRANSACTIONS):
        if str(name).lower() in names:
            raise CannotRehearse(
                f"Nothing was rehearsed: the table {name!r} has the engine {engine}, which has no transactions, so it would keep what is "
                f"rehearsed. Convert it: ALTER TABLE {name} ENGINE = InnoDB."
            )


def checking_deferred(run: Run, time_left: TimeLeft | None) -> Run:
    """Return a writer of rows that also checks the constraints that PostgreSQL would check at the end of the transaction.

    It raises what `time_left` raises.
    """

    def checked(connection: sa.Connection, rows: Sequence[Any]) -> list[Answer]:
        if time_left is not None:
            time_left()
        answers = run(connection, rows)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
            connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
        return answers

    return checked
