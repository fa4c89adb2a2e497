"""Diff and DiffElement: the changes to a target, as data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import total_ordering
from types import MappingProxyType
from typing import Any, ClassVar

from diffsync_store.enum import DiffSyncActions
from diffsync_store.exceptions import ObjectAlreadyExists
from diffsync_store.introspection.builtin_aliases import Data, Text
from diffsync_store.result import SyncResult
from diffsync_store.values.codec import equal


class Diff:
    """The differences between a source and a target: a tree of elements by model name and object name.

    Subclass it to change the order of a sync: a class method `order_children_<model>(cls, children)` yields the elements of
    one model; an overridden `get_children` orders all models.

    Threads may read a complete diff at the same time; one thread builds or changes it. It can be pickled for other processes.
    """

    load_versions: tuple[tuple[str, str], ...] = ()
    """Generation and state of the loads of the source and the target, for guards."""
    has_operation_ids: ClassVar[bool] = False
    """Its elements have the ids of saved operations."""

    def __init__(self) -> None:
        self.children: dict[str, dict[str, DiffElement]] = defaultdict(dict)
        """Elements by model name, then by object name."""
        self.models_processed = 0
        """Compared objects of both sides."""
        self.unchanged = 0
        """Equal objects at and below this level, which are counted and have no elements."""
        self.skipped = 0
        """Objects that flags kept out of the diff."""
        self.result: SyncResult | None = None
        """Outcome of the sync that applied this diff; None before."""

    def __len__(self) -> int:
        return self.unchanged + sum(len(element) for group in self.children.values() for element in group.values())

    def complete(self) -> None:
        """Hook that is called when the diff is built. Override it in a subclass."""

    def add(self, element: DiffElement) -> None:
        """Add an element at this level.

        Raises:
            ObjectAlreadyExists: an element has the same model and name.
        """
        group = self.children[element.type]
        existing = group.get(element.name)
        if existing is None:
            group[element.name] = element
            return
        if existing is element:
            raise ObjectAlreadyExists(f"{element.type} {element.name!r} is added twice under the same parent.", element)
        raise ObjectAlreadyExists(
            f"Two {element.type} objects under the same parent are named {element.name!r}: "
            f"{existing.keys} and {element.keys}. Make their _shortname unique.",
            element,
        )

    def leave_out(self, elements: Iterable[DiffElement]) -> None:
        """Remove elements of this level, with everything below them."""
        for element in elements:
            del self.children[element.type][element.name]

    def groups(self) -> list[str]:
        """Return the names of the models with elements at this level."""
        return [model for model, group in self.children.items() if group]

    def has_diffs(self) -> bool:
        """Whether there is any difference."""
        return any(element.has_diffs() for group in self.children.values() for element in group.values())

    def get_children(self) -> Iterator[DiffElement]:
        """Yield the elements of this level in the order of a sync."""
        for model in self.groups():
            order = getattr(self, f"order_children_{model}", self.order_children_default)
            yield from order(self.children[model])

    def size(self) -> int:
        """Return the number of elements that a sync visits: operations and their parents."""
        return sum(1 + element.child_diff.size() for element in self.get_children() if element.has_diffs())

    @classmethod
    def order_children_default(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
        """Yield the elements of one model in the order in which they were added."""
        yield from children.values()

    def summary(self) -> dict[str, int]:
        """Return the number of objects by action."""
        counts = _empty_summary()
        counts[_NO_CHANGE] = self.unchanged
        for group in self.children.values():
            for element in group.values():
                for action, count in element.summary().items():
                    counts[action] += count
        counts[DiffSyncActions.SKIP] = self.skipped
        return counts

    def str(self, indent: int = 0) -> str:
        """Return the differences as text."""
        margin = " " * indent
        lines: list[str] = []
        for model in self.groups():
            differing = [element for element in self.children[model].values() if element.has_diffs()]
            if differing:
                lines.append(f"{margin}{model}")
                lines += [element.str(indent + 2) for element in differing]
        return "\n".join(lines) or "(no diffs)"

    def dict(self) -> Data:
        """Return the differences as nested dicts: `{model: {name: {"-": old, "+": new, child model: {...}}}}`."""
        changes: dict[str, dict[str, dict[str, Any]]] = {}
        for element in self.get_children():
            if element.has_diffs():
                changes.setdefault(element.type, {})[element.name] = element.dict()
        return changes


@total_ordering
class DiffElement:
    """One object that differs, or that has a difference below it.

    Threads may read it at the same time; one thread builds or changes it.
    """

    _secrets: Collection[str] = ()
    """Fields that the model of either side declares as secret. `str` and `dict` do not redact them."""
    target_forms: Mapping[str, Any] = MappingProxyType({})
    """Normal forms of the target's attributes that declare a comparison, if a comparison of both sides built the element."""

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
        """Unique id of the object, if a comparison built the element."""
        self.equal: frozenset[str] = frozenset()
        """Attributes that are equal by their declared comparison, though their values may differ."""
        self.operation_id = ""
        """Id of the saved operation."""
        self.flags = 0
        """Model flags of the source and the target object, combined as a number."""
        self.absent_loads = 0
        """Loads of the source in a row, up to the one of the diff, that lacked an object to delete; 0 if not counted."""

    def __lt__(self, other: DiffElement) -> bool:
        return (self.type, self.name) < (other.type, other.name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DiffElement):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _COMPARED)

    __hash__ = None  # type: ignore[assignment]  # equality depends on mutable content

    def __str__(self) -> str:
        return f'{self.type} "{self.name}" : {self.keys} : {self.source_name} → {self.dest_name} : {self.get_attrs_diffs()}'

    def __len__(self) -> int:
        return 1 + len(self.child_diff)

    @property
    def action(self) -> str | None:
        """The action of a sync: one of `DiffSyncActions`."""
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
        """Whether any attribute differs. A hot path, so it stops at the first."""
        for key, old in dest.items():
            if key in source:
                new = source[key]
                if new is not old and key not in self.equal and not equal(new, old):
                    return True
        return False

    def add_attrs(self, source: dict[str, Any] | None = None, dest: dict[str, Any] | None = None) -> None:
        """Set the attributes of either side; None leaves a side unchanged."""
        if source is not None:
            self.source_attrs = source
        if dest is not None:
            self.dest_attrs = dest

    def get_attrs_keys(self) -> Iterable[Text]:
        """Return the compared attributes: those on both sides in the target's order, or those of the only side."""
        source, dest = self.source_attrs, self.dest_attrs
        if source is not None and dest is not None:
            return [key for key in dest if key in source]
        only = dest if source is None else source
        return [] if only is None else only.keys()

    def get_attrs_diffs(self) -> dict[str, dict[str, Any]]:
        """Return old values under "-" and new values under "+"; of an update only what differs."""
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
            ObjectAlreadyExists: an element has the same model and name.
        """
        self.child_diff.add(element)

    def get_children(self) -> Iterator[DiffElement]:
        """Yield the elements below this one in the order of a sync."""
        yield from self.child_diff.get_children()

    def has_diffs(self, include_children: bool = True) -> bool:
        """Whether the object, or anything below it, differs."""
        if self.action is not DiffSyncActions.NO_CHANGE:
            return True
        return include_children and self.child_diff.has_diffs()

    def summary(self) -> dict[str, int]:
        """Return the number of elements by action, this one and those below it."""
        counts = self.child_diff.summary()
        del counts[DiffSyncActions.SKIP]
        counts[self.action or _NO_CHANGE] += 1
        return counts

    def str(self, indent: int = 0) -> str:
        """Return the element and everything below it as text."""
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
        """Return the element and everything below it as nested dicts."""
        return {**self.get_attrs_diffs(), **self.child_diff.dict()}


def walk(
    elements: Iterator[DiffElement], above: DiffElement | None
) -> Iterator[tuple[DiffElement, DiffElement | None]]:
    """Yield all elements with differences, each with its parent."""
    for element in elements:
        if element.has_diffs():
            yield element, above
            yield from walk(element.get_children(), element)


def paths(
    elements: Iterator[DiffElement], above: tuple[DiffElement, ...] = ()
) -> Iterator[tuple[DiffElement, tuple[DiffElement, ...]]]:
    """Yield all elements with differences, each with its ancestors from the top."""
    for element in elements:
        if element.has_diffs():
            yield element, above
            yield from paths(element.get_children(), (*above, element))


_NO_CHANGE = "no-change"
_COMPARED = ("type", "name", "keys", "source_attrs", "dest_attrs")


def _empty_summary() -> dict[str, int]:
    actions = (DiffSyncActions.CREATE, DiffSyncActions.UPDATE, DiffSyncActions.DELETE)
    return dict.fromkeys((*actions, _NO_CHANGE, DiffSyncActions.SKIP), 0)
