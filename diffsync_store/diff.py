"""Diff and DiffElement: what has to change in a target, as data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import total_ordering
from typing import Any, ClassVar

from diffsync_store.enum import DiffSyncActions
from diffsync_store.exceptions import ObjectAlreadyExists
from diffsync_store.introspection.builtin_aliases import Data, Text
from diffsync_store.result import SyncResult
from diffsync_store.values.codec import equal


class Diff:
    """The differences between a source and a target: a tree of elements, by model name and object name.

    Subclass it to say in which order a sync goes: a class method `order_children_<model>(cls, children)` yields the
    elements of one model, and an overridden `get_children` orders all.
    """

    load_versions: tuple[tuple[str, str], ...] = ()
    """Generation and state of the loads of the source and of the target that the diff was made of, for guards to judge."""
    has_operation_ids: ClassVar[bool] = False
    """Its elements have the ids of saved operations."""

    def __init__(self) -> None:
        self.children: dict[str, dict[str, DiffElement]] = defaultdict(dict)
        """Elements by model name, then by object name."""
        self.models_processed = 0
        """Objects of both sides that the comparison has looked at."""
        self.unchanged = 0
        """Objects at or below this level that are equal on both sides and were counted, not built into the tree."""
        self.skipped = 0
        """Objects that flags have kept out of the diff."""
        self.result: SyncResult | None = None
        """What the sync that applied this diff did; None before."""

    def __len__(self) -> int:
        return self.unchanged + sum(len(element) for group in self.children.values() for element in group.values())

    def complete(self) -> None:
        """Called when the diff is built; does nothing, for a subclass to extend."""

    def add(self, element: DiffElement) -> None:
        """Add an element at this level.

        Raises:
            ObjectAlreadyExists: there is one of the same model and name.
        """
        group = self.children[element.type]
        existing = group.get(element.name)
        if existing is None:
            group[element.name] = element
            return
        if existing is element:
            raise ObjectAlreadyExists(f"{element.type} {element.name!r} is added to the same place twice.", element)
        raise ObjectAlreadyExists(
            f"Two objects of type {element.type} are named {element.name!r} at the same place: "
            f"{existing.keys} and {element.keys}. Make _shortname tell them apart.",
            element,
        )

    def leave_out(self, elements: Iterable[DiffElement]) -> None:
        """Take elements of this level out of the diff, with what is below them."""
        for element in elements:
            del self.children[element.type][element.name]

    def groups(self) -> list[str]:
        """Names of the models that have elements at this level."""
        return [model for model, group in self.children.items() if group]

    def has_diffs(self) -> bool:
        """Whether anything has to change."""
        return any(element.has_diffs() for group in self.children.values() for element in group.values())

    def get_children(self) -> Iterator[DiffElement]:
        """The elements of this level, in the order in which a sync takes them."""
        for model in self.groups():
            order = getattr(self, f"order_children_{model}", self.order_children_default)
            yield from order(self.children[model])

    def size(self) -> int:
        """Number of elements that a sync has to visit: operations, and what stands above them."""
        return sum(1 + element.child_diff.size() for element in self.get_children() if element.has_diffs())

    @classmethod
    def order_children_default(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
        """The elements of one model in the order in which they were added."""
        yield from children.values()

    def summary(self) -> dict[str, int]:
        """Number of elements by what has to be done."""
        counts = _empty_summary()
        counts[_NO_CHANGE] = self.unchanged
        for group in self.children.values():
            for element in group.values():
                for action, count in element.summary().items():
                    counts[action] += count
        counts[DiffSyncActions.SKIP] = self.skipped
        return counts

    def str(self, indent: int = 0) -> str:
        """The differences as text."""
        margin = " " * indent
        lines: list[str] = []
        for model in self.groups():
            shown = [element for element in self.children[model].values() if element.has_diffs()]
            if shown:
                lines.append(f"{margin}{model}")
                lines += [element.str(indent + 2) for element in shown]
        return "\n".join(lines) or "(no diffs)"

    def dict(self) -> Data:
        """The differences as nested dicts: `{model: {name: {"-": old, "+": new, child model: {...}}}}`."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for element in self.get_children():
            if element.has_diffs():
                found.setdefault(element.type, {})[element.name] = element.dict()
        return found


@total_ordering
class DiffElement:
    """One object that differs, or stands above one that does."""

    _secrets: Collection[str] = ()
    """The fields that the models of the two sides declare as secret. `str` and `dict` have their values all the same."""

    def __init__(  # noqa: PLR0917  # diffsync's signature
        self,
        obj_type: str,
        name: str,
        keys: dict[str, Any],
        source_name: str = "source",
        dest_name: str = "dest",
        diff_class: type[Diff] = Diff,
    ) -> None:
        self.type = obj_type
        self.name = name
        self.keys = keys
        self.source_name = source_name
        self.dest_name = dest_name
        self.source_attrs: dict[str, Any] | None = None
        self.dest_attrs: dict[str, Any] | None = None
        self.child_diff = diff_class()
        self.uid: str | None = None
        """The object's unique id, where the element comes from a comparison of objects."""
        self.equal: frozenset[str] = frozenset()
        """Attributes that are equal by the way in which they say that they compare, whatever their values are."""
        self.operation_id = ""
        """Id of the saved operation that this is."""
        self.flags = 0
        """The object's model flags, the source's and the target's together, as a number."""

    def __lt__(self, other: DiffElement) -> bool:
        return (self.type, self.name) < (other.type, other.name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DiffElement):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _COMPARED)

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content changes

    def __str__(self) -> str:
        return f'{self.type} "{self.name}" : {self.keys} : {self.source_name} → {self.dest_name} : {self.get_attrs_diffs()}'

    def __len__(self) -> int:
        return 1 + len(self.child_diff)

    @property
    def action(self) -> str | None:
        """What a sync has to do with the object: one of `DiffSyncActions`."""
        if self.source_attrs is not None and self.dest_attrs is None:
            return DiffSyncActions.CREATE
        if self.source_attrs is None and self.dest_attrs is not None:
            return DiffSyncActions.DELETE
        if self.source_attrs is None or self.dest_attrs is None:
            return DiffSyncActions.NO_CHANGE
        return (
            DiffSyncActions.UPDATE if self._differs(self.source_attrs, self.dest_attrs) else DiffSyncActions.NO_CHANGE
        )

    def _differs(self, source: dict[str, Any], dest: dict[str, Any]) -> bool:
        """Whether anything changes; asked for often, so it ends with the first."""
        for key, old in dest.items():
            if key in source:
                new = source[key]
                if new is not old and key not in self.equal and not equal(new, old):
                    return True
        return False

    def add_attrs(self, source: dict[str, Any] | None = None, dest: dict[str, Any] | None = None) -> None:
        """Set the attributes of either side; what is None stays as it is."""
        if source is not None:
            self.source_attrs = source
        if dest is not None:
            self.dest_attrs = dest

    def get_attrs_keys(self) -> Iterable[Text]:
        """Names of the attributes that count: those of both sides in the target's order, or of the only side there is."""
        source, dest = self.source_attrs, self.dest_attrs
        if source is not None and dest is not None:
            return [key for key in dest if key in source]
        only = dest if source is None else source
        return [] if only is None else only.keys()

    def get_attrs_diffs(self) -> dict[str, dict[str, Any]]:
        """Old values under "-", new ones under "+"; only what differs where both sides have the object."""
        source, dest = self.source_attrs, self.dest_attrs
        if source is not None and dest is not None:
            changed = self._changed()
            return {"-": {key: dest[key] for key in changed}, "+": {key: source[key] for key in changed}}
        if source is not None:
            return {"+": dict(source)}
        if dest is not None:
            return {"-": dict(dest)}
        return {}

    def _changed(self) -> list[Text]:
        source, dest = self.source_attrs or {}, self.dest_attrs or {}
        return [key for key in self.get_attrs_keys() if key not in self.equal and not equal(source[key], dest[key])]

    def add_child(self, element: DiffElement) -> None:
        """Add an element below this one.

        Raises:
            ObjectAlreadyExists: there is one of the same model and name.
        """
        self.child_diff.add(element)

    def get_children(self) -> Iterator[DiffElement]:
        """The elements below this one, in the order in which a sync takes them."""
        yield from self.child_diff.get_children()

    def has_diffs(self, include_children: bool = True) -> bool:
        """Whether the object, or anything below it, has to change."""
        if self.action is not DiffSyncActions.NO_CHANGE:
            return True
        return include_children and self.child_diff.has_diffs()

    def summary(self) -> dict[str, int]:
        """Number of elements, this one and those below it, by what has to be done."""
        counts = self.child_diff.summary()
        del counts[DiffSyncActions.SKIP]
        counts[self.action or _NO_CHANGE] += 1
        return counts

    def str(self, indent: int = 0) -> str:
        """The element and what stands below it as text."""
        margin = " " * indent
        line = f"{margin}{self.type}: {self.name}"
        lines = [line]
        if self.source_attrs is not None and self.dest_attrs is not None:
            changes = self.get_attrs_diffs()
            for key, new in changes["+"].items():
                old = changes["-"][key]
                lines.append(f"{margin}  {key}    {self.source_name}({new})    {self.dest_name}({old})")
        elif self.dest_attrs is not None:
            lines[0] += f" MISSING in {self.source_name}"
        elif self.source_attrs is not None:
            lines[0] += f" MISSING in {self.dest_name}"
        if self.child_diff.has_diffs():
            lines.append(self.child_diff.str(indent + 2))
        elif self.source_attrs is None and self.dest_attrs is None:
            lines[0] += " (no diffs)"
        return "\n".join(lines)

    def dict(self) -> Data:
        """The element and what stands below it as nested dicts."""
        return {**self.get_attrs_diffs(), **self.child_diff.dict()}


def walk(
    elements: Iterator[DiffElement], above: DiffElement | None
) -> Iterator[tuple[DiffElement, DiffElement | None]]:
    """All elements that have something to say, each with the one above it."""
    for element in elements:
        if element.has_diffs():
            yield element, above
            yield from walk(element.get_children(), element)


def paths(
    elements: Iterator[DiffElement], above: tuple[DiffElement, ...] = ()
) -> Iterator[tuple[DiffElement, tuple[DiffElement, ...]]]:
    """All elements that have something to say, each with those above it, outermost first."""
    for element in elements:
        if element.has_diffs():
            yield element, above
            yield from paths(element.get_children(), (*above, element))


_NO_CHANGE = "no-change"
_COMPARED = ("type", "name", "keys", "source_attrs", "dest_attrs")


def _empty_summary() -> dict[str, int]:
    actions = (DiffSyncActions.CREATE, DiffSyncActions.UPDATE, DiffSyncActions.DELETE)
    return dict.fromkeys((*actions, _NO_CHANGE, DiffSyncActions.SKIP), 0)
