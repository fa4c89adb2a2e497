"""The index that a shard keeps in memory, beside a naive one over the same objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index import format as packed
from diffsync_store.store.index.built_index import BuiltIndex
from diffsync_store.store.index.open_nodes import unpack_open_node
from diffsync_store.store.index.shard_index import ShardIndex

MODELS = ["site", "device", "port"]
IDS = st.sampled_from(["a", "b", "c", "ä", "", "\0", "a\0b", "x" * 300, "🛰"]) | st.text(max_size=3)


@dataclass
class Naive:
    """Objects as a dict of (model, id) to digest and children."""

    objects: dict[tuple[str, str], tuple[bytes, dict[str, list[str]]]] = field(default_factory=dict)

    def edges(self) -> set[tuple[str, str, str, str]]:
        return {
            (child, uid, *parent)
            for parent, (_, children) in self.objects.items()
            for child, uids in children.items()
            for uid in uids
        }

    def counts(self, model: str, uid: str, above: tuple[tuple[str, str], ...] = ()) -> tuple[int, int]:
        key = model, uid
        if key in above:
            raise RecursionError
        if key not in self.objects:
            return 0, 0
        digest, children = self.objects[key]
        if digest.endswith(b"i"):
            return 0, 1
        below = [
            self.counts(child, uid, (*above, key)) for child, uids in children.items() for uid in dict.fromkeys(uids)
        ]
        return 1 + sum(n for n, _ in below), sum(k for _, k in below)


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, str, bytes | None, dict[str, list[str]]]]:
    """Adds, replacements and removals."""
    digest = st.tuples(st.binary(min_size=12, max_size=12), st.sampled_from([b"-", b"-", b"i"])).map(b"".join)
    children = st.dictionaries(st.sampled_from(MODELS), st.lists(IDS, max_size=4), max_size=2)
    return draw(
        st.lists(st.tuples(st.sampled_from(MODELS), IDS, st.none() | digest, children | st.just({})), max_size=30)
    )


def apply(done: list[tuple[str, str, bytes | None, dict[str, list[str]]]]) -> tuple[ShardIndex, Naive]:
    index, naive = ShardIndex(), Naive()
    for model, uid, digest, children in done:
        if digest is None:
            index.remove(model, uid)
            naive.objects.pop((model, uid), None)
        else:
            if len(naive.objects) % 2:
                index.add(model, uid, digest, children)
            else:
                index.add_all(model, [uid], [digest], {uid: children} if children else {})
            naive.objects[model, uid] = digest, children
    return index, naive


def flat(chunks: Iterator[list[tuple[int, bytes]]]) -> dict[int, bytes]:
    return dict(pair for chunk in chunks for pair in chunk)


def decoded_edges(text: bytes) -> Iterator[tuple[str, str, str]]:
    for child, model, parent in packed.unpack_edges(text):
        yield packed.decode_uid(child), packed.decode_uid(model), packed.decode_uid(parent)


@example([("site", "a", bytes(12) + b"-", {"site": ["a", "b"]})], 3)
@given(changes(), st.sampled_from([1, 3]))
def test_it_equals_a_naive_index(done: list[tuple[str, str, bytes | None, dict[str, list[str]]]], shards: int) -> None:
    index, naive = apply(done)
    for name in MODELS:
        for uid in {uid for _, uid, _, _ in done}:
            assert index.contains(name, uid) == ((name, uid) in naive.objects)
    assert len(index) == len(naive.objects)
    built = index.build(shards)
    assert built.counts() == index.counts()
    edges: set[tuple[str, str, str, str]] = set()
    unresolved: set[tuple[str, str, str, str]] = set()
    missing: set[tuple[str, str]] = set()
    for model in built.models():
        buckets = flat(model.entries())
        for bucket in range(1 << model.level):
            entries = dict(packed.unpack_entries(buckets.get(bucket, b"")))
            at = bucket * SIZE
            assert model.sums[at : at + SIZE] == packed.sum_of(entries.values())
            assert packed.pack_entries(packed.pack_entry(*entry) for entry in entries.items()) == buckets.get(
                bucket, b""
            )
            for encoded, digest in entries.items():
                assert packed.bucket_of(encoded, model.level) == bucket
                key = model.name, packed.decode_uid(encoded)
                if digest.endswith(b"m"):
                    missing.add(key)
                else:
                    assert naive.objects[key][0] == digest
        assert sum(map(len, map(list, map(packed.unpack_entries, buckets.values())))) == model.objects + len(
            [key for key in missing if key[0] == model.name]
        )
        for bucket, text in flat(model.edges()).items():
            for edge in decoded_edges(text):
                assert packed.bucket_of(packed.encode_uid(edge[0]), model.level) == bucket
                edges.add((model.name, *edge))
    for name in MODELS:
        unresolved |= edges_of_open_nodes(built, name)
    assert edges | unresolved == naive.edges()
    outside = {edge for edge in naive.edges() if edge[:2] not in naive.objects}
    assert unresolved == (outside if shards > 1 else set())
    assert missing == ({edge[:2] for edge in outside} if shards == 1 else set())
    compare_counts(built, naive)


def edges_of_open_nodes(built: BuiltIndex, model: str) -> set[tuple[str, str, str, str]]:
    return {
        (waiting.model.decode(), packed.decode_uid(child), model, packed.decode_uid(part.uid))
        for chunk in built.open_nodes(model)
        for part in map(unpack_open_node, chunk)
        for waiting in part.waits_for
        if waiting.is_elsewhere
        for child in waiting.uids
    }


def compare_counts(built: BuiltIndex, naive: Naive) -> None:
    """Compares the nodes, unless an object that a diff counts is below itself."""
    try:
        expected = {
            key: naive.counts(*key)
            for key, (digest, children) in naive.objects.items()
            if any(children.values()) or digest.endswith(b"i")
        }
    except RecursionError:
        assert "is below itself" in built.reason
        return
    assert built.reason == ""
    found = {
        (name, packed.decode_uid(uid)): packed.NODE.unpack(node)
        for name in MODELS
        for chunk in built.nodes(name)
        for uid, node in chunk
    }
    totals = {one.name: [one.counted, one.skipped] for one in built.models()}
    resolve(built, found, totals)
    assert found == expected
    for model, total in totals.items():
        assert tuple(total) == sum_of_counts(naive, model)


def resolve(built: BuiltIndex, found: dict[tuple[str, str], tuple[int, int]], totals: dict[str, list[int]]) -> None:
    """Adds the open nodes, as if no other shard had any of the children."""
    parts = [
        (name, part)
        for name in MODELS
        for chunk in built.open_nodes(name)
        for part in map(unpack_open_node, chunk)
        if (name, packed.decode_uid(part.uid)) not in found
    ]
    keys = {(name, part.uid) for name, part in parts}

    def node(key: tuple[str, bytes]) -> tuple[int, int]:
        counted = skipped = 0
        for name, part in parts:
            if (name, part.uid) == key:
                below = [
                    node((waiting.model.decode(), child))
                    for waiting in part.waits_for
                    if not waiting.is_elsewhere
                    for child in waiting.uids
                ]
                counted += part.counted + sum(n for n, _ in below)
                skipped += part.skipped + sum(k for _, k in below)
        return counted, skipped

    for name, uid in keys:
        found[name, packed.decode_uid(uid)] = counts = node((name, uid))
        totals[name][0] += counts[0]
        totals[name][1] += counts[1]


def sum_of_counts(naive: Naive, model: str) -> tuple[int, int]:
    counts = [naive.counts(*key) for key in naive.objects if key[0] == model]
    return sum(n for n, _ in counts), sum(k for _, k in counts)


def test_a_deep_tree_is_counted() -> None:
    index = ShardIndex()
    for number in range(50_000):
        index.add("site", str(number), bytes(12) + b"-", {"site": [str(number + 1)]} if number < 49_999 else {})
    built = index.build()
    assert built.reason == ""
    counts = {int(uid): packed.NODE.unpack(node)[0] for chunk in built.nodes("site") for uid, node in chunk}
    assert counts == {number: 50_000 - number for number in range(49_999)}


@pytest.mark.parametrize("where", ["object", "child", "model"])
def test_an_id_that_is_too_long_is_named(where: str) -> None:
    long, index = "ü" * 32_768, ShardIndex()
    index.add("site" if where != "model" else long, long if where == "object" else "a", bytes(12) + b"-")
    assert ("too long" in index.build().reason) == (where != "child")
    index.add("site", "b", bytes(12) + b"-", {"device": ["c" * 60_000, long if where == "child" else "d" * 60_000]})
    assert "too long" in index.build().reason


@cache
def many() -> BuiltIndex:
    index = ShardIndex()
    for number in range(60_000):
        index.add("device", f"device-{number}", number.to_bytes(12, "big") + b"-", {"port": [f"port-{number}"]})
    return index.build(4)


def test_it_is_read_in_chunks_of_less_than_a_megabyte() -> None:
    sizes = [sum(map(len, chunk)) for chunk in many().open_nodes("device")]
    for model in many().models():
        sizes += [sum(len(text) for _, text in chunk) for of in (model.entries(), model.edges()) for chunk in of]
    assert max(sizes) < 1_000_000
    assert sum(sizes) > 2_000_000


def test_objects_that_are_added_together_are_as_those_added_one_by_one() -> None:
    uids, digests = [str(number) for number in range(500)], [bytes(12) + b"-"] * 500
    children = {uid: {"a": [f"{uid}1", uid]} for uid in uids[::3]}
    together, alone = ShardIndex(), ShardIndex()
    for index in (together, alone):
        index.add("b", "0", bytes(12) + b"i", {"b": ["1"]})
    together.add_all("b", uids, digests, children)
    for uid, digest in zip(uids, digests, strict=True):
        alone.add("b", uid, digest, children.get(uid))
    assert vars(together) == vars(alone)


@pytest.mark.parametrize("shards", [1, 2])
def test_more_objects_than_a_node_can_count_give_a_reason(shards: int) -> None:
    """Each object lists both of the next level, so there are twice as many paths at each level."""
    index, levels = ShardIndex(), 34
    for level in range(levels):
        below = [f"{level + 1}a", f"{level + 1}b"] if level + 1 < levels else []
        for side in "ab":
            index.add("site", f"{level}{side}", bytes(12) + b"-", {"site": below} if below else None)
    assert index.build(shards).reason.startswith("more than 4,294,967,295 objects are below site 1")
