"""Cases about the order of records that depend on each other, and about threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require

WORKERS = pytest.mark.parametrize("workers", [1, 4])


class OrderCases(Cases):
    """What others need is created first and deleted last, also if several threads write."""

    @WORKERS
    def test_everything_from_nothing(self, bench: Bench, workers: int) -> None:
        """An empty system gets all models in one sync: parents and references before the records that need them."""
        require(bench, None, "create", *_threads(workers))
        bench.sync_all(bench.some_of_each(6), workers=workers, batch_size=2)

    @WORKERS
    def test_nothing_from_everything(self, bench: Bench, workers: int) -> None:
        """A full system is emptied in one sync: the records that need others are deleted before them."""
        require(bench, None, "delete", *_threads(workers))
        bench.put(bench.some_of_each(6))
        bench.sync_all([], workers=workers, batch_size=2)

    @WORKERS
    def test_updates_of_everything(self, bench: Bench, workers: int) -> None:
        """Several threads change records of all models, each record once and as wanted."""
        require(bench, None, "update", *_threads(workers))
        bench.put(bench.some_of_each(6))
        bench.sync_all(bench.some_of_each(6, second=True), workers=workers, batch_size=2)

    def test_the_parent_goes_with_its_dependants_and_comes_back(self, bench: Bench) -> None:
        """Everything is created, deleted and created again by one adapter: nothing remembers ids of deleted records."""
        require(bench, None, "create", "delete")
        target = bench.load()
        for records in (bench.some_of_each(2), [], bench.some_of_each(2)):
            bench.sync_all(records, target)

    def test_two_adapters_load_at_once(self, bench: Bench) -> None:
        """Two adapters of the same system load in two threads, and each one holds everything."""
        records = bench.some_of_each(3)
        bench.put(records)
        loaded = _at_once(bench.load, 2)
        for adapter in loaded:
            bench.require_no_difference(records, adapter)


def _threads(workers: int) -> list[str]:
    return ["threads"] if workers > 1 else []


def _at_once(work: Callable[[], Any], number: int) -> list[Any]:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(work())) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(answers) == number, "A thread has raised an error or has not ended."
    return answers
