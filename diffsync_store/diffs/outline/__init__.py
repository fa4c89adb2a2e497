"""The outline of a saved diff: what a page needs of the whole diff, without its elements."""

from diffsync_store.diffs.outline.builder import OutlineBuilder
from diffsync_store.diffs.outline.outline import Node, Outline, Total

__all__ = ["Node", "Outline", "OutlineBuilder", "Total"]
