"""What a saved diff says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from diffsync_store.diffs.summary import Subtree
from diffsync_store.guards.suppression import Suppression

if TYPE_CHECKING:
    pass

PAGE = 500
"""Elements of a page: what is read at once, and what has a digest of its own in the checksum."""


class DiffRecord(BaseModel):
    """What a saved diff says of itself."""

    diff_id: str
    source_name: str
    target_name: str
    source_store_id: str = ""
    target_store_id: str = ""
    source_generation: str = ""
    """The generations that the two stores had when they were compared."""
    target_generation: str = ""
    flags: int = 0
    """The `DiffSyncFlags` that the diff was made with, as a number."""
    summary: dict[str, int]
    operations: int
    """Number of creates, updates and deletes."""
    by_model: dict[str, dict[str, int]] = {}
    """The same by model and action."""
    largest: tuple[Subtree, ...] = ()
    """The objects of the top with most operations below them, their own included, the largest first; ten at most."""
    target_counts: dict[str, int] = {}
    """Objects that the target had by model, the base of percent limits."""
    suppressions: tuple[Suppression, ...] = ()
    """Suppressed operations, each with the allowance that applies them."""
    elements: int
    """Number of elements stored: operations, and what stands above them."""
    created: datetime
    ttl: int
