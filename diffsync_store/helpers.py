"""diffsync's names for the classes that compute and apply a diff."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from diffsync_store._tree_depth import require_depth
from diffsync_store.adapter import Adapter
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.differ import Differ, ordered_union
from diffsync_store.diffing.elements import Pair
from diffsync_store.diffing.readers import NO_PARENT, Objects
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.introspection.model_classes import is_overridden
from diffsync_store.model import DiffSyncModel
from diffsync_store.syncer import Syncer

Callback = Callable[[str, int, int], None]

_STEPS = "diff_object_list", "diff_object_pair", "diff_child_objects"


class DiffSyncDiffer(Differ):
    """One comparison of two adapters, in one thread.

    A subclass may override `diff_object_list`, `diff_object_pair` and `diff_child_objects`. Then the comparison reads all
    objects, passes them to these methods one by one, depth first, and builds an element for each.
    """

    def __init__(
        self,
        src_diffsync: Adapter,
        dst_diffsync: Adapter,
        flags: DiffSyncFlags,
        diff_class: type[Diff] = Diff,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(src_diffsync, dst_diffsync, DiffSyncFlags(flags), diff_class, callback)
        self.src_diffsync, self.dst_diffsync, self.flags = src_diffsync, dst_diffsync, DiffSyncFlags(flags)
        self._is_extended = is_overridden(self, DiffSyncDiffer, _STEPS)
        self.keeps_unchanged |= self._is_extended

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check that a subclass overrides only methods that are called.

        Raises:
            TypeError: it overrides another method of diffsync.
        """
        super().__init_subclass__(**kwargs)
        _refuse(cls, ("incr_models_processed", "validate_objects_for_diff"), "override " + " or ".join(_STEPS))

    def calculate_diffs(self) -> Diff:
        """Compare the adapters and return the diff, as `Adapter.diff_from` does."""
        return self.run()

    def diff_object_list(self, src: list[DiffSyncModel], dst: list[DiffSyncModel]) -> list[DiffElement]:
        """Compare siblings of one model: those of the source in order, then those only on the target."""
        source, target = ({obj.get_unique_id(): obj for obj in objects} for objects in (src, dst))
        elements = (self.diff_object_pair(source.get(uid), target.get(uid)) for uid in ordered_union(source, target))
        return [element for element in elements if element is not None]

    def diff_object_pair(self, src_obj: DiffSyncModel | None, dst_obj: DiffSyncModel | None) -> DiffElement | None:
        """Compare two objects, one of which may be None, and everything below them. Return None if flags skip them.

        Raises:
            ValueError: they have different names or identifiers.
            TypeError: both are None.
        """
        obj = src_obj if src_obj is not None else dst_obj
        if obj is None:
            raise TypeError("diff_object_pair needs at least one object, but both are None.")
        uid = obj.get_unique_id()
        source, target = ({} if one is None else {uid: one} for one in (src_obj, dst_obj))
        for pair in self._pairs(obj.get_type(), source, target):
            return self.diff_child_objects(self.builder.build(pair), src_obj, dst_obj)
        return None

    def diff_child_objects(
        self, diff_element: DiffElement, src_obj: DiffSyncModel | None, dst_obj: DiffSyncModel | None
    ) -> DiffElement:
        """Compare the children of two objects and add their elements to `diff_element`."""
        self.depth += 1
        require_depth(self.depth)
        shared, one_sided = self.comparer.children(src_obj, dst_obj)
        for model, *fields in shared:
            listed = [
                getattr(obj, field) if field else NO_PARENT
                for obj, field in zip((src_obj, dst_obj), fields, strict=True)
            ]
            sides = zip(self.sides, listed, strict=True)
            source, target = (list(side.children(model, [uids])[0].values()) for side, uids in sides)
            for element in self.diff_object_list(source, target):
                diff_element.add_child(element)
        for obj, field in one_sided:
            self._skip(len(getattr(obj, field)))
        self.depth -= 1
        return diff_element

    def _top_level(self, model: str) -> Iterator[tuple[Objects, Objects]]:
        if not self._is_extended:
            yield from super()._top_level(model)
            return
        source, target = (side.objects(model, list(side.uids(model))) for side in self.sides)
        yield source, target

    def _compare(self, model: str, source: Objects, target: Objects) -> Pair:
        if not self._is_extended:
            return super()._compare(model, source, target)
        top = Pair("", None, None)
        top.below[model] = self.diff_object_list(list(source.values()), list(target.values()))
        return top


class DiffSyncSyncer(Syncer):
    """One application of a diff, in one thread. It does not call the target's `sync_complete`."""

    def __init__(
        self,
        diff: Diff,
        src_diffsync: Adapter,
        dst_diffsync: Adapter,
        flags: DiffSyncFlags,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(diff, src_diffsync, dst_diffsync, DiffSyncFlags(flags), callback)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check that a subclass overrides only methods that are called.

        Raises:
            TypeError: it overrides another method of diffsync.
        """
        super().__init_subclass__(**kwargs)
        names = "incr_elements_processed", "log_sync_status", "sync_diff_element", "sync_model"
        _refuse(cls, names, "override `create`, `update` and `delete` of the models, or pass a callback")

    def perform_sync(self) -> bool:
        """Apply the diff; return whether any operation was attempted.

        Raises:
            ObjectCrudException: an operation failed, and the flags lack CONTINUE_ON_FAILURE.
        """
        return self.run()


def _refuse(subclass: type[Any], names: tuple[str, ...], remedy: str) -> None:
    for name in names:
        if name in vars(subclass):
            raise TypeError(f"{subclass.__name__}.{name} would never be called: {remedy}.")
