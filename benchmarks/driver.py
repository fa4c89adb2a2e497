"""One measured step in a process of its own; prints one JSON object.

The same text runs in both environments: which library it measures stands in BENCH_LIBRARY. Libraries are imported
before anything is measured.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import time
from typing import Any

from benchmarks.meter import measured

LIBRARY = os.environ["BENCH_LIBRARY"]
IS_OURS = LIBRARY == "diffsync_store"
MODELS = ("site", "device", "interface")
Results = dict[str, Any]


class Driver:
    """The steps; each puts what it measured, and what it found for the checks, into `results`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.results: Results = {}
        self.is_local = arguments.store == "local"
        self._stores = None if self.is_local else importlib.import_module(f"{LIBRARY}.store.redis")

    def _store(self, store_id: str) -> Any:
        assert self._stores is not None
        return self._stores.RedisStore(name=store_id, store_id=store_id, url=self.arguments.url)

    def _open(self, store_id: str) -> Any:
        from benchmarks.inventory import INVENTORIES

        adapter = INVENTORIES[self.arguments.shape]
        return adapter() if self.is_local else adapter(internal_storage_engine=self._store(store_id))

    def _both_sides(self) -> tuple[Any, Any]:
        """Source and target; stores in Redis were filled by other processes, local ones are filled here."""
        source, target = self._open(self.arguments.source), self._open(self.arguments.target)
        if self.is_local:
            source.fill(self.arguments.objects, 0)
            target.fill(self.arguments.objects, self.arguments.changed)
        return source, target

    def load(self) -> None:
        """Open the store, fill it, close it: the program that diffsync knows, the same for both libraries."""
        importlib.import_module("benchmarks.inventory")
        with measured(self.results, self.arguments.url):
            adapter = self._open(self.arguments.target)
            adapter.fill(self.arguments.objects, self.arguments.changed)
            _close(adapter)
        self.results["found"] = (adapter if self.is_local else self._open(self.arguments.target)).count()

    def load_worker(self) -> None:
        """The same as a worker does it: the store is declared complete."""
        importlib.import_module("benchmarks.inventory")
        with measured(self.results, self.arguments.url):
            adapter = self._open(self.arguments.target)
            with adapter.store.loading():
                adapter.fill(self.arguments.objects, self.arguments.changed)
            _close(adapter)
        self.results["found"] = self._open(self.arguments.target).count()

    def build(self) -> None:
        """Fill an adapter whose `add` does nothing: each model is built, and let go of when the loader does."""
        from benchmarks.inventory import Building

        adapter = Building()
        with measured(self.results):
            adapter.fill(self.arguments.objects, self.arguments.changed)

    def bare(self) -> None:
        """What a load has written, written again by a bare pipeline to the empty server at `--other-url`."""
        from benchmarks.bare import copy

        copy(self.results, self.arguments.url, self.arguments.target, self.arguments.other_url)

    def diff(self) -> None:
        """With stores in Redis they are opened within the time; local ones are filled before it."""
        importlib.import_module("benchmarks.inventory")
        sides = self._both_sides() if self.is_local else None
        with measured(self.results, self.arguments.url):
            source, target = sides or self._both_sides()
            found = target.diff_from(source)
            self.results["summary"] = found.summary()

    def diff_worker(self) -> None:
        """The same as a worker does it: it knows the stores' ids and none of the adapters' code."""
        from diffsync_store import StoredAdapter

        with measured(self.results, self.arguments.url):
            source, target = (
                StoredAdapter(self._store(name)) for name in (self.arguments.source, self.arguments.target)
            )
            found = target.diff_from(source)
            self.results["summary"] = found.summary()

    def sync(self) -> None:
        """Apply a diff that was made before, in the same process; the diff is not in the time."""
        source, target = self._both_sides()
        found = target.diff_from(source)
        with measured(self.results, self.arguments.url):
            target.sync_from(source, diff=found)
            _close(target)
        self.results["summary"] = found.summary()
        if IS_OURS:  # diffsync's RedisStore loses what a sync updates
            source, target = (source, target) if self.is_local else self._both_sides()
            self.results["left"] = _changes(target.diff_from(source).summary())

    def get_all(self) -> None:
        """Open the store and read all objects of all models, with a field of each."""
        importlib.import_module("benchmarks.inventory")
        with measured(self.results, self.arguments.url):
            adapter = self._open(self.arguments.target)
            objects = [obj for model in MODELS for obj in adapter.get_all(model)]
            self.results["letters"] = sum(len(obj.name) for obj in objects)
        self.results["found"] = len(objects)

    def add_child(self) -> None:
        """Add interfaces to the store, each also as a child of one stored device.

        `call_seconds` are those of the calls of `add_child` alone; the other figures are of everything.
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
    """diffsync's stores write at once and have nothing to close."""
    if hasattr(adapter.store, "close"):
        adapter.store.close()


def _changes(summary: dict[str, int]) -> int:
    return sum(summary[action] for action in ("create", "update", "delete"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", help="a method of Driver")
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
