"""A flow run reads its file once, and everything it opens in Redis shares a connection."""

import os
import threading
from pathlib import Path
from typing import Self

import pytest

from diffsync_flows.config.config import Config
from diffsync_flows.runtime.context import SyncContext
from tests.flows.conftest import Project
from tests.servers import RedisServer


class CountedFile:
    """A file that counts how often it is read."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.reads = 0
        self._text = text
        self._ended = threading.Event()
        os.mkfifo(path)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.path.read_text("utf-8")
        self._thread.join()

    def _serve(self) -> None:
        while True:
            with self.path.open("w", encoding="utf-8") as pipe:
                if self._ended.is_set():
                    return
                self.reads += 1
                pipe.write(self._text)


def connections(redis: RedisServer) -> int:
    """How many connections the server has accepted, this one included."""
    with redis.client() as client:
        return int(client.info("stats")["total_connections_received"])


def test_stores_diffs_leases_and_the_catalog_share_one_connection(own_redis: RedisServer, tmp_path: Path) -> None:
    file = tmp_path / "syncs.yaml"
    file.write_text(f"store: {{url: '{own_redis.url}'}}")
    before = connections(own_redis)
    with SyncContext(Config(file)) as context:
        with context.open_store("one", name="netbox") as store, store.loading():
            pass
        with context.open_store("two") as other, context.leases().take("target", "a test"):
            assert not other.count()
        assert [found.store_id for found in context.stores().list()] == ["one"]
        assert list(context.diffs().list()) == []
        assert context.newest_store("netbox").store_id == "one"
    assert connections(own_redis) - before <= 3  # this test's own, the context's, and that of the lease's thread


def test_nothing_is_opened_that_is_not_used(own_redis: RedisServer, tmp_path: Path) -> None:
    file = tmp_path / "syncs.yaml"
    file.write_text(f"store: {{url: '{own_redis.url}'}}")
    before = connections(own_redis)
    with SyncContext(Config(file)) as context:
        assert context.project.syncs == {}
    assert connections(own_redis) - before == 1


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sync_reads_its_file_once_and_opens_few_connections(project: Project, tmp_path: Path) -> None:
    diff_id = project.compare("cleared", "counted")
    before = connections(project.redis)
    with CountedFile(tmp_path / "syncs.yaml", (project.folder / "syncs.yaml").read_text("utf-8")) as file:
        run = project.run_with({"DIFFSYNC_CONFIG": str(file.path)}, "sync/cleared", diff_id=diff_id)
    assert run.state == "Completed", run.message
    assert file.reads == 1
    assert connections(project.redis) - before <= 4
