"""Agents whose answers from Redis are lost, and agents on a Redis that was restarted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from redis.backoff import NoBackoff

from diffsync_store.agents import Agent
from diffsync_store.exceptions import StoreUnavailable, SyncInterrupted
from tests.proxy import Proxy
from tests.servers import RedisServer
from tests.sync.agents.inventory import InventoryBench, Strict
from tests.sync.agents.test_agents import apply, in_threads

SCRIPT = b"EVAL"


@pytest.mark.parametrize("every", [3, 11])
def test_agents_that_lose_answers_do_everything_once(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    monkeypatch.setattr("diffsync_store.store.redis.connection.retry.EqualJitterBackoff", lambda **_: NoBackoff())
    bench = InventoryBench(redis_server.url, tmp_path)
    saved = bench.prepare(random.Random(every))
    with Proxy(redis_server.port) as proxy:
        bench.url = proxy.url
        proxy.lose_answers(SCRIPT, every=every)
        agents = [Agent(name=name, lease=10) for name in ("one", "two", "three")]
        results = in_threads(*(lambda agent=agent: apply(bench, agent) for agent in agents))
        proxy.lose_answers(SCRIPT, every=0)
        assert proxy.lost >= 3
    bench.url = redis_server.url
    errors = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, SyncInterrupted | StoreUnavailable) for error in errors), errors  # too many in a row
    if errors:
        apply(bench, Agent(name="last", lease=10))
    calls = bench.system.calls()
    assert len(calls) == len(set(calls)) == saved.record.operations
    bench.require_in_sync()
    assert isinstance(bench.system, Strict)
    assert bench.system.counted("sync_complete") == 1
    assert saved.journal().application() is not None
    bench.close()


def test_agents_stop_after_a_restart_of_redis_and_resume(tmp_path: Path) -> None:
    """The journal may lack entries then, so everything in doubt is looked up."""
    with RedisServer() as server:
        bench = InventoryBench(server.url, tmp_path)
        saved = bench.prepare(random.Random(11))
        client = server.client()
        run_id = client.hget(saved._keys.writer, "run")
        assert run_id is None

        def restart(call: str) -> None:
            if call.startswith("update"):  # as another server has it
                client.hset(saved._keys.writer, "run", "0" * 40)

        with pytest.raises(SyncInterrupted, match="was restarted or failed over while several agents"):
            apply(bench, Agent(name="one"), after=restart)
        again = apply(bench, Agent(name="two"))
        assert again.is_complete
        assert again.done_before > 0
        calls = bench.system.calls()
        assert len(calls) == len(set(calls)) == saved.record.operations
        bench.require_in_sync()
        client.close()
        bench.close()
