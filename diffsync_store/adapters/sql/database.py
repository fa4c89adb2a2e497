"""One database: its engine, tables and transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

import sqlalchemy as sa

from diffsync_store.adapters.sql.engine import WRITES, new_engine, parse_url
from diffsync_store.adapters.sql.errors import DatabaseUnavailable, one_line_errors
from diffsync_store.adapters.sql.tables import Tables
from diffsync_store.suggestion import did_you_mean

_ROLLS_BACK = frozenset({"postgresql", "sqlite"})
"""Databases that keep nothing of a transaction that is not committed; MariaDB has tables that do."""

_MYSQL = frozenset({"mysql", "mariadb"})
_LOCK_LIMITS = {
    "postgresql": ("SET LOCAL lock_timeout = '3s'",),
    "mysql": ("SET SESSION innodb_lock_wait_timeout = 3", "SET SESSION lock_wait_timeout = 3"),
    "mariadb": ("SET SESSION innodb_lock_wait_timeout = 3", "SET SESSION lock_wait_timeout = 3"),
    "sqlite": (),
}
"""How long a rehearsal waits for the lock of another transaction; SQLite waits for its only lock when it begins."""


class Database:
    """Connections to a database, which are opened at first use. Threads may share it; each has a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._engine: sa.Engine | None = None
        self._tables: Tables | None = None
        self._lock = Lock()
        self._mine = local()

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's engine."""
        with self._lock:
            if self._engine is None:
                self._engine = new_engine(self._url)
                self._tables = Tables(self._engine)
            return self._engine

    @property
    def tables(self) -> Tables:
        """Return the tables of the database, with those that this thread has created in its rehearsal."""
        rehearsed: Tables | None = getattr(self._mine, "tables", None)
        if rehearsed is not None:
            return rehearsed
        engine = self.engine
        return self._tables or Tables(engine)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = self._tables = None

    def table(self, name: str) -> sa.Table:
        """Return a table or view.

        Raises:
            ValueError: there is none of this name.
        """
        found = self.tables.find(name)
        if found is None:
            known = self.tables.names(name)
            listed = ", ".join(known) or "none"
            raise ValueError(
                f"The database has no table {name!r}.{did_you_mean(name, known)} Its tables and views are: {listed}. "
                "Set `create_tables: true` to create missing tables."
            )
        return found

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one state of the database. A nested block of the same thread gets the same connection."""
        current: sa.Connection | None = getattr(self._mine, "connection", None)
        if current is not None:
            with one_line_errors():
                yield current
            return
        with one_line_errors(), self.engine.connect().execution_options(**self._snapshot) as connection:
            self._mine.connection = connection
            try:
                with connection.begin():
                    yield connection
            finally:
                self._mine.connection = None

    @property
    def _snapshot(self) -> dict[str, object]:
        name = self.engine.dialect.name
        if name == "postgresql":
            return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return {"isolation_level": "REPEATABLE READ"} if name in {"mysql", "mariadb"} else {}

    @contextmanager
    def rehearsing(self) -> Iterator[sa.Connection]:
        """Let this thread write in one transaction, which is rolled back at the end of the block.

        It waits for locks of others only for a short time.
        """
        with one_line_errors(), self.engine.connect() as connection:
            if connection.dialect.name in _MYSQL:
                connection.detach()  # its settings end with it
            connection.execution_options(**{WRITES: True})
            with connection.begin() as transaction:
                for statement in _LOCK_LIMITS.get(connection.dialect.name, ()):
                    connection.exec_driver_sql(statement)
                self._mine.rehearsal, self._mine.tables = connection, Tables(connection)
                try:
                    yield connection
                finally:
                    self._mine.rehearsal = self._mine.tables = None
                    transaction.rollback()

    @property
    def rehearsal(self) -> sa.Connection | None:
        """Return the connection of the rehearsal of this thread, if there is one."""
        return getattr(self._mine, "rehearsal", None)

    @contextmanager
    def looking_up(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees what is committed now, and what its thread has rehearsed."""
        if (current := self.rehearsal) is not None:
            with one_line_errors(), current.begin_nested():
                yield current
            return
        with one_line_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Yield a connection whose changes are committed together at the end of the block, or rehearsed."""
        if (current := self.rehearsal) is not None:
            with one_line_errors(), current.begin_nested():
                yield current
            return
        may_be_done = False
        try:
            with (
                one_line_errors(),
                self.engine.connect().execution_options(**{WRITES: True}) as connection,
                connection.begin(),
            ):
                may_be_done = connection.dialect.name not in _ROLLS_BACK
                yield connection
                may_be_done = True  # the answer to the commit may be lost
        except DatabaseUnavailable as error:
            error.was_not_done = not may_be_done
            raise
