"""Some operations of a diff, as a diff of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.operation import SavedElement, SavedOrderDiff


class Wave(SavedOrderDiff):
    """Operations of a diff and the objects above them, in memory and in the order of the diff. For one thread.

    A create above an operation stays one: it is done, and who did it may have been killed before the store had it. Other objects
    above are unchanged here.

    Args:
        diff: The diff, with the ids of its operations.
        ids: The operations.
    """

    def __init__(self, diff: Diff, ids: Collection[str]) -> None:
        super().__init__()
        self.ids = frozenset(ids)
        self.above: set[str] = set()
        """Creates above the operations."""
        self._missing = len(self.ids)
        for element in diff.get_children():
            if (kept := self._part(element)) is not None:
                self.add(kept)
            if not self._missing:
                break

    def operations(self) -> Iterator[DiffElement]:
        """Yield the elements of the operations."""
        yield from _operations(self.get_children(), self.ids)

    def _part(self, element: DiffElement) -> DiffElement | None:
        below = [part for child in element.get_children() if (part := self._part(child)) is not None]
        is_in = element.operation_id in self.ids
        self._missing -= is_in
        if not (is_in or below):
            return None
        if not is_in and element.action == DiffSyncActions.CREATE:
            self.above.add(element.operation_id)
        part = _copy(element, is_changed=is_in or element.action == DiffSyncActions.CREATE)
        for child in below:
            part.add_child(child)
        return part


def _operations(elements: Iterator[DiffElement], ids: Collection[str]) -> Iterator[DiffElement]:
    for element in elements:
        if element.operation_id in ids:
            yield element
        yield from _operations(element.get_children(), ids)


def _copy(element: DiffElement, *, is_changed: bool) -> SavedElement:
    """Return an element without those below it."""
    copy = SavedElement(
        element.type, element.name, element.keys, element.source_name, element.dest_name, SavedOrderDiff
    )
    source = element.source_attrs if is_changed else element.dest_attrs
    copy.add_attrs(source, element.dest_attrs)
    copy.uid, copy.equal, copy.flags = element.uid, element.equal, element.flags
    copy.operation_id, copy.absent_loads, copy._secrets = (
        element.operation_id,
        element.absent_loads,
        element._secrets,
    )
    return copy
