"""A store is cut into partitions whose hash slots lie at equal distances, whatever its id."""

from __future__ import annotations

import zlib
from collections import Counter

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from diffsync_store.store.redis.keys import is_id
from diffsync_store.store.redis.partitions import SLOTS, number_for, partition_of, slot_of, tags_of

IDS = st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True)


@given(store_id=IDS, nodes=st.integers(2, 8))
def test_nodes_with_equal_ranges_of_slots_get_equal_parts_of_any_store(store_id: str, nodes: int) -> None:
    tags = tags_of(store_id, number_for(nodes))
    parts = Counter(slot_of(tag) * nodes // SLOTS for tag in tags)
    assert len(parts) == nodes
    assert max(parts.values()) - min(parts.values()) <= 2
    assert max(parts.values()) / min(parts.values()) <= 1.34


@given(store_id=IDS)
def test_three_equal_nodes_differ_by_a_tenth_at_most(store_id: str) -> None:
    parts = Counter(slot_of(tag) * 3 // SLOTS for tag in tags_of(store_id, number_for(3)))
    assert sorted(parts.values()) == [10, 11, 11]


@given(store_id=IDS, number=st.sampled_from([1, 2, 32, 64, 1024]))
def test_the_first_tag_is_the_id_and_no_other_is_the_id_of_a_store(store_id: str, number: int) -> None:
    first, *others = tags_of(store_id, number)
    assert first == store_id
    assert len({first, *others}) == number
    assert not any(map(is_id, others))


def test_the_tags_are_those_that_stores_in_redis_have() -> None:
    """A change makes every store that is on a cluster unreadable."""
    assert tags_of("airports", 4) == ("airports", "airports:772", "airports:332", "airports:404")


@pytest.mark.parametrize(("nodes", "number"), [(0, 1), (1, 32), (3, 32), (4, 32), (5, 64), (100, 1024), (1000, 1024)])
def test_a_larger_cluster_has_more_partitions_and_a_single_server_has_one(nodes: int, number: int) -> None:
    assert number_for(nodes) == number


@given(uid=st.text(), bits=st.integers(0, 10))
def test_the_partition_of_an_id_is_the_beginning_of_its_bucket(uid: str, bits: int) -> None:
    data = uid.encode("utf-8", "surrogatepass")
    assert partition_of(uid, 1 << bits) == (zlib.crc32(data) >> (32 - bits) if bits else 0)


@given(tag=IDS)
def test_a_slot_is_the_one_of_redis(tag: str) -> None:
    assert slot_of(tag) == redis.crc.key_slot(f"dss:{{{tag}}}:record".encode())
