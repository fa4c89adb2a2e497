"""What a sync did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reject:
    """An operation that the target refused."""

    action: str
    model: str
    unique_id: str
    identifiers: dict[str, Any]
    reason: str


@dataclass(slots=True)
class SyncResult:
    """Counts of operations by how they ended, and the list of rejects."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    """Operations whose `create`, `update` or `delete` returned None: left alone on purpose."""
    blocked: int = 0
    """Operations below an object that was refused or skipped; not tried."""
    failed: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def applied(self) -> int:
        """Operations that were done."""
        return self.created + self.updated + self.deleted

    def counts(self) -> dict[str, int]:
        """The counts as a dict."""
        names = ("created", "updated", "deleted", "skipped", "blocked", "failed")
        return {name: getattr(self, name) for name in names}
