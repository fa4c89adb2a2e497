"""Comparing two adapters: their objects in, a Diff out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import structlog

from diffsync_store._tree_depth import require_depth
from diffsync_store.compare import normal_forms
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.diffing.digest_pruning import Pruner
from diffsync_store.diffing.object_comparer import ObjectComparer
from diffsync_store.diffing.sides import ABSENT, Objects, side_of
from diffsync_store.enum import DiffSyncFlags, DiffSyncModelFlags
from diffsync_store.exceptions import DiffClassMismatch
from diffsync_store.redaction import secret_fields
from diffsync_store.values.codec import equal

if TYPE_CHECKING:
    from diffsync_store._adapter_like import AdapterLike
    from diffsync_store.model import DiffSyncModel

_BATCH = 1000
"""Objects that are fetched from a store at once."""
_FEW = 50
"""Objects of the top that are compared at once, with all below them, until it is known how much that is."""
_AT_ONCE = 10_000
"""Objects to have in memory at once, as far as it can be foreseen."""

_NO_FLAGS = DiffSyncModelFlags.NONE
_IGNORE = DiffSyncModelFlags.IGNORE.value
_SKIP_NEW = DiffSyncModelFlags.SKIP_UNMATCHED_SRC.value
_SKIP_GONE = DiffSyncModelFlags.SKIP_UNMATCHED_DST.value


class Pair:
    """An object on both sides, or on one, and what was found below it."""

    __slots__ = ("below", "source", "target", "uid", "unchanged")

    def __init__(self, uid: str, source: DiffSyncModel | None, target: DiffSyncModel | None) -> None:
        self.uid = uid
        self.source = source
        self.target = target
        self.below: dict[str, list[DiffElement]] = {}
        """What was found below, by model, in the order in which the object's class names its child models."""
        self.unchanged = 0
        """Objects below that are equal and not built."""

    @property
    def has_found(self) -> bool:
        """Whether anything was found below it."""
        return any(self.below.values())


Family = tuple[Pair, Sequence[str], Sequence[str]]
"""A parent and the unique ids of its children of one model, on the source's side and on the target's."""


class Differ:
    """One comparison of a source and a target.

    It goes down level by level, in batches over all parents of a level, so that a store is asked once for many objects.
    What digests show to be equal is counted and not asked for.
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
        self.diff_class = diff_class
        self.callback = callback
        asked = DiffSyncFlags(flags)
        self.keeps_unchanged = DiffSyncFlags.LOG_UNCHANGED_RECORDS in asked
        self.skips_new = DiffSyncFlags.SKIP_UNMATCHED_SRC in asked
        self.skips_gone = DiffSyncFlags.SKIP_UNMATCHED_DST in asked
        self.logger = structlog.get_logger().new(src=source, dst=target, flags=flags)
        self.diff = diff_class()
        self.total = 0
        self.names = {"source_name": str(source.name), "dest_name": str(target.name)}
        self.alike = ObjectComparer()
        self.secrets: dict[tuple[str, type, type], frozenset[str]] = {}
        self.depth = 0
        """Levels above those that are compared."""
        self.compared = 0
        """Pairs of objects that were looked at."""

    def run(self) -> Diff:
        """Compare."""
        self.diff.load_versions = self.source.store.load_version(), self.target.store.load_version()
        for element in self.elements():
            self.diff.add(element)
        self.diff.complete()
        return self.diff

    def elements(self) -> Iterator[DiffElement]:
        """Compare, and give each element of the top away when all below it is done; `diff` has the counts meanwhile."""
        self.source.store.flush()
        self.target.store.flush()
        self.pruner = Pruner(self.source, self.target)
        self.total = len(self.source) + len(self.target)
        self.logger.debug(f"Diff calculation between these two datasets will involve {self.total} models")
        self.logger.info("Beginning diff calculation")
        self.sides = side_of(self.source), side_of(self.target)
        self.asks = any(side.is_asked for side in self.sides)
        models = [model for model in self.target.top_level if model in self.source.top_level]
        if not models and self.total:
            self.logger.warning("The two have no top-level model in common, so nothing is compared")
        for model in models:
            for source, target in self._top_level(model):
                yield from self._given_away(self._compare(model, source, target))
        for side in self.sides:
            alone = sum(side.count(model) for model in side.adapter.top_level if model not in models)
            self._skip(alone)
        self.logger.info("Diff calculation complete")

    def _given_away(self, top: Pair) -> Iterator[DiffElement]:
        """What was found, without keeping it."""
        self.diff.unchanged += top.unchanged
        for found in top.below.values():
            found.reverse()
            while found:
                yield found.pop()

    # The top: all objects of a model, in pieces

    def _top_level(self, model: str) -> Iterator[tuple[Objects, Objects]]:
        """The objects to compare: those of the source in its order, then what only the target has in its."""
        source, target = self.sides
        covered = self._covers(model)
        found = self.pruner.differing(model) if covered else None
        if found is not None:
            from_source, only_target, equal = found
            self._leave_out(self.diff, equal.counted, equal.skipped)
            for uids in self._pieces(_in_order(source.store.positions(model, from_source))):
                yield source.objects(model, uids), target.objects(model, uids)
            for uids in self._pieces(_in_order(target.store.positions(model, only_target))):
                yield {}, target.objects(model, uids)
            return
        for uids in self._pieces(source.uids(model)):
            wanted = self._left(self.diff, self.pruner.equal(model, uids, uids), uids, uids)[0] if covered else uids
            yield source.objects(model, wanted), target.objects(model, wanted)
        for uids in self._pieces(target.uids(model)):
            yield {}, target.objects(model, source.lacking(model, uids))

    def _pieces(self, uids: Iterator[str]) -> Iterator[list[str]]:
        """Pieces of the top that are no more than is to be in memory at once, judged by the pieces before."""
        size, compared, given = _FEW, self.compared, 0
        while piece := list(islice(uids, size)):
            yield piece
            given += len(piece)
            below = (self.compared - compared) / given
            size = min(_BATCH, max(1, int(_AT_ONCE / max(below, 1))))

    # Everywhere: two groups of siblings

    def _compare(self, model: str, source: Objects, target: Objects) -> Pair:
        """Compare objects of the top, and all below them; what was found stands below the answer."""
        top = Pair("", None, None)
        pairs = list(self._pairs(model, source, target))
        self._compare_children(pairs)
        self._keep(top, model, pairs)
        return top

    def _compare_children(self, pairs: list[Pair]) -> None:
        """Compare what stands below these objects, one child model after the other."""
        families: dict[str, list[Family]] = {}
        for pair in pairs:
            shared, alone = self.alike.children(pair.source, pair.target)
            for model, source_field, target_field in shared:
                source_uids: Sequence[str] = getattr(pair.source, source_field) if source_field else ABSENT
                target_uids: Sequence[str] = getattr(pair.target, target_field) if target_field else ABSENT
                if source_uids or target_uids or self.asks:
                    pair.below[model] = []
                    families.setdefault(model, []).append((pair, source_uids, target_uids))
            for obj, field in alone:
                self._skip(len(getattr(obj, field)))
        for model, of_model in families.items():
            for batch in _by_size(self._differing(model, of_model), _BATCH):
                self._compare_families(model, batch)

    def _differing(self, model: str, families: list[Family]) -> Iterable[Family]:
        """The families without the children that are equal by their digests."""
        if not self._covers(model):
            return families
        return chain.from_iterable(self._without_equal_children(model, batch) for batch in _by_size(families, _AT_ONCE))

    def _without_equal_children(self, model: str, families: list[Family]) -> Iterable[Family]:
        source_uids = [uid for _, uids, _ in families for uid in uids]
        target_uids = [uid for _, _, uids in families for uid in uids]
        equal = self.pruner.equal(model, source_uids, target_uids)
        if not equal:
            return families
        left = ((pair, *self._left(pair, equal, source, target)) for pair, source, target in families)
        return (family for family in left if family[1] or family[2])

    def _compare_families(self, model: str, families: list[Family]) -> None:
        sources = self.sides[0].children(model, [uids for _, uids, _ in families])
        targets = self.sides[1].children(model, [uids for _, _, uids in families])
        compared: list[tuple[Pair, list[Pair]]] = []
        everyone: list[Pair] = []
        for (parent, _, _), source, target in zip(families, sources, targets, strict=True):
            # Only what both sides list under this parent is compared: an object that has moved is another's child.
            pairs = list(self._pairs(model, source, target))
            compared.append((parent, pairs))
            everyone += pairs
        self.depth += 1
        require_depth(self.depth)
        self._compare_children(everyone)
        self.depth -= 1
        for parent, pairs in compared:
            self._keep(parent, model, pairs)

    def _keep(self, place: Pair, model: str, pairs: Iterable[Pair]) -> None:
        """Build what differs, and count the rest."""
        found = place.below.setdefault(model, [])
        for pair in pairs:
            is_kept = self.keeps_unchanged or (bool(pair.below) and pair.has_found)
            if is_kept or not self.alike.equal(pair.source, pair.target):
                element = self._element(pair)
                if is_kept or element.action is not None:
                    found.append(element)
                    continue
            place.unchanged += 1 + pair.unchanged

    def _pairs(self, model: str, source: Objects, target: Objects) -> Iterator[Pair]:
        for uid in union(source, target):
            source_obj, target_obj = source.get(uid), target.get(uid)
            why = self._why_skipped(source_obj, target_obj)
            if why:
                self.logger.debug(f"Skipping due to {why}", model=model, unique_id=uid)
                self._skip(1)
            else:
                self._count((source_obj is not None) + (target_obj is not None))
                self.compared += 1
                yield Pair(uid, source_obj, target_obj)

    def _why_skipped(self, source: DiffSyncModel | None, target: DiffSyncModel | None) -> str:
        """The flag that keeps an object out of the diff; empty where none does."""
        if target is None and self.skips_new:
            return "SKIP_UNMATCHED_SRC flag on source adapter"
        if source is None and self.skips_gone:
            return "SKIP_UNMATCHED_DST flag on source adapter"
        return _flag_that_skips(source, target)

    def _element(self, pair: Pair) -> DiffElement:
        source, target = pair.source, pair.target
        obj: Any = source if source is not None else target
        model, name, keys = obj.get_type(), obj.get_shortname(), obj.get_identifiers()
        if source is not None and target is not None:
            _check_comparable(model, name, keys, target, target.get_identifiers())
        element = DiffElement(model, name, keys, diff_class=self.diff_class, **self.names)
        element.uid = pair.uid
        if secrets := self._secrets(model, source, target):
            element._secrets = secrets
        if source is not None:
            element.source_attrs = source.get_attrs()
            element.flags |= source.model_flags.value
        if target is not None:
            element.dest_attrs = target.get_attrs()
            element.flags |= target.model_flags.value
        if source is not None and target is not None:
            element.equal = _equal_forms(source, target)
        for below in chain.from_iterable(pair.below.values()):
            element.add_child(below)
        element.child_diff.unchanged = pair.unchanged
        return element

    def _secrets(self, model: str, source: DiffSyncModel | None, target: DiffSyncModel | None) -> frozenset[str]:
        """The fields that either side's class declares as secret."""
        key = model, type(source), type(target)
        found = self.secrets.get(key)
        if found is None:
            classes = (getattr(side, model, None) for side in (self.source, self.target))
            found = self.secrets[key] = secret_fields(type(source), type(target), *classes)
        return found

    # What is equal by its digests

    def _covers(self, model: str) -> bool:
        return not (self.keeps_unchanged or self.asks) and self.pruner.covers(model)

    def _left(
        self, place: Diff | Pair, equal: Mapping[str, Any], source: Sequence[str], target: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """What is left of siblings without those that are equal: these are counted at the place."""
        on_target = set(target)
        both = {uid for uid in source if uid in equal and uid in on_target}
        if not both:
            return source, target
        for uid in both:
            self._leave_out(place, equal[uid].counted, equal[uid].skipped)
        return [uid for uid in source if uid not in both], [uid for uid in target if uid not in both]

    # Counting

    def _leave_out(self, place: Diff | Pair, counted: int, skipped: int) -> None:
        place.unchanged += counted
        self._count(2 * counted)
        self._skip(skipped)

    def _skip(self, objects: int) -> None:
        self.diff.skipped += objects
        self._count(objects)

    def _count(self, objects: int) -> None:
        self.diff.models_processed += objects
        if self.callback is not None and objects:
            self.callback("diff", self.diff.models_processed, self.total)


def _flag_that_skips(source: DiffSyncModel | None, target: DiffSyncModel | None) -> str:
    of_source = _NO_FLAGS if source is None else source.model_flags
    of_target = _NO_FLAGS if target is None else target.model_flags
    if of_source is _NO_FLAGS and of_target is _NO_FLAGS:
        return ""
    if target is None and of_source.value & _SKIP_NEW:
        return "SKIP_UNMATCHED_SRC flag on model"
    if source is None and of_target.value & _SKIP_GONE:
        return "SKIP_UNMATCHED_DST flag on model"
    if of_source.value & _IGNORE:
        return "IGNORE flag on source object"
    return "IGNORE flag on dest object" if of_target.value & _IGNORE else ""


def _equal_forms(source: DiffSyncModel, target: DiffSyncModel) -> frozenset[str]:
    """The attributes that say how they compare and are equal by that."""
    mine = normal_forms(source)
    others = normal_forms(target) if mine else mine
    return frozenset(name for name in mine if name in others and mine[name] == others[name])


def _check_comparable(
    model: str, name: str, keys: dict[str, Any], target: DiffSyncModel, target_keys: dict[str, Any]
) -> None:
    """Refuse to compare a source object with a target object that has its unique id and is not alike.

    Raises:
        DiffClassMismatch: they are of different models.
        ValueError: they have different names or identifiers.
    """
    if target.get_type() != model:
        raise DiffClassMismatch(f"Type mismatch: {model} vs {target.get_type()}")
    if target.get_shortname() != name:
        raise ValueError(f"Shortname mismatch: {name} vs {target.get_shortname()}")
    if not equal(target_keys, keys):
        raise ValueError(f"Keys mismatch: {keys} vs {target_keys}")


def union(source: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    """What the source has, in its order, then what only the target has."""
    return [*source, *(uid for uid in target if uid not in source)]


def _in_order(places: Mapping[str, float]) -> Iterator[str]:
    return iter(sorted(places, key=places.__getitem__))


def _by_size(families: Iterable[Family], most: int) -> Iterator[list[Family]]:
    """Families together until they have so many children."""
    batch, size = [], 0
    for family in families:
        batch.append(family)
        size += len(family[1]) + len(family[2])
        if size >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
