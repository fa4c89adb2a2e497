"""The tree of a diff: what is directly below an object, or at the top."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from starlette.exceptions import HTTPException

from diffsync_store.diffs import SavedDiff
from diffsync_store.diffs.outline import Node, Outline
from diffsync_store.journal import PENDING, Entry
from diffsync_store.operation import Operation
from diffsync_store.report.values import Row, rows_of

_SHOWN = 100
_MAX_DEPTH = 100


@dataclass(frozen=True)
class ShownNode:
    """An object in the tree, without secrets."""

    position: int
    operation: Operation
    rows: list[Row]
    entry: Entry
    below: int
    """Elements below it."""


@dataclass(frozen=True)
class Branch:
    """A part of the tree."""

    above: list[ShownNode]
    """The object whose children are shown, and those above it, outermost first."""
    children: list[ShownNode]
    next_start: int | None


def branch_of(saved: SavedDiff, outline: Outline, at: int | None, start: int) -> Branch:
    """Return what is directly below an object.

    Args:
        saved: the diff.
        outline: its outline.
        at: the position of the object; None for the top of the diff.
        start: the position from which on to show children.

    Raises:
        HTTPException: the diff has no such position.
    """
    if at is not None and at >= saved.record.elements:
        raise HTTPException(404, f"The diff has no element {at}. It has {saved.record.elements:,}.")
    above = [] if at is None else list(_shown(saved, outline.path(at)))
    nodes = list(islice(outline.children(at, start), _SHOWN + 1))
    return Branch(above, list(_shown(saved, nodes[:_SHOWN])), nodes[_SHOWN].position if len(nodes) > _SHOWN else None)


def _shown(saved: SavedDiff, nodes: list[Node]) -> Iterator[ShownNode]:
    operations = list(saved.elements_in([(node.position, 1) for node in nodes]))
    entries = saved.journal().read([each.id for each in operations]) if operations else {}
    for node, operation in zip(nodes, operations, strict=True):
        entry = entries.get(operation.id, PENDING)
        yield ShownNode(node.position, operation.redacted(), list(rows_of(operation)), entry, node.below)
