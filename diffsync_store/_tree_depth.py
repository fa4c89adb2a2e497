"""The depth limit of object trees. Trees are walked recursively, and Python's default limit is too low for deep ones."""

from __future__ import annotations

import sys

from diffsync_store.exceptions import TreeTooDeep

MAX_LEVELS = 500
"""Levels of parents and children."""

_FRAMES_PER_LEVEL = 20
"""Upper bound of the calls for one level."""
_FRAMES_OF_PROGRAM = 1000
"""Calls of the program around the walk."""


def require_depth(levels: int) -> None:
    """Raise Python's recursion limit so that a tree with this many levels can be walked.

    Raises:
        TreeTooDeep: the tree has more than `MAX_LEVELS` levels.
    """
    if levels > MAX_LEVELS:
        raise TreeTooDeep(
            f"The objects have more than {MAX_LEVELS} levels of children. Look for an object that is below itself, or move "
            "some objects to another parent."
        )
    limit = _FRAMES_OF_PROGRAM + _FRAMES_PER_LEVEL * levels
    if levels > 10 and sys.getrecursionlimit() < limit:
        sys.setrecursionlimit(limit)
