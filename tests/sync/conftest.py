from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.keys import DIFFS, DiffKeys
from tests.servers import RedisServer
from tests.sync.systems import Network, System

Sites = dict[str, tuple[str, dict[str, str]]]


class Bench:
    """A source and a target in Redis, the target's system in a file, and the saved diff of the two."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.name = uuid.uuid4().hex
        self.system = System(folder / "system.sqlite")
        self.diffs = RedisDiffs(url=url)
        self.adapter_class: Callable[..., Network] = Network

    def store(self, side: str) -> RedisStore:
        return RedisStore(store_id=f"{self.name}-{side}", url=self.url)

    def source(self) -> Network:
        return Network("source", self.store("source"))

    def target(self) -> Network:
        """The target as another process finds it."""
        return self.adapter_class("target", self.store("target"), self.system)

    def saved(self) -> SavedDiff:
        return self.diffs.open(self.name)

    def load(self, source: Sites, target: Sites) -> SavedDiff:
        for side, sites in ((self.source(), source), (self.target(), target)):
            with side.store.loading():
                side.put(sites)
            if side.system is not None:
                side.system.fill(side)
            side.store.close()
        found, changed = self.source(), self.target()
        self.diffs.compare(found, changed, self.name)
        return self.saved()

    def is_in_sync(self) -> bool:
        """Whether source, target's store and target's system hold the same."""
        source, target = self.source(), self.target()
        held = {
            (name, obj.get_unique_id()): obj.get_attrs() for name in ("site", "device") for obj in source.get_all(name)
        }
        assert target.diff_from(source).summary()["no-change"] == source.count()
        assert not target.diff_from(source).has_diffs(), target.diff_from(source).str()
        return self.system.records() == held

    def close(self) -> None:
        for side in ("source", "target"):
            with closing(self.store(side)) as store:
                store.drop()
        client: Any = self.diffs._redis
        client.unlink(*DiffKeys(self.name).all())
        client.zrem(DIFFS, self.name)
        assert not [key for key in client.scan_iter(count=1000) if self.name.encode() in key]
        self.diffs.close()


@pytest.fixture
def bench(redis_server: RedisServer, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(redis_server.url, tmp_path)
    yield made
    made.close()
