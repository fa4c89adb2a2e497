"""Cases about stores in Redis: the same results, and loads and syncs in processes of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Barrier

import pytest

from diffsync_store.adapter import Adapter
from diffsync_store.agents import Agent
from diffsync_store.store.base import BaseStore
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record

AGENTS = 3


class Stores:
    """Stores in one Redis: two of the same name share their content, as two processes see it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ids: set[str] = set()

    def new(self, store_id: str = "") -> BaseStore:
        """Return a new object for a store; an empty id makes one."""
        from diffsync_store.store.redis import RedisStore

        store_id = store_id or f"conformance-{uuid.uuid4().hex}"
        self._ids.add(store_id)
        return RedisStore(store_id=store_id, url=self._url)

    def drop(self) -> None:
        """Remove all stores."""
        for store_id in self._ids:
            store = self.new(store_id)
            store.drop()
            store.close()


class StoreCases(Cases):
    """An adapter behaves the same on every store, and what it needs to write survives in the store."""

    @pytest.fixture
    def redis_url(self) -> str:
        """The URL of a Redis. A test class that has one overrides it."""
        pytest.skip(f"{type(self).__name__} has no fixture `redis_url` with the URL of a Redis.")

    @pytest.fixture
    def stores(self, redis_url: str) -> Iterator[Stores]:
        """Stores in Redis, which are removed after the case."""
        stores = Stores(redis_url)
        yield stores
        stores.drop()

    def test_every_store_holds_the_same(self, bench: Bench, stores: Stores) -> None:
        """A load into Redis and a load into memory hold equal objects in the same order."""
        bench.put(bench.some_of_each(3))
        in_redis, in_memory = bench.load(stores.new()), bench.load()
        assert list(in_redis.dict().items()) == list(in_memory.dict().items())
        assert not in_memory.diff_from(in_redis).has_diffs()

    def test_sync_with_a_store_in_redis(self, bench: Bench, stores: Stores) -> None:
        """A sync of all three actions with a target in Redis leaves the system as a sync in memory does."""
        wanted = _prepared(bench)
        bench.sync_all(wanted, bench.load(stores.new()))

    def test_loaded_in_one_process_and_synced_in_another(self, bench: Bench, stores: Stores) -> None:
        """Another adapter, over the store that the first one loaded, changes the system: the ids of the system survive in the store."""
        wanted = _prepared(bench)
        store_id = str(bench.close(bench.load(stores.new())))
        bench.sync_all(wanted, bench.adapter(stores.new(store_id)))

    def test_a_created_record_is_changed_in_another_process(self, bench: Bench, stores: Stores) -> None:
        """Records that one process created are changed and deleted by another, over the same store, without a new load."""
        require(bench, None, "create", "update", "delete")
        sample = next(reversed(bench.samples.values()))
        bench.put([sample.record(0)])
        target = bench.load(stores.new())
        bench.sync_all(sample.records(3), target)
        store_id = str(bench.close(target))
        bench.sync_all([sample.record(0), sample.record(1, second=True)], bench.adapter(stores.new(store_id)))

    def test_a_saved_diff_is_applied_elsewhere_and_resumed(self, bench: Bench, stores: Stores, redis_url: str) -> None:
        """A diff is saved; one process applies it and is interrupted; another goes on: nothing is done twice."""
        from diffsync_store.diffs import RedisDiffs

        wanted = _prepared(bench)
        source, target = bench.wanted(wanted, stores.new()), bench.load(stores.new())
        diffs, diff_id = RedisDiffs(url=redis_url), f"conformance-{uuid.uuid4().hex}"
        diffs.compare(source, target, diff_id)
        source_id, target_id = bench.close(source), bench.close(target)
        first = bench.adapter(stores.new(target_id))
        source = bench.adapter(stores.new(source_id))
        with bench.watching(first) as calls:
            calls.fail(1, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                bench.apply_saved(diffs.open(diff_id), source, first)
        bench.close(first)
        second = bench.adapter(stores.new(target_id))
        assert bench.apply_saved(diffs.open(diff_id), source, second).is_complete
        bench.require_system(wanted)
        diffs.open(diff_id).drop()
        diffs.close()

    def test_several_agents_apply_one_diff(self, bench: Bench, stores: Stores, redis_url: str) -> None:
        """Three agents, each with an adapter of its own, apply one saved diff at the same time: what one writes survives the others."""
        from diffsync_store.diffs import RedisDiffs

        require(bench, None, "create", "update", "delete", "threads")
        tops = [sample for sample in bench.samples.values() if sample.model in bench.models.top_level]
        bench.put(record for sample in tops for record in sample.records(3))
        wanted = [
            record
            for sample in tops
            for record in (sample.record(0), sample.record(1, second=True), *map(sample.record, range(3, 15)))
        ]
        source, target = bench.wanted(wanted, stores.new()), bench.load(stores.new())
        diffs, diff_id = RedisDiffs(url=redis_url), f"conformance-{uuid.uuid4().hex}"
        diffs.compare(source, target, diff_id)
        source_id, target_id = bench.close(source), bench.close(target)
        agents = [(bench.adapter(stores.new(source_id)), bench.adapter(stores.new(target_id))) for _ in range(AGENTS)]
        begin = Barrier(AGENTS)

        def apply(sides: tuple[Adapter, Adapter]) -> None:
            saved = diffs.open(diff_id)
            begin.wait(60)
            bench.apply_saved(saved, *sides, agent=Agent(of=AGENTS), batch_size=2)

        with ThreadPoolExecutor(AGENTS) as pool:
            list(pool.map(apply, agents))
        for adapter in chain.from_iterable(agents):
            bench.close(adapter)
        result = diffs.open(diff_id).round_result()
        assert result is not None
        assert result.is_complete, f"The agents left operations undone: {result.rejects} {result.stopped}"
        bench.require_system(wanted)
        bench.require_no_difference(wanted)
        diffs.open(diff_id).drop()
        diffs.close()


def _prepared(bench: Bench) -> list[Record]:
    """Fill the system; return records that need all three actions."""
    require(bench, None, "create", "update", "delete")
    sample = next(reversed(bench.samples.values()))
    bench.put(sample.records(3))
    return [sample.record(0), sample.record(1, second=True), sample.record(3), sample.record(4)]
