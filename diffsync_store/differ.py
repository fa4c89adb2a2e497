"""Comparing two adapters: their objects in, a Diff out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from diffsync_store.canonical import canonical
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncFlags, DiffSyncModelFlags
from diffsync_store.exceptions import DiffClassMismatch, ObjectNotFound

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.model import DiffSyncModel

_BATCH = 1000
"""Objects that are fetched from a store at once."""

_LEFT_OUT_OF_SOURCE = DiffSyncModelFlags.IGNORE | DiffSyncModelFlags.SKIP_UNMATCHED_SRC
_LEFT_OUT_OF_TARGET = DiffSyncModelFlags.IGNORE | DiffSyncModelFlags.SKIP_UNMATCHED_DST

Objects = Mapping[str, "DiffSyncModel"]
Pair = tuple[DiffElement, "DiffSyncModel | None", "DiffSyncModel | None"]
Family = tuple[DiffElement, list[str], list[str]]
"""An element and the unique ids of its children of one model, on the source's side and on the target's."""


class Differ:
    """One comparison of a source and a target.

    It goes down level by level, in batches over all parents of a level, so that a store is asked once for many objects.
    """

    def __init__(
        self,
        source: Adapter,
        target: Adapter,
        flags: DiffSyncFlags,
        diff_class: type[Diff] = Diff,
        callback: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.source = source
        self.target = target
        self.flags = flags
        self.diff_class = diff_class
        self.callback = callback
        self.keeps_unchanged = DiffSyncFlags.LOG_UNCHANGED_RECORDS in flags
        self.logger = structlog.get_logger().new(src=source, dst=target, flags=flags)
        # JSON's values on one side only: the other side's are brought to the same form.
        self.as_values = canonical if source._is_stored != target._is_stored else _unchanged
        self.diff = diff_class()
        self.total = 0
        self.names = {"source_name": str(source.name), "dest_name": str(target.name)}

    def run(self) -> Diff:
        """Compare."""
        self.source.store.flush()
        self.target.store.flush()
        self.total = len(self.source) + len(self.target)
        self.logger.debug(f"Diff calculation between these two datasets will involve {self.total} models")
        self.logger.info("Beginning diff calculation")
        models = [model for model in self.target.top_level if model in self.source.top_level]
        if not models and self.total:
            self.logger.warning("The two have no top-level model in common, so nothing is compared")
        for model in models:
            self._compare_top_level(model)
        for side in (self.source, self.target):
            alone = sum(side.count(model) for model in side.top_level if model not in models)
            self.diff.skipped += alone
            if alone:
                self._count(alone)
        self.logger.info("Diff calculation complete")
        self.diff.complete()
        return self.diff

    def _compare_top_level(self, model: str) -> None:
        source = {obj.get_unique_id(): obj for obj in self.source.store.snapshot_all(model)}
        target = {obj.get_unique_id(): obj for obj in self.target.store.snapshot_all(model)}
        for batch in _batches(_union(source, target), _BATCH):
            pairs = list(self._pairs(batch, source, target))
            self._compare_children(pairs)
            self._keep(self.diff, pairs)

    def _compare_children(self, pairs: list[Pair]) -> None:
        """Compare what stands below these objects, one child model after the other."""
        families: dict[str, list[Family]] = {}
        for element, source, target in pairs:
            for model in self._comparable_children(source, target):
                family = element, _children(source, model), _children(target, model)
                families.setdefault(model, []).append(family)
        for model, of_model in families.items():
            for batch in _by_size(of_model):
                self._compare_families(model, batch)

    def _comparable_children(self, source: DiffSyncModel | None, target: DiffSyncModel | None) -> list[str]:
        """The child models to compare below an object.

        Where both sides have the object, a child model that only one of the classes declares says nothing of what the
        other side has: its children are left alone, and counted as skipped.
        """
        sides = [obj for obj in (source, target) if obj is not None]
        models = list(dict.fromkeys(model for obj in sides for model in obj.get_children_mapping()))
        shared = [model for model in models if all(model in obj.get_children_mapping() for obj in sides)]
        for model in models:
            if model not in shared:
                left = sum(len(_children(obj, model)) for obj in sides)
                self.diff.skipped += left
                if left:
                    self._count(left)
        return shared

    def _compare_families(self, model: str, families: list[Family]) -> None:
        sources = self._snapshot(self.source, model, [uid for _, uids, _ in families for uid in uids])
        targets = self._snapshot(self.target, model, [uid for _, _, uids in families for uid in uids])
        compared: list[tuple[DiffElement, list[Pair]]] = []
        everyone: list[Pair] = []
        for parent, source_uids, target_uids in families:
            # Only what both sides list under this parent is compared: an object that has moved is another's child.
            source = {uid: sources[uid] for uid in source_uids}
            target = {uid: targets[uid] for uid in target_uids}
            pairs = list(self._pairs(_union(source, target), source, target))
            compared.append((parent, pairs))
            everyone += pairs
        self._compare_children(everyone)
        for parent, pairs in compared:
            self._keep(parent.child_diff, pairs)

    def _snapshot(self, adapter: Adapter, model: str, uids: list[str]) -> Objects:
        found = adapter.store.snapshot(model, uids) if uids else {}
        if len(found) < len(uids):
            for uid in uids:
                if uid not in found:
                    raise ObjectNotFound(
                        f"{model} {uid} not present in {adapter.store}, although an object of {adapter} lists it as child"
                    )
        return found

    def _keep(self, diff: Diff, pairs: Iterable[Pair]) -> None:
        """Build into the diff what differs, and count the rest."""
        for element, _, _ in pairs:
            below = element.child_diff
            if self.keeps_unchanged or below.children or element.action is not None:
                diff.add(element)
            else:
                diff.unchanged += 1 + below.unchanged

    def _pairs(self, uids: Iterable[str], source: Objects, target: Objects) -> Iterator[Pair]:
        for uid in uids:
            source_obj, target_obj = source.get(uid), target.get(uid)
            if self._is_skipped(source_obj, target_obj):
                self.diff.skipped += 1
                self._count(1)
            else:
                self._count((source_obj is not None) + (target_obj is not None))
                yield self._element(uid, source_obj, target_obj), source_obj, target_obj

    def _is_skipped(self, source: DiffSyncModel | None, target: DiffSyncModel | None) -> bool:
        if source is not None and target is not None:
            return bool((source.model_flags | target.model_flags) & DiffSyncModelFlags.IGNORE)
        if source is not None:
            return DiffSyncFlags.SKIP_UNMATCHED_SRC in self.flags or bool(source.model_flags & _LEFT_OUT_OF_SOURCE)
        if target is not None:
            return DiffSyncFlags.SKIP_UNMATCHED_DST in self.flags or bool(target.model_flags & _LEFT_OUT_OF_TARGET)
        return True

    def _element(self, uid: str, source: DiffSyncModel | None, target: DiffSyncModel | None) -> DiffElement:
        obj: Any = source if source is not None else target
        model, name, keys = obj.get_type(), obj.get_shortname(), self.as_values(obj.get_identifiers())
        if source is not None and target is not None:
            _check_comparable(model, name, keys, target, self.as_values(target.get_identifiers()))
        element = DiffElement(model, name, keys, diff_class=self.diff_class, **self.names)
        element.uid = uid
        if source is not None:
            element.source_attrs = self.as_values(source.get_attrs())
            element.flags |= source.model_flags.value
        if target is not None:
            element.dest_attrs = self.as_values(target.get_attrs())
            element.flags |= target.model_flags.value
        return element

    def _count(self, objects: int) -> None:
        self.diff.models_processed += objects
        if self.callback is not None:
            self.callback("diff", self.diff.models_processed, self.total)


def _unchanged(values: Any) -> Any:
    return values


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
    if target_keys != keys:
        raise ValueError(f"Keys mismatch: {keys} vs {target_keys}")


def _children(obj: DiffSyncModel | None, model: str) -> list[str]:
    field = None if obj is None else obj.get_children_mapping().get(model)
    return [] if field is None else getattr(obj, field)


def _union(source: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    """What the source has, in its order, then what only the target has."""
    return [*source, *(uid for uid in target if uid not in source)]


def _batches(uids: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def _by_size(
    families: list[Family],
) -> Iterator[list[Family]]:
    """Families together until they have a batch of children; those without any are left out."""
    batch, size = [], 0
    for family in families:
        if family[1] or family[2]:
            batch.append(family)
            size += len(family[1]) + len(family[2])
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
