"""How deep a tree of objects may be: Python's own limit would end in the midst of one that is deeper than a few dozen levels."""

from __future__ import annotations

import sys

from diffsync_store.exceptions import TreeTooDeep

DEEPEST = 500
"""Levels of objects that stand below each other."""

_FRAMES = 20
"""Calls that one level may take, whoever goes through the tree."""
_BESIDE = 1000
"""Calls that a program may take beside them."""


def allow(levels: int) -> None:
    """See to it that a tree of so many levels can be gone through.

    Raises:
        TreeTooDeep: it is deeper than any that can be.
    """
    if levels > DEEPEST:
        raise TreeTooDeep(
            f"Objects stand below each other in more than {DEEPEST} levels. Look for one that stands below itself, or list "
            "some of them below another parent."
        )
    wanted = _BESIDE + _FRAMES * levels
    if levels > 10 and sys.getrecursionlimit() < wanted:
        sys.setrecursionlimit(wanted)
