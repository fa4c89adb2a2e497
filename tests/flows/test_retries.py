import sqlite3

import pytest
import redis
from redis.exceptions import ClusterDownError
from sqlalchemy.exc import IntegrityError, OperationalError

from diffsync_store import ObjectStoreException, StoreNotFound
from flows.retries import is_transient


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        caused(ObjectStoreException("Redis store is unavailable."), redis.ConnectionError("refused")),
        caused(ObjectStoreException("Redis store is unavailable."), redis.TimeoutError("slow")),
        caused(ObjectStoreException("Redis store is unavailable."), ClusterDownError("CLUSTERDOWN")),
        OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
        ConnectionResetError("gone"),
        TimeoutError(),
        caused(RuntimeError("page 7"), BrokenPipeError()),
    ],
)
def test_a_lost_connection_is_worth_another_attempt(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("airports.csv:3: lat: Input should be a valid number"),
        StoreNotFound("no store"),
        caused(ObjectStoreException("Redis refuses the password."), redis.AuthenticationError("WRONGPASS")),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE")),
        FileNotFoundError("airports.csv"),
        PermissionError("401"),
    ],
)
def test_what_would_fail_again_is_not_tried_again(error: Exception) -> None:
    assert not is_transient(error)
