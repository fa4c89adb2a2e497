"""The engine of a database: drivers, time zone, transactions and the pool of connections."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from diffsync_store.suggestion import did_you_mean

LOCK_SECONDS = 30
"""How long SQLite waits for another writer."""
CONNECT_SECONDS = 10
WRITES = "diffsync_store_writes"
"""Execution option of a connection that writes: SQLite takes its lock at once, instead of failing when it needs it."""

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
"""What is used where the URL names no driver."""
_CONNECT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": LOCK_SECONDS},
    "psycopg": {"connect_timeout": CONNECT_SECONDS, "options": "-c timezone=UTC"},
    "pymysql": {"connect_timeout": CONNECT_SECONDS, "init_command": "SET time_zone = '+00:00'"},
}


def parse_url(text: str) -> sa.URL:
    """Parse the URL of a database.

    Raises:
        ValueError: it is not a URL, or names an unknown kind of database, or a database in memory. The message does not contain it.
    """
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(
            "This is not the URL of a database. Write sqlite:////srv/inventory.db, postgresql://user:password@host/database "
            "or mariadb://user:password@host/database, with special characters of the password as %40."
        ) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    try:
        url.get_dialect()
    except sa.exc.NoSuchModuleError:
        known = did_you_mean(url.drivername, ("sqlite", "postgresql", "mariadb"))
        raise ValueError(
            f"There is no SQLAlchemy dialect {url.drivername!r}.{known} Install its package, or correct the URL."
        ) from None
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("A database in memory ends with the process. Name a file: sqlite:////srv/inventory.db")
    return url


def new_engine(url: sa.URL) -> sa.Engine:
    """Create an engine. Threads share it; each has a connection of its own, as many as there are threads.

    Raises:
        ImportError: the driver of the database is not installed.
    """
    name = url.get_backend_name()
    options: dict[str, Any] = {"hide_parameters": True, "pool_size": 0, "pool_pre_ping": name != "sqlite"}
    try:
        driver = "sqlite" if name == "sqlite" else url.get_driver_name()
        if driver == "psycopg":
            options["native_inet_types"] = False  # addresses as text
        engine = sa.create_engine(url, connect_args=_connect_arguments(url, driver), **options)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The driver of {url.drivername} is not installed: pip install {_package(error.name)}"
        ) from error
    if driver == "psycopg":
        sa.event.listen(engine, "connect", _prepare_psycopg)
    if name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_arguments(url: sa.URL, driver: str) -> dict[str, Any]:
    """Return the arguments of the driver that are not in the URL."""
    return {key: value for key, value in _CONNECT_ARGUMENTS.get(driver, {}).items() if key not in url.query}


def _package(module: str | None) -> str:
    return {"psycopg": "'psycopg[binary]'", "MySQLdb": "mysqlclient"}.get(module or "", module or "it")


def _prepare_psycopg(connection: Any, _record: Any) -> None:
    """Read a date or time that Python has not, such as `infinity` or `24:00`, as text: its record is rejected, and not the whole load."""
    from psycopg import DataError
    from psycopg.adapt import Loader

    def tolerant(strict: Any) -> Any:
        class Tolerant(Loader):
            def __init__(self, oid: int, context: Any = None) -> None:
                super().__init__(oid, context)
                self._load = strict(oid, context).load

            def load(self, data: Any) -> Any:
                try:
                    return self._load(data)
                except DataError:
                    return bytes(data).decode()

        return Tolerant

    adapters = connection.adapters
    for name in ("date", "time", "timetz", "timestamp", "timestamptz"):
        oid = adapters.types[name].oid
        adapters.register_loader(oid, tolerant(adapters.get_loader(oid, Loader.format)))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin in `_begin_sqlite`: reads see one state too
    connection.execute("PRAGMA foreign_keys = ON")
    connection.text_factory = _text_or_bytes


def _text_or_bytes(value: bytes) -> str | bytes:
    """Return a text that is not UTF-8 as bytes, so that its record is rejected and not the whole load."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
