"""The bytes of an index."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index import format as index_format

UIDS = st.text(st.characters(), max_size=40).map(index_format.encode_uid)
DIGESTS = st.binary(min_size=SIZE, max_size=SIZE).flatmap(
    lambda digest: st.sampled_from([digest + b"-", digest + b"i"])
)


@given(st.dictionaries(UIDS, DIGESTS, max_size=30))
def test_entries_are_read_as_they_were_written(entries: dict[bytes, bytes]) -> None:
    packed = index_format.pack_entries(index_format.pack_entry(uid, digest) for uid, digest in entries.items())
    reverse = index_format.pack_entries(index_format.pack_entry(uid, entries[uid]) for uid in reversed(entries))
    assert dict(index_format.unpack_entries(packed)) == entries
    assert packed == reverse


@given(st.lists(st.tuples(UIDS, UIDS, UIDS), max_size=20))
def test_edges_are_read_as_they_were_written(edges: list[tuple[bytes, bytes, bytes]]) -> None:
    assert list(index_format.unpack_edges(b"".join(index_format.pack_edge(*edge) for edge in edges))) == edges


@pytest.mark.parametrize("uid", ["", "a", "ä\N{GRINNING FACE}", "\ud800", "\x00\n", "x" * index_format.MAX_TEXT])
def test_any_unique_id_is_kept(uid: str) -> None:
    encoded = index_format.encode_uid(uid)
    assert index_format.fits(encoded)
    assert index_format.decode_uid(encoded) == uid
    [(found, _)] = index_format.unpack_entries(index_format.pack_entry(encoded, bytes(13)))
    assert found == encoded


def test_a_longer_unique_id_does_not_fit() -> None:
    assert not index_format.fits(b"a", b"x" * (index_format.MAX_TEXT + 1))


@given(UIDS, st.integers(1, index_format.MAX_LEVEL))
def test_a_bucket_is_half_of_one_of_the_level_below(uid: bytes, level: int) -> None:
    bucket = index_format.bucket_of(uid, level)
    assert 0 <= bucket < 2**level
    assert bucket // 2 == index_format.bucket_of(uid, level - 1)
    assert 0 <= index_format.group_of(uid) < 16


@pytest.mark.parametrize(
    ("objects", "level"),
    [(0, 0), (1, 0), (64, 0), (65, 1), (128, 1), (129, 2), (1_000_000, 14), (10_000_000, 18), (10**9, 20)],
)
def test_levels_grow_with_the_objects(objects: int, level: int) -> None:
    assert index_format.level_of(objects) == level
    assert index_format.level_of_shard(objects, 1) == level


@given(st.integers(0, 10**8), st.integers(2, 64))
def test_a_shard_has_buckets_for_the_whole_store_unless_it_is_small(own: int, shards: int) -> None:
    level = index_format.level_of_shard(own, shards)
    assert level == 0 or own / 2**level >= 4
    assert level >= index_format.level_of(own * shards) or own / 2 ** (level + 1) < 4 or level == index_format.MAX_LEVEL


@st.composite
def sums(draw: st.DrawFn) -> list[bytes]:
    buckets = 2 ** draw(st.integers(0, 5))
    number = st.one_of(st.integers(0, 256**SIZE - 1), st.just(256**SIZE - 1))
    shard = st.lists(number, min_size=buckets, max_size=buckets)
    return [b"".join(one.to_bytes(SIZE, "big") for one in draw(shard)) for _ in range(draw(st.integers(1, 5)))]


def numbers(packed: bytes) -> list[int]:
    return [int.from_bytes(packed[at : at + SIZE], "big") for at in range(0, len(packed), SIZE)]


@given(sums())
def test_sums_are_added_bucket_by_bucket(shards: list[bytes]) -> None:
    expected = [sum(column) % 256**SIZE for column in zip(*map(numbers, shards), strict=True)]
    assert numbers(index_format.add_sums(*shards)) == expected


@given(sums())
def test_a_level_folds_into_the_one_below(shards: list[bytes]) -> None:
    found, levels = shards[0], (len(shards[0]) // SIZE).bit_length() - 1
    for _ in range(levels):
        expected = [sum(numbers(found)[at : at + 2]) % 256**SIZE for at in range(0, len(found) // SIZE, 2)]
        found = index_format.fold(found)
        assert numbers(found) == expected
    assert found == index_format.fold(shards[0], levels)


def test_sums_of_different_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="different numbers of buckets"):
        index_format.add_sums(bytes(SIZE), bytes(2 * SIZE))
    with pytest.raises(ValueError, match="cannot be folded"):
        index_format.fold(bytes(SIZE))


@given(st.lists(DIGESTS, max_size=20))
def test_the_sum_of_digests_ignores_order_and_flags(digests: list[bytes]) -> None:
    found = index_format.sum_of(digests)
    assert found == index_format.sum_of(digest[:SIZE] for digest in reversed(digests))
    assert numbers(found) == [sum(int.from_bytes(digest[:SIZE], "big") for digest in digests) % 256**SIZE]


def test_large_sums_are_folded_and_added_fast() -> None:
    packed = os.urandom(SIZE << 17)
    began = time.process_time()
    index_format.fold(packed, 17)
    index_format.add_sums(packed, packed)
    assert time.process_time() - began < 0.5  # 25 ms on a quiet machine


def test_totals_are_read_as_they_were_written() -> None:
    totals = index_format.Totals(level=3, counted=10, skipped=2, levels={0: 3, 12: 5})
    assert index_format.Totals.read({key.encode(): b"%d" % value for key, value in totals.fields().items()}) == totals
    assert index_format.Totals.read({}) is None
