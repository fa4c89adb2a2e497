"""The index of objects in memory, computed for a comparison with a store that keeps its index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from diffsync_store.model import DiffSyncModel
from diffsync_store.store.digest import SIZE, digest_of
from diffsync_store.store.index.built_index import BuiltModel
from diffsync_store.store.index.format import (
    GROUPS,
    LEAF,
    NODE,
    Totals,
    bucket_of,
    decode_uid,
    encode_uid,
    fold,
    group_of,
    sum_of,
    unpack_edges,
    unpack_entries,
)
from diffsync_store.store.index.shard_index import ShardIndex
from diffsync_store.store.index.store_index import ABSENT, IndexUnusable, Parent, StoreIndex
from diffsync_store.store.record import schema_of

_ONE_SHARD = 0


class LocalIndex(StoreIndex):
    """The index of the objects in these dicts. It is computed at once, and threads may share it.

    Raises:
        IndexUnusable: an object is below itself, its identifiers have changed since it was added, or a unique id is too long.
    """

    def __init__(self, objects: Mapping[str, Mapping[str, DiffSyncModel]]) -> None:
        self.schemas = {
            model: schema_of(sorted(set(map(type, of_model.values())), key=lambda kind: len(kind.__mro__)))
            for model, of_model in objects.items()
            if of_model
        }
        built = _index_of(objects).build()
        if built.reason:
            raise IndexUnusable(built.reason)
        self._models: dict[str, _LocalModel] = {}
        self.totals: dict[str, Totals] = {}
        for model in built.models():
            nodes = {uid: NODE.unpack(node) for chunk in built.nodes(model.name) for uid, node in chunk}
            self._models[model.name] = known = _LocalModel(model, nodes)
            self.totals[model.name] = known.totals

    def sums(self, model: str, level: int, firsts: Sequence[int], count: int) -> bytes:
        sums = self._models[model].sums(level)
        return b"".join(sums[first * SIZE : (first + count) * SIZE] for first in firsts)

    def group_sums(self, model: str, level: int, buckets: Sequence[int]) -> bytes:
        found = self._models[model]
        return b"".join(_group_sums(found.bucket(level, bucket)) for bucket in buckets)

    def entries(self, model: str, level: int, buckets: Sequence[tuple[int, str]]) -> Iterator[tuple[str, bytes]]:
        found = self._models[model]
        for bucket, groups in buckets:
            for uid, digest in found.bucket(level, bucket):
                if groups == "*" or f"{group_of(uid):x}" in groups:
                    yield decode_uid(uid), digest

    def touched(self, model: str, most: int) -> list[str]:
        return []

    def flags(self, model: str, uids: Sequence[str]) -> list[str]:
        found = self._models.get(model)
        return [ABSENT] * len(uids) if found is None else list(map(found.flag, map(encode_uid, uids)))

    def parents(self, model: str, uids: Sequence[str]) -> Iterable[Parent]:
        found = self._models.get(model)
        if found is None:
            return
        children: dict[tuple[bytes, bytes], list[str]] = {}
        for uid in uids:
            for parent in found.parents(encode_uid(uid)):
                children.setdefault(parent, []).append(uid)
        for (parent_model, parent_uid), of_parent in children.items():
            yield Parent(decode_uid(parent_model), decode_uid(parent_uid), of_parent)

    def nodes(self, model: str, uids: Sequence[str]) -> list[tuple[int, int]]:
        nodes = self._models[model].nodes if uids else {}
        return [nodes.get(encode_uid(uid), LEAF) for uid in uids]


class _LocalModel:
    """The index of one model."""

    def __init__(self, model: BuiltModel, nodes: dict[bytes, tuple[int, int]]) -> None:
        self.nodes = nodes
        self._entries = {bucket: packed for chunk in model.entries() for bucket, packed in chunk}
        self._edges = {bucket: packed for chunk in model.edges() for bucket, packed in chunk}
        self._sums = {model.level: model.sums}
        self.totals = Totals(model.level, model.counted, model.skipped, {_ONE_SHARD: model.level})

    def sums(self, level: int) -> bytes:
        if level not in self._sums:
            self._sums[level] = fold(self._sums[self.totals.level], self.totals.level - level)
        return self._sums[level]

    def bucket(self, level: int, bucket: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of a bucket of a level that the index has."""
        finer = self.totals.level - level
        for number in range(bucket << finer, (bucket + 1) << finer):
            yield from unpack_entries(self._entries.get(number, b""))

    def flag(self, uid: bytes) -> str:
        entries = unpack_entries(self._entries.get(bucket_of(uid, self.totals.level), b""))
        return next((chr(digest[SIZE]) for other, digest in entries if other == uid), ABSENT)

    def parents(self, uid: bytes) -> Iterator[tuple[bytes, bytes]]:
        edges = unpack_edges(self._edges.get(bucket_of(uid, self.totals.level), b""))
        return ((model, parent) for child, model, parent in edges if child == uid)


def _group_sums(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    groups: list[list[bytes]] = [[] for _ in range(GROUPS)]
    for uid, digest in entries:
        groups[group_of(uid)].append(digest)
    return b"".join(map(sum_of, groups))


def _index_of(objects: Mapping[str, Mapping[str, DiffSyncModel]]) -> ShardIndex:
    index = ShardIndex()
    for model, of_model in objects.items():
        for uid, obj in of_model.items():
            if obj.get_unique_id() != uid:
                raise IndexUnusable(f"the identifiers of {model} {uid} have changed")
            children = {child: getattr(obj, field) for child, field in obj.get_children_mapping().items()}
            try:
                index.add(model, uid, digest_of(obj), children)
            except TypeError as error:
                raise IndexUnusable(f"{model} {uid} lists children that are not unique ids") from error
    return index
