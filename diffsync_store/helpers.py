"""What computes a diff and what applies one, under diffsync's names: for programs that have a diff and no adapter's method for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from diffsync_store._tree_depth import require_depth
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.differ import Differ, Pair, union
from diffsync_store.diffing.sides import ABSENT, Objects
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.introspection.model_classes import is_overridden
from diffsync_store.syncer import Syncer

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.model import DiffSyncModel

Callback = Callable[[str, int, int], None]

_STEPS = "diff_object_list", "diff_object_pair", "diff_child_objects"


class DiffSyncDiffer(Differ):
    """One comparison of two adapters.

    A subclass may extend `diff_object_list`, `diff_object_pair` and `diff_child_objects`. Then all objects are read and go
    through these methods one by one, depth first, and each that is compared has its element in the diff.
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
        """Check that a subclass extends only what is called.

        Raises:
            TypeError: it has a method of diffsync's that is not.
        """
        super().__init_subclass__(**kwargs)
        _refuse(cls, ("incr_models_processed", "validate_objects_for_diff"), "extend " + " or ".join(_STEPS))

    def calculate_diffs(self) -> Diff:
        """Compare, and give the diff; as `Adapter.diff_from`."""
        return self.run()

    def diff_object_list(self, src: list[DiffSyncModel], dst: list[DiffSyncModel]) -> list[DiffElement]:
        """Compare objects of one model at one place: those of the source in their order, then what only the target has."""
        source, target = ({obj.get_unique_id(): obj for obj in objects} for objects in (src, dst))
        elements = (self.diff_object_pair(source.get(uid), target.get(uid)) for uid in union(source, target))
        return [element for element in elements if element is not None]

    def diff_object_pair(self, src_obj: DiffSyncModel | None, dst_obj: DiffSyncModel | None) -> DiffElement | None:
        """Compare the objects of a pair, of which one may be missing, and all below them; None where flags keep them out.

        Raises:
            ValueError: the two have different names or identifiers.
        """
        obj = src_obj if src_obj is not None else dst_obj
        if obj is None:
            raise TypeError("diff_object_pair has been called with two objects that are None: give one of them.")
        uid = obj.get_unique_id()
        source, target = ({} if one is None else {uid: one} for one in (src_obj, dst_obj))
        for pair in self._pairs(obj.get_type(), source, target):
            return self.diff_child_objects(self._element(pair), src_obj, dst_obj)
        return None

    def diff_child_objects(
        self, diff_element: DiffElement, src_obj: DiffSyncModel | None, dst_obj: DiffSyncModel | None
    ) -> DiffElement:
        """Compare what stands below a pair of objects; each element that is found is added to that of the pair."""
        self.depth += 1
        require_depth(self.depth)
        shared, alone = self.alike.children(src_obj, dst_obj)
        for model, *fields in shared:
            listed = [
                getattr(obj, field) if field else ABSENT for obj, field in zip((src_obj, dst_obj), fields, strict=True)
            ]
            sides = zip(self.sides, listed, strict=True)
            source, target = (list(side.children(model, [uids])[0].values()) for side, uids in sides)
            for element in self.diff_object_list(source, target):
                diff_element.add_child(element)
        for obj, field in alone:
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
    """One application of a diff; the target's `sync_complete` is not called."""

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
        """Check that a subclass extends only what is called.

        Raises:
            TypeError: it has a method of diffsync's that is not.
        """
        super().__init_subclass__(**kwargs)
        names = "incr_elements_processed", "log_sync_status", "sync_diff_element", "sync_model"
        _refuse(cls, names, "extend `create`, `update` and `delete` of the models, or give a callback")

    def perform_sync(self) -> bool:
        """Apply; tell whether any operation was attempted.

        Raises:
            ObjectCrudException: an operation was refused, and the flags do not ask to go on.
        """
        return self.run()


def _refuse(extended: type[Any], names: tuple[str, ...], remedy: str) -> None:
    for name in names:
        if name in vars(extended):
            raise TypeError(f"{extended.__name__}.{name} would never be called: {remedy}.")
