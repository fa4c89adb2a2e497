"""Comparison of two adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import structlog

from diffsync_store._adapter_like import AdapterLike
from diffsync_store._tree_depth import require_depth
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.diffing.elements import ElementBuilder, Pair
from diffsync_store.diffing.object_comparer import ObjectComparer
from diffsync_store.diffing.pruning import IndexPruner, pruner_for
from diffsync_store.diffing.read_once import ReadOnce
from diffsync_store.diffing.readers import NO_PARENT, Objects, reader_for
from diffsync_store.enum import DiffSyncFlags, DiffSyncModelFlags
from diffsync_store.model import DiffSyncModel

_BATCH = 1000
"""Maximum children that are read at once."""
_FIRST_CHUNK = 50
"""Top-level objects in the first chunk, before the number of objects below them is known."""
_IN_MEMORY = 10_000
"""Target number of objects in memory. The size of a chunk is an estimate."""

_NO_FLAGS = DiffSyncModelFlags.NONE
_IGNORE = DiffSyncModelFlags.IGNORE.value
_SKIP_NEW = DiffSyncModelFlags.SKIP_UNMATCHED_SRC.value
_SKIP_GONE = DiffSyncModelFlags.SKIP_UNMATCHED_DST.value


Siblings = tuple[Pair, Sequence[str], Sequence[str]]
"""A parent and the unique ids of its children of one model, on the source and on the target."""


class Differ:
    """One comparison of a source and a target.

    It compares level by level, in batches over all parents of a level, so that each request reads many objects. Objects
    that are equal by the indexes of the stores are counted and not read.
    """

    def __init__(
        self,
        source: AdapterLike,
        target: AdapterLike,
        flags: DiffSyncFlags,
        diff_class: type[Diff] = Diff,
        callback: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.source = source
        self.target = target
        self.callback = callback
        flags_of_diff = DiffSyncFlags(flags)
        self.keeps_unchanged = DiffSyncFlags.LOG_UNCHANGED_RECORDS in flags_of_diff
        self.skips_creates = DiffSyncFlags.SKIP_UNMATCHED_SRC in flags_of_diff
        self.skips_deletes = DiffSyncFlags.SKIP_UNMATCHED_DST in flags_of_diff
        self.logger = structlog.get_logger().new(src=source, dst=target, flags=flags)
        self.diff = diff_class()
        self.total = 0
        self.comparer = ObjectComparer()
        self.builder = ElementBuilder(source, target, diff_class)
        self.depth = 0
        """Level of the objects that are compared, from the top."""
        self.compared = 0
        """Number of pairs so far."""
        self.pruner: IndexPruner | None = None

    def run(self) -> Diff:
        """Compare the adapters and return the diff."""
        self.diff.load_versions = self.source.store.load_version(), self.target.store.load_version()
        for element in self.elements():
            self.diff.add(element)
        self.diff.complete()
        return self.diff

    def elements(self) -> Iterator[DiffElement]:
        """Yield each top-level element when everything below it is compared. `diff` keeps the counts, not the elements."""
        self.source.store.flush()
        self.target.store.flush()
        self.total = len(self.source) + len(self.target)
        self.logger.debug(f"Diff calculation between these two datasets will involve {self.total} models")
        self.logger.info("Beginning diff calculation")
        self.sides = reader_for(self.source), reader_for(self.target)
        self.uses_adapter_methods = any(side.uses_adapter_methods for side in self.sides)
        models = [model for model in self.target.top_level if model in self.source.top_level]
        self.pruner = self._pruner(models)
        self.once = ReadOnce(self.source, self.target, self.pruner)
        if not models and self.total:
            self.logger.warning("The adapters have no top-level model in common: nothing is compared")
        for model in models:
            for source, target in self._top_level(model):
                yield from self._pop_elements(self._compare(model, source, target))
        for side in self.sides:
            self._skip(sum(side.count(model) for model in side.adapter.top_level if model not in models))
        self.logger.info("Diff calculation complete")

    def _pruner(self, models: list[str]) -> IndexPruner | None:
        """Return what leaves out equal objects; None if all have to be read."""
        if self.keeps_unchanged or self.uses_adapter_methods:
            return None
        return pruner_for(self.source, self.target, models)

    def _pop_elements(self, top: Pair) -> Iterator[DiffElement]:
        self.diff.unchanged += top.unchanged
        for elements in top.below.values():
            elements.reverse()
            while elements:
                yield elements.pop()

    # Top level: all objects of a model, in chunks

    def _top_level(self, model: str) -> Iterator[tuple[Objects, Objects]]:
        """Yield the objects to compare: first those of the source, then those only on the target, each in its order."""
        source, target = self.sides
        if self.pruner is not None and self.pruner.covers(model):
            yield from self._marked_top_level(self.pruner, model)
            return
        for uids in self._chunks(source.uids(model)):
            yield source.objects(model, uids), target.objects(model, uids)
        for uids in self._chunks(target.uids(model)):
            yield {}, target.objects(model, source.missing(model, uids))

    def _marked_top_level(self, pruner: IndexPruner, model: str) -> Iterator[tuple[Objects, Objects]]:
        source, target = self.sides
        self._count_equal(self.diff, *pruner.counts_of_unmarked(model))
        marked = list(pruner.marked(model))
        on_source = source.store.positions(model, marked)
        only_target = target.store.positions(model, [uid for uid in marked if uid not in on_source])
        for uids in self._chunks(_in_order(on_source)):
            found = source.objects(model, uids, below=self.once.below(model, [(uids, uids)]))
            yield found, target.objects(model, uids, self.once.known(model, found))
        for uids in self._chunks(_in_order(only_target)):
            yield {}, target.objects(model, uids)

    def _chunks(self, uids: Iterator[str]) -> Iterator[list[str]]:
        """Yield chunks of unique ids. The size follows from the number of objects below those of earlier chunks."""
        size, compared, read = _FIRST_CHUNK, self.compared, 0
        while chunk := list(islice(uids, size)):
            yield chunk
            read += len(chunk)
            pairs_per_object = (self.compared - compared) / read
            size = min(_BATCH, max(1, int(_IN_MEMORY / max(pairs_per_object, 1))))

    # All levels: two groups of siblings

    def _compare(self, model: str, source: Objects, target: Objects) -> Pair:
        """Compare top-level objects and everything below them; return a pair with the elements below it."""
        top = Pair("", None, None)
        pairs = list(self._pairs(model, source, target))
        self._compare_children(model, pairs)
        self._build(top, model, pairs)
        return top

    def _compare_children(self, model: str, pairs: list[Pair]) -> None:
        """Compare the children of these objects of one model, one child model after the other."""
        self._count_equal_children(model, pairs)
        groups: dict[str, list[Siblings]] = {}
        for pair in pairs:
            shared, one_sided = self.comparer.children(pair.source, pair.target)
            for child, source_field, target_field in shared:
                source_uids: Sequence[str] = getattr(pair.source, source_field) if source_field else NO_PARENT
                target_uids: Sequence[str] = getattr(pair.target, target_field) if target_field else NO_PARENT
                if source_uids or target_uids or self.uses_adapter_methods:
                    pair.below[child] = []
                    groups.setdefault(child, []).append((pair, source_uids, target_uids))
            for obj, field in one_sided:
                self._skip(len(getattr(obj, field)))
        for child, of_child in groups.items():
            for batch in _by_size(self._possibly_different(child, of_child), _BATCH):
                self._compare_groups(child, batch)

    def _count_equal_children(self, model: str, pairs: list[Pair]) -> None:
        """Count the equal children of objects that were read on one side, because they are equal on both; not all were read."""
        pruner = self.pruner
        if pruner is None:
            return
        equal = [pair for pair in pairs if pair.source is pair.target and pruner.is_equal(model, pair.uid)]
        for pair, counts in zip(equal, pruner.counts_below(model, [pair.uid for pair in equal]), strict=True):
            self._count_equal(pair, *counts)
            pair.has_counted = True

    def _possibly_different(self, model: str, groups: list[Siblings]) -> Iterable[Siblings]:
        """Return the groups without the children that are equal by the indexes, which are counted."""
        pruner = self.pruner
        if pruner is None or not pruner.covers(model):
            return groups
        return chain.from_iterable(
            self._without_equal_children(pruner, model, batch) for batch in _by_size(groups, _IN_MEMORY)
        )

    def _without_equal_children(self, pruner: IndexPruner, model: str, groups: list[Siblings]) -> Iterator[Siblings]:
        equal = [pruner.equal_children(pair, model, source, target) for pair, source, target in groups]
        uncounted = [() if group[0].has_counted else of_group for group, of_group in zip(groups, equal, strict=True)]
        counts = iter(pruner.counts_of(model, [uid for of_group in uncounted for uid in of_group]))
        for group, of_group, to_count in zip(groups, equal, uncounted, strict=True):
            for counted, skipped in islice(counts, len(to_count)):
                self._count_equal(group[0], counted, skipped)
            rest = _without(group, of_group) if of_group else group
            if rest[1] or rest[2]:
                yield rest

    def _compare_groups(self, model: str, groups: list[Siblings]) -> None:
        below = self.once.below(model, [(source, target) for _, source, target in groups])
        sources = self.sides[0].children(model, [uids for _, uids, _ in groups], below=below)
        known = self.once.known(model, *sources)
        targets = self.sides[1].children(model, [uids for _, _, uids in groups], known)
        compared: list[tuple[Pair, list[Pair]]] = []
        all_pairs: list[Pair] = []
        for (parent, _, _), source, target in zip(groups, sources, targets, strict=True):
            # Objects are compared only under the same parent: a moved object is a create and a delete.
            pairs = list(self._pairs(model, source, target))
            compared.append((parent, pairs))
            all_pairs += pairs
        self.depth += 1
        require_depth(self.depth)
        self._compare_children(model, all_pairs)
        self.depth -= 1
        for parent, pairs in compared:
            self._build(parent, model, pairs)

    def _build(self, parent: Pair, model: str, pairs: Iterable[Pair]) -> None:
        """Build the elements of differing pairs below a parent, and count the others."""
        found = parent.below.setdefault(model, [])
        for pair in pairs:
            is_built = self.keeps_unchanged or (bool(pair.below) and pair.has_elements_below)
            if is_built or not self.comparer.equal(pair.source, pair.target):
                element = self.builder.build(pair)
                if is_built or element.action is not None:
                    found.append(element)
                    continue
            parent.unchanged += 1 + pair.unchanged

    def _pairs(self, model: str, source: Objects, target: Objects) -> Iterator[Pair]:
        for uid in ordered_union(source, target):
            source_obj, target_obj = source.get(uid), target.get(uid)
            flag = self._skipping_flag(source_obj, target_obj)
            if flag:
                self.logger.debug(f"Skipping due to {flag}", model=model, unique_id=uid)
                self._skip(1)
            else:
                self._count((source_obj is not None) + (target_obj is not None))
                self.compared += 1
                yield Pair(uid, source_obj, target_obj)

    def _skipping_flag(self, source: DiffSyncModel | None, target: DiffSyncModel | None) -> str:
        """Return the flag that keeps an object out of the diff; empty if none does."""
        if target is None and self.skips_creates:
            return "SKIP_UNMATCHED_SRC flag on source adapter"
        if source is None and self.skips_deletes:
            return "SKIP_UNMATCHED_DST flag on source adapter"
        return _model_flag(source, target)

    # Counting

    def _count_equal(self, counts: Diff | Pair, counted: int, skipped: int) -> None:
        counts.unchanged += counted
        self._count(2 * counted)
        self._skip(skipped)

    def _skip(self, objects: int) -> None:
        self.diff.skipped += objects
        self._count(objects)

    def _count(self, objects: int) -> None:
        self.diff.models_processed += objects
        if self.callback is not None and objects:
            self.callback("diff", self.diff.models_processed, self.total)


def _model_flag(source: DiffSyncModel | None, target: DiffSyncModel | None) -> str:
    source_flags = _NO_FLAGS if source is None else source.model_flags
    target_flags = _NO_FLAGS if target is None else target.model_flags
    if source_flags is _NO_FLAGS and target_flags is _NO_FLAGS:
        return ""
    if target is None and source_flags.value & _SKIP_NEW:
        return "SKIP_UNMATCHED_SRC flag on model"
    if source is None and target_flags.value & _SKIP_GONE:
        return "SKIP_UNMATCHED_DST flag on model"
    if source_flags.value & _IGNORE:
        return "IGNORE flag on source object"
    return "IGNORE flag on dest object" if target_flags.value & _IGNORE else ""


def ordered_union(source: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    """Return the keys of the source in order, then those only on the target."""
    return [*source, *(uid for uid in target if uid not in source)]


def _without(group: Siblings, equal: set[str]) -> Siblings:
    pair, source, target = group
    return pair, [uid for uid in source if uid not in equal], [uid for uid in target if uid not in equal]


def _in_order(positions: Mapping[str, float]) -> Iterator[str]:
    return iter(sorted(positions, key=positions.__getitem__))


def _by_size(groups: Iterable[Siblings], size: int) -> Iterator[list[Siblings]]:
    """Yield batches of groups with at least this many children each."""
    batch, children = [], 0
    for group in groups:
        batch.append(group)
        children += len(group[1]) + len(group[2])
        if children >= size:
            yield batch
            batch, children = [], 0
    if batch:
        yield batch
