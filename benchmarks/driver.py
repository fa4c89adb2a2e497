"""Measure one step in its own process, and print the result as a JSON object.

The same program runs for both libraries; the variable BENCH_LIBRARY names the one to measure. The time of imports is not
measured.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import time
from collections import Counter
from typing import Any

from benchmarks.meter import measured

LIBRARY = os.environ["BENCH_LIBRARY"]
IS_OURS = LIBRARY == "diffsync_store"
MODELS = ("site", "device", "interface")
Results = dict[str, Any]


class Driver:
    """The steps. Each one puts its measurements, and values for the checks, into `results`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.results: Results = {}
        self.is_local = arguments.store == "local"
        self._stores = None if self.is_local else importlib.import_module(f"{LIBRARY}.store.redis")

    def _store(self, store_id: str, url: str = "") -> Any:
        assert self._stores is not None
        return self._stores.RedisStore(name=store_id, store_id=store_id, url=url or self.arguments.url)

    def _open(self, store_id: str) -> Any:
        from benchmarks.inventory import INVENTORIES

        adapter = INVENTORIES[self.arguments.shape]
        return adapter() if self.is_local else adapter(internal_storage_engine=self._store(store_id))

    def _both_sides(self) -> tuple[Any, Any]:
        """Return source and target. Stores in Redis were filled by other processes; local ones are filled here."""
        source, target = self._open(self.arguments.source), self._open(self.arguments.target)
        if self.is_local:
            source.fill(self.arguments.objects, 0)
            target.fill(self.arguments.objects, self.arguments.changed)
        return source, target

    def load(self) -> None:
        """Open a store, fill it and close it; the same calls for both libraries."""
        importlib.import_module("benchmarks.inventory")
        with measured(self.results, self.arguments.url):
            adapter = self._open(self.arguments.target)
            adapter.fill(self.arguments.objects, self.arguments.changed)
            _close(adapter)
        self.results["found"] = (adapter if self.is_local else self._open(self.arguments.target)).count()

    def profile(self) -> None:
        """Load, and sample the stages of the load."""
        from benchmarks.profile import sampled

        importlib.import_module("benchmarks.inventory")
        adapter = self._open(self.arguments.target)
        samples = Counter[str]()
        with measured(self.results), sampled(samples):
            adapter.fill(self.arguments.objects, self.arguments.changed)
            _close(adapter)
        self.results["samples"] = samples

    def load_worker(self) -> None:
        """Load as a worker does: the store becomes complete at the end."""
        importlib.import_module("benchmarks.inventory")
        with measured(self.results, self.arguments.url):
            adapter = self._open(self.arguments.target)
            with adapter.store.loading():
                adapter.fill(self.arguments.objects, self.arguments.changed)
            _close(adapter)
        self.results["found"] = self._open(self.arguments.target).count()

    def build(self) -> None:
        """Build each model, and do not store it."""
        from benchmarks.inventory import BUILD_ONLY

        adapter = BUILD_ONLY[self.arguments.shape]()
        with measured(self.results):
            adapter.fill(self.arguments.objects, self.arguments.changed)

    def bare(self) -> None:
        """Write the content of a loaded store to the empty server at `--other-url`, with a bare pipeline."""
        from benchmarks.bare import copy

        copy(self.results, self.arguments.url, self.arguments.target, self.arguments.other_url)

    def diff(self) -> None:
        """Compare two adapters. The time includes opening stores in Redis, but not filling local ones."""
        importlib.import_module("benchmarks.inventory")
        sides = self._both_sides() if self.is_local else None
        with measured(self.results, self.arguments.url):
            source, target = sides or self._both_sides()
            found = target.diff_from(source)
            self.results["summary"] = found.summary()

    def diff_worker(self) -> None:
        """Compare as a worker does: it has the ids of the stores, but no adapter classes."""
        from diffsync_store import StoredAdapter

        with measured(self.results, self.arguments.url):
            source, target = (
                StoredAdapter(self._store(name)) for name in (self.arguments.source, self.arguments.target)
            )
            found = target.diff_from(source)
            self.results["summary"] = found.summary()

    def save_diff(self) -> None:
        """Compare as a worker does, and save the diff; the target may be on another server."""
        from diffsync_store import StoredAdapter
        from diffsync_store.diffs import RedisDiffs

        with measured(self.results, self.arguments.url):
            source = StoredAdapter(self._store(self.arguments.source))
            target = StoredAdapter(self._store(self.arguments.target, self.arguments.other_url))
            diffs = RedisDiffs(url=self.arguments.url)
            diff_id = diffs.compare(source, target)
        record = diffs.open(diff_id).record
        self.results |= {"summary": record.summary, "elements": record.elements}

    def sync(self) -> None:
        """Apply a diff. The time does not include making the diff."""
        source, target = self._both_sides()
        found = target.diff_from(source)
        with measured(self.results, self.arguments.url):
            target.sync_from(source, diff=found)
            _close(target)
        self.results["summary"] = found.summary()
        if IS_OURS:  # diffsync's RedisStore loses the updates of a sync
            source, target = (source, target) if self.is_local else self._both_sides()
            self.results["left"] = _changes(target.diff_from(source).summary())

    def get_all(self) -> None:
        """Open a store, and read one field of each object of all models."""
        importlib.import_module("benchmarks.inventory")
        with measured(self.results, self.arguments.url):
            adapter = self._open(self.arguments.target)
            objects = [obj for model in MODELS for obj in adapter.get_all(model)]
            self.results["letters"] = sum(len(obj.name) for obj in objects)
        self.results["found"] = len(objects)

    def add_child(self) -> None:
        """Add interfaces to the store, and each of them as a child to one stored device.

        `call_seconds` is the time of the `add_child` calls alone; the other measurements include all of the work.
        """
        importlib.import_module("benchmarks.inventory")
        spent = 0.0
        with measured(self.results, self.arguments.url):
            adapter = self._open(self.arguments.target)
            for device, interface in adapter.one_device(self.arguments.objects):
                start = time.perf_counter()
                device.add_child(interface)
                spent += time.perf_counter() - start
            _close(adapter)
        self.results["call_seconds"] = round(spent, 4)
        stored = adapter if self.is_local else self._open(self.arguments.target)
        self.results["found"] = sum(len(device.interfaces) for device in stored.get_all("device"))


def _close(adapter: Any) -> None:
    """Close the store; those of diffsync write immediately and have no `close`."""
    if hasattr(adapter.store, "close"):
        adapter.store.close()


def _changes(summary: dict[str, int]) -> int:
    return sum(summary[action] for action in ("create", "update", "delete"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", help="name of a method of Driver")
    parser.add_argument("--store", choices=("local", "redis"), required=True)
    parser.add_argument("--shape", choices=("tree", "flat"), default="tree")
    parser.add_argument("--objects", type=int, required=True)
    parser.add_argument("--changed", type=int, default=0)
    parser.add_argument("--url", default="")
    parser.add_argument("--other-url", default="")
    parser.add_argument("--source", default="source")
    parser.add_argument("--target", default="target")
    arguments = parser.parse_args()
    driver = Driver(arguments)
    getattr(driver, arguments.step)()
    driver.results["python"] = platform.python_version()
    driver.results["version"] = importlib.metadata.version(LIBRARY.replace("_", "-"))
    print(json.dumps(driver.results))


if __name__ == "__main__":
    main()
