"""Skip objects that are equal by their digests. They are counted and never read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diffsync_store._adapter_like import AdapterLike, is_stored
from diffsync_store.store.record import ModelSchema
from diffsync_store.store.subtree_digests import BucketSums, SubtreeDigest, SubtreeDigests

_MIN_EQUAL_BUCKETS = 4
"""If more than one in this many buckets differs, listing the differing objects first does not pay."""


@dataclass(slots=True)
class EqualCounts:
    """Numbers of objects that are equal by their digests."""

    counted: int = 0
    skipped: int = 0


class DigestPruner:
    """Compares the digests of two stores.

    A model is covered only if its digests are equal exactly when a comparison of the objects finds no difference.
    """

    def __init__(self, source: AdapterLike, target: AdapterLike) -> None:
        self._adapters = (source, target)
        self._covered: dict[str, bool] = {}
        self._source: SubtreeDigests | None = None
        self._target: SubtreeDigests | None = None
        if source.store.keeps_digests or target.store.keeps_digests:
            self._source, self._target = source.store.subtree_digests(), target.store.subtree_digests()

    def covers(self, model: str) -> bool:
        """Whether digests are valid for a model and its child models."""
        if self._source is None or self._target is None:
            return False
        covered = self._covered.get(model)
        if covered is None:
            models = self._with_child_models(model, self._source)
            covered = self._covered[model] = all(self._is_covered(name, self._source, self._target) for name in models)
        return covered

    def _with_child_models(self, model: str, digests: SubtreeDigests) -> set[str]:
        found, pending = set[str](), [model]
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += digests.schemas[name].children if name in digests.schemas else ()
        return found

    def _is_covered(self, model: str, source: SubtreeDigests, target: SubtreeDigests) -> bool:
        source_schema, target_schema = source.schemas.get(model), target.schemas.get(model)
        if source_schema is None or target_schema is None:  # one side has no objects of the model, so none can be equal
            return True
        if not source_schema.fingerprint or source_schema.fingerprint != target_schema.fingerprint:
            return False
        if source_schema.children.keys() != target_schema.children.keys():
            return False
        sides = zip(self._adapters, (source_schema, target_schema), strict=True)
        return all(_has_stored_schema(adapter, schema, model) for adapter, schema in sides)

    def equal(self, model: str, source_uids: Sequence[str], target_uids: Iterable[str]) -> dict[str, SubtreeDigest]:
        """Return the objects that are equal on both sides, with everything below them."""
        if self._source is None or self._target is None:
            return {}
        on_target = set(target_uids)
        both = [uid for uid in source_uids if uid in on_target]
        target_digests = zip(both, self._target.of(model, both), strict=True)
        expected = {uid: digest for uid, digest in target_digests if _is_complete(digest)}
        source_digests = zip(expected, self._source.of(model, list(expected)), strict=True)
        return {uid: digest for uid, digest in source_digests if digest == expected[uid]}

    def differing(self, model: str) -> tuple[list[str], list[str], EqualCounts] | None:
        """Return the unique ids of differing objects of a top-level model: the source's, then those only on the target.

        The ids are in no order. Return None if there are no usable sums, or if too many objects differ.
        """
        if self._source is None or self._target is None:
            return None
        source, target = self._source.sums(model), self._target.sums(model)
        if source is None or target is None or source.missing or target.missing:
            return None
        buckets = _differing_buckets(source, target)
        if len(buckets) * _MIN_EQUAL_BUCKETS > max(len(source.buckets), len(target.buckets)):
            return None
        on_source, on_target = self._source.members(model, buckets), self._target.members(model, buckets)
        if not all(map(_is_complete, (*on_source.values(), *on_target.values()))):  # objects of the sums are missing
            return None
        from_source = [uid for uid, digest in on_source.items() if on_target.get(uid) != digest]
        only_target = [uid for uid in on_target if uid not in on_source]
        equal = EqualCounts(source.counted, source.skipped)
        for uid in from_source:
            equal.counted -= on_source[uid].counted
            equal.skipped -= on_source[uid].skipped
        return from_source, only_target, equal


def _has_stored_schema(adapter: AdapterLike, schema: ModelSchema, model: str) -> bool:
    """Whether the adapter's class compares the same as the class that wrote the objects."""
    if is_stored(adapter):
        return True
    declared = getattr(adapter, model, None)
    return declared is None or ModelSchema.of(declared).has_same_digests(schema)


def _is_complete(digest: SubtreeDigest) -> bool:
    return not digest.missing and bool(digest.counted or digest.skipped)


def _differing_buckets(source: BucketSums, target: BucketSums) -> list[int]:
    both = {*source.buckets, *target.buckets}
    return [bucket for bucket in both if source.buckets.get(bucket) != target.buckets.get(bucket)]
