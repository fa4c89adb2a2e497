"""Errors of a database, in one line and without values of the statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import sqlalchemy as sa

_TRANSIENT_STATES = ("08", "40", "53", "57", "55P03")
"""SQLSTATEs, or how they begin: connection, rollback after a conflict or deadlock, resources, shutdown and timeout, lock."""
_TRANSIENT_NUMBERS = {
    *(1020, 1205, 1213),  # changed meanwhile, waited too long for a lock, deadlock
    *(1040, 1053, 1203, 1226, 1317, 1927, 1969, 3024),  # too many connections, shutdown, interrupted, out of time
    *(2002, 2003, 2006, 2013, 2014, 2027, 2055),  # no connection
}
"""Numbers of MariaDB and MySQL. Their other errors say that a statement is wrong, also those of the class OperationalError."""
_TRANSIENT_OF_SQLITE = {5, 6}
"""SQLITE_BUSY and SQLITE_LOCKED."""
_REFUSED_LOGIN = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")
"""Texts of PostgreSQL, whose errors of a login have no SQLSTATE."""


class DatabaseUnavailable(Exception):
    """The database did not answer, or gave a statement up. The same call may succeed later."""

    is_transient: ClassVar[bool] = True
    was_not_done = False
    """True if nothing of the transaction was done."""


class DatabaseRefused(Exception):
    """The database refuses the login or a statement."""

    is_transient: ClassVar[bool] = False


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Translate the errors of SQLAlchemy.

    Raises:
        DatabaseUnavailable, DatabaseRefused: in place of SQLAlchemy's errors, which contain the statement.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        kind = DatabaseUnavailable if is_transient(error) else DatabaseRefused
        raise kind(f"The database says: {reason(error)}") from error
    except sa.exc.StatementError as error:
        raise DatabaseRefused(reason(error)) from error


def is_transient(error: sa.exc.DBAPIError) -> bool:
    """Whether the same statement may succeed later."""
    if error.connection_invalidated:
        return True
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError):
        return False
    state, number = getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorcode", None)
    if state is not None:
        return str(state).startswith(_TRANSIENT_STATES)
    if number is not None:
        return number & 0xFF in _TRANSIENT_OF_SQLITE
    first = next(iter(getattr(error.orig, "args", ())), None)
    if isinstance(first, int) and first:
        return first in _TRANSIENT_NUMBERS
    return not any(text in str(error.orig) for text in _REFUSED_LOGIN)


def reason(error: BaseException) -> str:
    """Return the message of the database in one line, without the statement and the row that PostgreSQL adds as a detail."""
    orig = getattr(error, "orig", None) or error
    arguments: tuple[object, ...] = getattr(orig, "args", ())
    if len(arguments) == 2 and isinstance(arguments[0], int):  # MariaDB's number and text
        return f"{_first_line(arguments[1])} ({arguments[0]})"
    return _first_line(orig) or type(orig).__name__


def _first_line(text: object) -> str:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[0] if lines else ""
