"""Both sides of a sync are loaded: ready adapters at the same time, code of the user in one thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diffsync_store.project import Project, SyncContext
from diffsync_store.runs import load_both, new_id
from diffsync_store.store import BaseStore

FILE = """
models:
  item: {identifiers: {name: str}, attributes: {}}
adapters:
  a: {type: files, settings: {folder: ., format: csv}, records: {item: {from: a.csv}}}
  b: {type: files, settings: {folder: ., format: csv}, records: {item: {from: b.csv}}}
  own: {class: "tests.project.adapters:PlainAdapter"}
  function: {type: python, settings: {module: tests.runs.test_loading}, records: {item: {from: items}}}
  broken: {type: files, settings: {folder: missing, format: csv}, records: {item: {from: "a.csv"}}}
"""


def items() -> Iterator[dict[str, str]]:
    yield {"name": "x"}


@pytest.fixture
def context(redis_url: str, tmp_path: Path) -> Iterator[SyncContext[Project]]:
    (tmp_path / "a.csv").write_text("name\nx\n")
    (tmp_path / "b.csv").write_text("name\nx\ny\n")
    (tmp_path / "syncs.yaml").write_text(FILE)
    with SyncContext(Project(tmp_path / "syncs.yaml", {}), redis_url) as context:
        yield context


@contextmanager
def loaded(context: SyncContext[Project], *names: str, together: int = 0) -> Iterator[dict[str, tuple[str, int]]]:
    """Load adapters; yield the thread and the number of objects of each."""
    ids = {name: new_id(name) for name in names}
    threads: dict[str, str] = {}
    barrier = threading.Barrier(together) if together else None

    @contextmanager
    def watch(adapter: str, store: BaseStore) -> Iterator[None]:
        threads[adapter] = threading.current_thread().name
        if barrier:
            barrier.wait(100)
        yield

    try:
        records: dict[str, Any] = load_both(context, ids, watch)
        yield {name: (threads[name], sum(records[name].counts.values())) for name in names}
    finally:
        for store_id in ids.values():
            with context.open_store(store_id) as store:
                store.drop()


def test_ready_adapters_are_loaded_at_the_same_time(context: SyncContext[Project]) -> None:
    with loaded(context, "a", "b", together=2) as found:
        assert found == {"a": ("load a", 1), "b": ("load b", 2)}


@pytest.mark.parametrize("own", ["own", "function"])
def test_code_of_the_user_is_loaded_in_one_thread(context: SyncContext[Project], own: str) -> None:
    with loaded(context, "a", own) as found:
        assert {thread for thread, _ in found.values()} == {threading.main_thread().name}


def test_the_error_of_a_load_names_the_adapter(context: SyncContext[Project]) -> None:
    with pytest.raises(Exception, match="missing") as caught, loaded(context, "a", "broken"):
        pass
    assert "The load of broken failed." in getattr(caught.value, "__notes__", ())
