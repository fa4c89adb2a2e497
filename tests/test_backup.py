"""The steps of the page on backup."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from diffsync_store.stored_adapter import StoredAdapter
from tests.conftest import demand
from tests.servers import MissingPart, RedisServer, wait_until
from tests.store.inventory import Inventory, Site


def copying_program() -> str:
    found = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if found is None:
        raise MissingPart("redis-cli", "apt-get install redis-tools")
    return found


class Restored(RedisServer):
    """A server that starts with a copy, as the page describes."""

    def __init__(self, kind: str, copy: Path) -> None:
        super().__init__(kind)
        self._copy = copy

    def prepare(self) -> None:
        super().prepare()
        shutil.copy(self._copy, self.directory / "dump.rdb")


def save_an_approved_diff(url: str) -> str:
    with RedisStore(name="source", store_id="source", url=url) as store, store.loading():
        inventory = Inventory(internal_storage_engine=store)
        inventory.add(Site(name="zrh"))
    with RedisStore(name="target", store_id="target", url=url) as store, store.loading():
        Inventory(internal_storage_engine=store)
    with (
        closing(RedisDiffs(url=url)) as diffs,
        RedisStore(store_id="source", url=url) as source,
        RedisStore(store_id="target", url=url) as target,
    ):
        diff_id = diffs.compare(StoredAdapter(source), StoredAdapter(target))
        diffs.open(diff_id).approve(by="ann", reason="CHG-4711")
    return diff_id


def expect_content(url: str, diff_id: str) -> None:
    with closing(RedisDiffs(url=url)) as diffs, RedisStore(store_id="source", url=url) as store:
        saved = diffs.open(diff_id)
        approval = saved.journal().approval()
        assert approval is not None
        assert (approval.by, approval.reason) == ("ann", "CHG-4711")
        assert [operation.name for operation in saved.operations()] == ["zrh"]
        assert store.record().counts == {"site": 1}


@pytest.mark.slow
def test_a_restore_brings_back_stores_diffs_and_approvals(redis_kind: str, tmp_path: Path) -> None:
    program, copy = demand(copying_program), tmp_path / "stores.rdb"
    with demand(lambda: RedisServer(redis_kind, "--appendonly", "yes")) as server:
        diff_id = save_an_approved_diff(server.url)
        subprocess.run([program, "-p", str(server.port), "--rdb", copy], check=True, capture_output=True, timeout=100)
    with Restored(redis_kind, copy) as restored:
        expect_content(restored.url, diff_id)
        with restored.client() as client:
            client.config_set("appendonly", "yes")
            wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], 100)
        restored.stop()
        (restored.directory / "dump.rdb").unlink(missing_ok=True)
        restored.options = ("--appendonly", "yes")
        restored.start()
        expect_content(restored.url, diff_id)
