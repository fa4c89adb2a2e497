"""The order of a load is kept in pages, from which Redis reads the unique ids again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffsync_store.store.redis.scripts.source import read_source
from diffsync_store.store.redis.writing.page import pack_page
from tests.servers import RedisServer
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, flat

PARTS = st.sampled_from(["", "a", "b", "_", "__", "ä", "\0", "\n", "x" * 300])
UIDS = st.lists(st.lists(PARTS, max_size=4).map("__".join), min_size=1, max_size=8)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Any]:
    with closing(redis_server.client()) as client:
        yield client


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(uids=UIDS)
def test_redis_reads_the_ids_of_a_page_in_their_order(client: Any, uids: list[str]) -> None:
    page = pack_page(7, [uid.encode() for uid in uids])
    assert page[:8] == (7).to_bytes(8, "big")
    found = client.eval(f"{read_source('shared/page')}\nreturn ids_of(ARGV[1])", 0, page)
    assert [uid.decode() for uid in found] == uids


def test_a_common_beginning_is_written_once() -> None:
    uids = [f"a long name of a site__{number}".encode() for number in range(100)]
    assert len(pack_page(1, uids)) < 600


@pytest.mark.parametrize("size", [1, 40_000])
def test_a_page_is_read_in_parts_and_without_what_was_removed(open_redis: OpenStore, size: int) -> None:
    """Large objects end a call of the script within a page."""
    names = [f"d{number:04}" for number in range(1200 if size == 1 else 300)]
    adapter = flat(open_redis())
    with adapter.store.loading():
        for name in names:
            adapter.add(Device(name=name, role="x" * size))
        adapter.store.flush()
        for name in names[::3]:
            adapter.remove(adapter.get(Device, name))
        adapter.add(Device(name=names[0], role="again"))
    adapter.add(Device(name=names[3], role="later"))
    adapter.store.flush()
    expected = [name for number, name in enumerate(names) if number % 3] + [names[0], names[3]]
    other = flat(open_redis())
    assert [device.name for device in other.get_all(Device)] == list(other.store.uids("device")) == expected
    positions = other.store.positions("device", names)
    assert sorted(positions, key=positions.__getitem__) == expected
