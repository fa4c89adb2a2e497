"""Every test of this folder with adapters runs on each kind of store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import structlog

from tests.behaviour.api import IS_REFERENCE, BaseStore, LocalStore
from tests.behaviour.inventory import Adapters
from tests.behaviour.second_reader import check_second_reader

collect_ignore = ["test_differences.py"] if IS_REFERENCE else []


@pytest.fixture(autouse=True)
def structlog_defaults() -> Iterator[None]:
    """Reset the logging configuration for each test."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


if IS_REFERENCE:

    def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
        if "store_kind" in metafunc.fixturenames:
            metafunc.parametrize("store_kind", ["local"])


@pytest.fixture
def new_store(store_kind: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], BaseStore]]:
    """Creates new stores, which are dropped after the test."""
    if store_kind == "local":
        yield LocalStore
        return
    from diffsync_store.store.redis import RedisStore

    connection = request.getfixturevalue("shared_servers").connection(store_kind)
    with ExitStack() as stack:

        def make() -> BaseStore:
            store = RedisStore(connection=connection, store_id=f"test-{uuid.uuid4().hex}")
            stack.callback(store.close)
            stack.callback(store.drop)
            return store

        yield make


@pytest.fixture
def adapters(new_store: Callable[[], BaseStore], store_kind: str, request: pytest.FixtureRequest) -> Iterator[Adapters]:
    """Creates adapters with new stores. After the test, a second reader of each store must see the same content as its adapter."""
    adapters = Adapters(new_store)
    yield adapters
    if store_kind != "local":
        connection = request.getfixturevalue("shared_servers").connection(store_kind)
        for adapter in adapters.made:
            check_second_reader(adapter, connection)
