"""A flow run reads its file once, and everything it opens in Redis shares a connection."""

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from diffsync_flows.config.config import Config
from diffsync_flows.runtime.context import SyncContext
from tests.flows.conftest import Project
from tests.servers import RedisServer

IN_OPEN, IN_CLOSE = 0x20, 0x10
"""Events of inotify on Linux. It merges equal successive events, so a close is needed between two opens."""


class FileOpens:
    """Counts how often any process opens a file while the body runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._events = b""

    def __enter__(self) -> Self:
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._libc.inotify_add_watch(self._descriptor, bytes(self._path), IN_OPEN | IN_CLOSE) >= 0
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BlockingIOError):
            self._events = os.read(self._descriptor, 2**16)
        os.close(self._descriptor)

    @property
    def times(self) -> int:
        return sum(mask == IN_OPEN for _, mask, _, _ in struct.iter_unpack("iIII", self._events))


def connections(redis: RedisServer) -> int:
    """Return the number of connections that the server accepted, including this one."""
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
    assert connections(own_redis) - before <= 3  # of this test, of the context, and of the thread of the lease


def test_an_unused_context_opens_no_connection(own_redis: RedisServer, tmp_path: Path) -> None:
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
    diff_id = project.compare("counted", "counted")
    file = tmp_path / "syncs.yaml"
    file.write_text((project.folder / "syncs.yaml").read_text("utf-8"))
    before = connections(project.redis)
    with FileOpens(file) as opened:
        run = project.run_with({"DIFFSYNC_CONFIG": str(file)}, "sync/counted", diff_id=diff_id)
    assert run.state == "Completed", run.message
    assert opened.times == 1
    assert connections(project.redis) - before <= 4
