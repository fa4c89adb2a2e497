"""Leaving out of a comparison what is equal on both sides, by digests: it is counted and never read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diffsync_store.store.record import ModelSchema

if TYPE_CHECKING:
    from diffsync_store._adapter_like import AdapterLike
    from diffsync_store.store.subtree_digests import BucketSums, SubtreeDigest, SubtreeDigests

_MANY = 4
"""Where more than one bucket in so many differs, the objects are gone through in their order instead."""


@dataclass(slots=True)
class Equal:
    """What was left out."""

    counted: int = 0
    skipped: int = 0


class Pruner:
    """Compares the digests of two stores.

    It covers only models whose digests say the same on both sides as a comparison of the objects would.
    """

    def __init__(self, source: AdapterLike, target: AdapterLike) -> None:
        self._sides = (source, target)
        self._covered: dict[str, bool] = {}
        self._source: SubtreeDigests | None = None
        self._target: SubtreeDigests | None = None
        if source.store.keeps_digests or target.store.keeps_digests:
            self._source, self._target = source.store.subtree_digests(), target.store.subtree_digests()

    def covers(self, model: str) -> bool:
        """Whether digests can be used for a model."""
        if self._source is None or self._target is None:
            return False
        known = self._covered.get(model)
        if known is None:
            below = self._at_and_below(model, self._source)
            known = self._covered[model] = all(self._decide(name, self._source, self._target) for name in below)
        return known

    def _at_and_below(self, model: str, side: SubtreeDigests) -> set[str]:
        """The model and those whose objects may stand below its objects."""
        found, ahead = set[str](), [model]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += side.schemas[name].children if name in side.schemas else ()
        return found

    def _decide(self, model: str, source: SubtreeDigests, target: SubtreeDigests) -> bool:
        of_source, of_target = source.schemas.get(model), target.schemas.get(model)
        if of_source is None or of_target is None:  # one side has no such object, so none is equal to another's
            return True
        if not of_source.fingerprint or of_source.fingerprint != of_target.fingerprint:
            return False
        if of_source.children.keys() != of_target.children.keys():
            return False
        sides = zip(self._sides, (of_source, of_target), strict=True)
        return all(_reads_as_written(*side, model) for side in sides)

    def equal(self, model: str, source_uids: Sequence[str], target_uids: Iterable[str]) -> dict[str, SubtreeDigest]:
        """Which objects that both sides have are equal, with all below them."""
        if self._source is None or self._target is None:
            return {}
        on_target = set(target_uids)
        both = [uid for uid in source_uids if uid in on_target]
        found = zip(both, self._target.of(model, both), strict=True)
        others = {uid: subtree for uid, subtree in found if _is_whole(subtree)}
        mine = zip(others, self._source.of(model, list(others)), strict=True)
        return {uid: subtree for uid, subtree in mine if subtree == others[uid]}

    def differing(self, model: str) -> tuple[list[str], list[str], Equal] | None:
        """The unique ids of a top model's objects that differ: the source's, in no order, and what only the target has.

        None where they cannot be told, or are so many that it does not help to know them first.
        """
        if self._source is None or self._target is None:
            return None
        source, target = self._source.sums(model), self._target.sums(model)
        if source is None or target is None or source.missing or target.missing:
            return None
        buckets = _differing_buckets(source, target)
        if len(buckets) * _MANY > max(len(source.buckets), len(target.buckets)):
            return None
        mine, others = self._source.members(model, buckets), self._target.members(model, buckets)
        if not all(map(_is_whole, (*mine.values(), *others.values()))):  # what the sums are of has been lost
            return None
        from_source = [uid for uid, subtree in mine.items() if others.get(uid) != subtree]
        only_target = [uid for uid in others if uid not in mine]
        equal = Equal(source.counted, source.skipped)
        for uid in from_source:
            equal.counted -= mine[uid].counted
            equal.skipped -= mine[uid].skipped
        return from_source, only_target, equal


def _reads_as_written(adapter: AdapterLike, schema: ModelSchema, model: str) -> bool:
    """Whether the adapter's class compares what the class compared that wrote the objects."""
    if adapter._is_stored:
        return True
    declared = getattr(adapter, model, None)
    if declared is None:
        return True
    return ModelSchema.of(declared).has_same_digests(schema)


def _is_whole(subtree: SubtreeDigest) -> bool:
    return not subtree.missing and bool(subtree.counted or subtree.skipped)


def _differing_buckets(source: BucketSums, target: BucketSums) -> list[int]:
    both = {*source.buckets, *target.buckets}
    return [bucket for bucket in both if source.buckets.get(bucket) != target.buckets.get(bucket)]
