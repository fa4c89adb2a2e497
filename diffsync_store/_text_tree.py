"""Draw a tree of names as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def tree_text(root: str, tree: Mapping[str, Any]) -> str:
    """Return the tree below `root`, drawn with box characters."""
    return "\n".join([root, *_branches(tree, "")])


def _branches(tree: Mapping[str, Any], margin: str) -> Iterator[str]:
    last = len(tree) - 1
    for position, (name, below) in enumerate(tree.items()):
        yield f"{margin}{'└── ' if position == last else '├── '}{name}"
        yield from _branches(below, margin + ("    " if position == last else "│   "))
