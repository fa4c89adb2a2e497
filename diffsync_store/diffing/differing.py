"""Find the objects of a model whose digests differ, without reading all digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index.format import GROUPS
from diffsync_store.store.index.store_index import ABSENT, Difference, StoreIndex

_FIRST_LEVEL = 8
_STEP = 4
"""Levels between the sums that are compared one after the other."""
_BUCKETS = 1000
"""Buckets whose entries are compared at once."""
_ALL = "*"
_MAX_LEVELS_APART = 1
"""If the buckets of the stores are more levels apart, the groups of a bucket are not compared before its entries."""


def differing(source: StoreIndex, target: StoreIndex, model: str) -> Iterator[Difference]:
    """Yield the objects of a model whose digests differ, and those that one side lacks."""
    if model not in source.totals and model not in target.totals:
        return iter(())
    if model not in source.totals or model not in target.totals:
        return _all_of(source, target, model)
    found = source.differing(target, model)
    return _from_both(source, target, model) if found is None else found


def _all_of(source: StoreIndex, target: StoreIndex, model: str) -> Iterator[Difference]:
    """Yield all objects of the side that has some."""
    on_source = model in source.totals
    index = source if on_source else target
    for uid, digest in index.entries(model, 0, [(0, _ALL)]):
        flag = chr(digest[SIZE])
        yield Difference(uid, flag, ABSENT) if on_source else Difference(uid, ABSENT, flag)


def _from_both(source: StoreIndex, target: StoreIndex, model: str) -> Iterator[Difference]:
    """Compare the sums of ever finer levels, then the entries of the buckets that differ."""
    levels = [index.totals[model].level for index in (source, target)]
    level, finest = 0, min(levels)
    step = min(_FIRST_LEVEL, finest)
    buckets: Sequence[int] = [0]
    while buckets:
        firsts = [bucket << step for bucket in buckets]
        sums = [index.sums(model, level + step, firsts, 1 << step) for index in (source, target)]
        numbers = [number for first in firsts for number in range(first, first + (1 << step))]
        buckets = [numbers[place] for place in _unequal(*sums)]
        level += step
        step = min(_STEP, finest - level)
        if not step:
            break
    has_groups = max(levels) - finest <= _MAX_LEVELS_APART
    for at in range(0, len(buckets), _BUCKETS):
        wanted = _with_groups(source, target, model, level, buckets[at : at + _BUCKETS], has_groups=has_groups)
        on_source, on_target = (dict(index.entries(model, level, wanted)) for index in (source, target))
        yield from _compared(on_source, on_target)


def _with_groups(
    source: StoreIndex, target: StoreIndex, model: str, level: int, buckets: Sequence[int], *, has_groups: bool
) -> list[tuple[int, str]]:
    """Return the buckets, each with the groups that differ."""
    if not has_groups:
        return [(bucket, _ALL) for bucket in buckets]
    groups = dict.fromkeys(buckets, "")
    for place in _unequal(*(index.group_sums(model, level, buckets) for index in (source, target))):
        groups[buckets[place // GROUPS]] += f"{place % GROUPS:x}"
    return list(groups.items())


def _unequal(source: bytes, target: bytes) -> Iterator[int]:
    """Yield the places of the sums that differ."""
    for place in range(len(source) // SIZE):
        at = place * SIZE
        if source[at : at + SIZE] != target[at : at + SIZE]:
            yield place


def _compared(source: dict[str, bytes], target: dict[str, bytes]) -> Iterator[Difference]:
    for uid, digest in source.items():
        other = target.pop(uid, None)
        if other != digest:
            yield Difference(uid, chr(digest[SIZE]), ABSENT if other is None else chr(other[SIZE]))
    for uid, digest in target.items():
        yield Difference(uid, ABSENT, chr(digest[SIZE]))
