import sqlite3
from typing import Any

import pytest
import redis
from prefect import Task
from prefect.logging import disable_run_logger
from prefect.states import Failed
from redis.exceptions import ClusterDownError
from sqlalchemy.exc import IntegrityError, OperationalError

from diffsync_flows import housekeeping
from diffsync_flows.runtime.retries import IO_RETRIES, classify_errors
from diffsync_flows.steps import applying, diffing, loading
from diffsync_store import Adapter, ObjectStoreException, StoreNotFound
from diffsync_store.project import Secrets
from diffsync_store.transient import is_transient, retry_after


def with_cause(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        with_cause(ObjectStoreException("Redis store is unavailable."), redis.ConnectionError("refused")),
        with_cause(ObjectStoreException("Redis store is unavailable."), redis.TimeoutError("slow")),
        with_cause(ObjectStoreException("Redis store is unavailable."), ClusterDownError("CLUSTERDOWN")),
        OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
        ConnectionResetError("gone"),
        TimeoutError(),
        with_cause(RuntimeError("page 7"), BrokenPipeError()),
    ],
)
def test_a_lost_connection_is_transient(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("airports.csv:3: lat: Input should be a valid number"),
        StoreNotFound("no store"),
        with_cause(ObjectStoreException("Redis refuses the password."), redis.AuthenticationError("WRONGPASS")),
        IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE")),
        FileNotFoundError("airports.csv"),
        PermissionError("401"),
    ],
)
def test_a_permanent_error_is_not_transient(error: Exception) -> None:
    assert not is_transient(error)


def test_all_tasks_except_apply_are_retried() -> None:
    modules = (loading, diffing, housekeeping, applying)
    tasks = {found.name: found for module in modules for found in vars(module).values() if isinstance(found, Task)}
    for name in ("apply_diff", "apply_as_agent"):
        applies = tasks.pop(name)
        decides: Any = applies.retry_condition_fn
        for error in (ConnectionResetError("gone"), StoreNotFound("no store")):
            assert not decides(applies, None, Failed(data=error))
    for name, task in tasks.items():
        assert task.retries
        assert task.retry_delay_seconds == ([1, 2, 4, 8, 16, 32] if name == "load_records" else [1, 2, 4, 8])
        assert task.retry_jitter_factor == 0.5
        assert task.retry_condition_fn is IO_RETRIES["retry_condition_fn"]


@pytest.mark.parametrize(
    ("error", "is_tried_again"), [(StoreNotFound("no store"), False), (ConnectionResetError("gone"), True)]
)
def test_only_a_transient_failure_is_retried(error: Exception, is_tried_again: bool) -> None:
    decides = IO_RETRIES["retry_condition_fn"]
    assert decides(loading.load_records, None, Failed(data=error)) is is_tried_again


class ThrottledError(ConnectionError):
    retry_after = 7


def test_retry_after_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("diffsync_flows.runtime.retries.time.sleep", waited.append)
    with disable_run_logger():
        assert IO_RETRIES["retry_condition_fn"](loading.load_records, None, Failed(data=ThrottledError()))
    assert waited == [7]


def test_a_redacted_error_stays_transient() -> None:
    secrets = Secrets()
    secrets.add("correct-horse")
    with pytest.raises(ConnectionError, match=r"\*\*\*") as caught, secrets.redacted_errors():
        raise ThrottledError("correct-horse refused")
    assert is_transient(caught.value)
    assert retry_after(caught.value) == 7


class Own(Adapter):
    transient_errors: tuple[type[Exception], ...] | None = (BlockingIOError,)


class Off(Adapter):
    transient_errors = None


@pytest.mark.parametrize(
    ("adapter", "error", "passes"),
    [
        (Own(), BlockingIOError("pool is empty"), True),
        (Own(), ConnectionResetError("gone"), True),
        (Own(), ValueError("mtu"), False),
        (Off(), ConnectionResetError("gone"), False),
    ],
)
def test_the_adapter_decides_what_is_transient(adapter: Adapter, error: Exception, passes: bool) -> None:
    with pytest.raises(type(error)) as caught, classify_errors(adapter):
        raise error
    assert IO_RETRIES["retry_condition_fn"](loading.load_records, None, Failed(data=caught.value)) is passes
