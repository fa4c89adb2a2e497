"""What a sync did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_NEXT_STEPS = {
    "failed": "failed: mend the cause that each gives, then apply the diff again with `retry_rejected`: "
    "SyncOptions(retry_rejected=True), or the parameter of a sync's flow run.",
    "blocked": "blocked, because what they stand below was not done: once that is mended, the same does them too.",
    "conflicts": "in conflict: the target has something else than the diff saw, and it was left alone. Load the target "
    "again, make a new diff and look at it.",
    "unknown": "unknown: look each up in the target, say so with saved.resolve(operation_id, is_done=...) or "
    "`diffsync-store resolve DIFF_ID OPERATION_ID --done` (--not-done), and apply the diff again.",
    "suppressed": "suppressed: each gives the reason. Allow or select them and apply the diff again.",
}


@dataclass(frozen=True, slots=True)
class Reject:
    """An operation that was not applied."""

    action: str
    model: str
    unique_id: str
    identifiers: dict[str, Any]
    reason: str
    state: str = "failed"
    """`failed`, `conflict`, `blocked`, `suppressed`, or `unknown`: sent by a sync that died before it had the answer."""
    operation_id: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    """Old values under "-", new ones under "+", without secrets; of a guarded sync only."""


@dataclass(slots=True)
class SyncResult:
    """Counts of operations by how they ended, and the list of rejects.

    Threads may read it when the sync has ended. It can be pickled for other processes.
    """

    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    """Operations whose `create`, `update` or `delete` returned None, in this sync or one before: left alone on purpose."""
    blocked: int = 0
    """Operations below an object that was refused or skipped; not tried."""
    failed: int = 0
    rejects: list[Reject] = field(default_factory=list)
    conflicts: int = 0
    """Operations whose record is not what the diff saw; left alone."""
    suppressed: int = 0
    """Operations that were left out, and can be applied later."""
    unknown: int = 0
    """Operations that a killed sync had sent, and of which nobody can tell whether they were done."""
    moved: int = 0
    """Objects that were put under another parent; each counts once, and not as created or deleted."""
    done_before: int = 0
    """Operations that an earlier sync of the same diff had done."""
    suppressed_operations: list[Reject] = field(default_factory=list)
    stopped: str = ""
    """Why the sync ended before its end."""
    applied_before: str = ""
    """Who has applied the diff before, and when: then nothing was done."""

    @property
    def applied(self) -> int:
        """Operations that were done."""
        return self.created + self.updated + self.deleted + self.moved

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the diff is left to do."""
        return not (self.rejects or self.failed or self.blocked or self.suppressed or self.stopped)

    def next_steps(self) -> list[str]:
        """What to do about what was not done: a sentence for each kind, none where all was."""
        return [f"{number} {_NEXT_STEPS[kind]}" for kind in _NEXT_STEPS if (number := getattr(self, kind))]

    def counts(self) -> dict[str, int]:
        """The counts as a dict; those of a guarded sync only where they are not zero."""
        names = ("created", "updated", "deleted", "skipped", "blocked", "failed")
        guarded = ("conflicts", "suppressed", "unknown", "moved", "done_before")
        counted = {name: getattr(self, name) for name in names}
        return counted | {name: count for name in guarded if (count := getattr(self, name))}
