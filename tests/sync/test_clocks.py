"""What was first is said by the clock of Redis, to the microsecond, whatever the workers' clocks say."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diffsync_store.runs import find_newer_change
from diffsync_store.store.redis import RedisStore, RedisStores
from tests.servers import RedisServer
from tests.sync.conftest import Bench

real = time.time


@pytest.mark.parametrize("ahead", [-86400, 86400])
def test_all_times_are_those_of_redis_where_the_clock_of_a_worker_is_wrong(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    saved = bench.load({"a": ("new", {"d1": "leaf"})}, {"a": ("old", {})})
    saved.approve(by="ann", reason="")
    saved.apply(bench.source(), bench.target())
    journal, record = saved.journal(), bench.store("target").record()
    approval, application, written = journal.approval(), journal.application(), journal.last_written()
    assert approval is not None
    assert application is not None
    assert written is not None
    entries = [datetime.fromtimestamp(entry.at, UTC) for _, entry in saved.outcomes()]
    times = [record.created, saved.record.created, approval.at, *entries, written, application.at]
    now = datetime.fromtimestamp(real(), UTC)
    assert all(abs(now - at) < timedelta(minutes=5) for at in [*times, record.updated])
    assert times == sorted(times)


def test_the_newest_store_is_the_last_one_written_though_the_other_workers_clock_is_ahead(
    redis_server: RedisServer, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, ahead in ((1, 86400), (2, 0)):
        monkeypatch.setattr(time, "time", lambda ahead=ahead: real() + ahead)
        with (
            RedisStore(name=store_id, store_id=f"{store_id}-{number}", url=redis_server.url, ttl=60) as store,
            store.loading(),
        ):
            pass
    with closing(RedisStores(url=redis_server.url)) as stores:
        assert stores.newest(store_id).store_id == f"{store_id}-2"
        assert abs(stores.now().timestamp() - real()) < 60


@pytest.mark.timeout(600)
def test_a_diff_becomes_stale_within_the_same_second(redis_server: RedisServer, tmp_path: Path) -> None:
    for attempt in range(100):  # one that a busy machine draws out over two seconds shows nothing
        (tmp_path / str(attempt)).mkdir()
        bench = Bench(redis_server.url, tmp_path / str(attempt))
        try:
            if becomes_stale_within_a_second(bench):
                return
        finally:
            bench.close()
    pytest.fail("the test was too slow to show anything")


def becomes_stale_within_a_second(bench: Bench) -> bool:
    """Check that a diff becomes stale; return whether all was done in the same second."""
    time.sleep(1.02 - time.time() % 1)  # early in a second
    saved = bench.load({"a": ("new", {})}, {"a": ("old", {})})
    with closing(RedisStore(store_id=f"{bench.name}-later", url=bench.url, ttl=60)) as later:
        with later.loading():
            pass
        loaded = later.record().created
        other = saved.record.model_copy(update={"diff_id": "other", "target_store_id": later.store_id})
        assert find_newer_change(bench.diffs, other, loaded) is None
        saved.apply(bench.source(), bench.target())
        found = find_newer_change(bench.diffs, other, loaded)
        assert found is not None
        assert found.diff_id == bench.name
    with closing(RedisStore(store_id=later.store_id, url=bench.url, ttl=60)) as again:
        with again.loading():
            pass
        assert find_newer_change(bench.diffs, other, again.record().created) is None
        again.drop()
    return int(found.changed.timestamp()) == int(loaded.timestamp())
