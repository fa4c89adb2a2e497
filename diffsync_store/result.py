"""The result of a sync."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

_NEXT_STEPS = {
    "failed": "failed: fix the causes, then apply the diff again with `retry_rejected`: "
    "SyncOptions(retry_rejected=True), `diffsync-store apply DIFF_ID --retry-rejected`, or the parameter of a sync's flow run.",
    "blocked": "blocked, because an object above them was not done: once it is, `retry_rejected` applies them too.",
    "conflicts": "in conflict: the records have changed since the diff was made, and were not overwritten. Load the target "
    "again, make a new diff and check it.",
    "unknown": "unknown: check each in the target, report it with saved.resolve(operation_id, is_done=...) or "
    "`diffsync-store resolve DIFF_ID OPERATION_ID --done` (--not-done), and apply the diff again.",
    "waiting": "waiting for an approval: approve the diff, then apply it again.",
    "suppressed": "suppressed: allow or select them, as their reasons say, and apply the diff again.",
}
_COUNTS = ("created", "updated", "deleted", "skipped", "blocked", "failed")
_GUARDED_COUNTS = ("conflicts", "suppressed", "waiting", "ignored", "unknown", "moved", "done_before")


@dataclass(frozen=True, slots=True)
class Reject:
    """An operation that was not applied."""

    action: str
    model: str
    unique_id: str
    identifiers: dict[str, Any]
    reason: str
    state: str = "failed"
    """`failed`, `conflict`, `blocked`, `suppressed`, `waiting`, `unknown` (sent, and its answer was lost), or `left alone` (by a field rule)."""
    operation_id: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    """Old values under "-", new ones under "+", without secrets; in a guarded sync only."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A value, or a whole object, that the target does not have as a canary has written it. Secrets are redacted."""

    action: str
    model: str
    unique_id: str
    attribute: str
    """Empty if the object is missing, is still there, or cannot be read."""
    written: Any
    """What was written; for a whole object, what it should be."""
    found: Any
    """What the target has now."""

    def __str__(self) -> str:
        name = f"{self.model} {self.unique_id}"
        if not self.attribute:
            return f"{name} is {self.found}, and should be {self.written} after its {self.action}"
        if self.written == self.found:
            return f"{name}: {self.attribute} has another value than was written"
        return f"{name}: {self.attribute} is {self.found!r}, and {self.written!r} was written"


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """What became of the operations that a sync applies first. Threads may share it."""

    state: str
    """`planned` (in a dry run), `open` (being applied or checked), `passed`, `failed`, `skipped` (on request), or `none` (no operation fits)."""
    operations: int = 0
    applied: int = 0
    skipped: int = 0
    """Operations whose model returned None."""
    failed: int = 0
    conflicts: int = 0
    blocked: int = 0
    unknown: int = 0
    settled: int = 0
    """Objects that were read back and have what was written."""
    not_read: int = 0
    """Objects that were not read back, because their models have no `lookup`, or it does not know."""
    without_lookup: tuple[str, ...] = ()
    """The models of those."""
    not_settled: int = 0
    """Objects that were read back and do not have what was written."""
    unsettled: tuple[Unsettled, ...] = ()
    """The first of those, with both values."""
    reason: str = ""
    """Why it did not pass, was skipped, or has no operations; of a planned one, the first operations."""
    by: str = ""
    """Who skipped it."""

    @property
    def not_applied(self) -> int:
        """Operations that were tried and not done."""
        return self.failed + self.conflicts + self.blocked + self.unknown

    @property
    def text(self) -> str:
        """One line about it, such as `10 of 10 applied, settled`."""
        if self.state in {"skipped", "none"}:
            return f"{self.state}{' by ' if self.by else ''}{self.by}: {self.reason}"
        if self.state == "planned":
            return f"{self.operations:,} applied and checked first: {self.reason}"
        parts = [f"{self.applied} of {self.operations} applied"]
        counts = {"skipped": self.skipped, "not applied": self.not_applied, "not settled": self.not_settled}
        parts += [f"{number} {name}" for name, number in counts.items() if number]
        if self.settled and not self.not_settled:
            parts.append(f"{self.settled} settled" if self.not_read else "settled")
        if self.not_read:
            parts.append(f"{self.not_read} not read back (no `lookup`: {', '.join(self.without_lookup)})")
        return ", ".join(parts) + ("; not checked yet" if self.state == "open" else "")


@dataclass(slots=True)
class SyncResult:
    """Counts of operations by how they ended, and the list of rejects.

    Threads may read it when the sync has ended. It can be pickled for other processes.
    """

    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    """Operations whose model returned None, in this sync or an earlier one."""
    blocked: int = 0
    """Operations below an object that failed or was skipped; not tried."""
    failed: int = 0
    rejects: list[Reject] = field(default_factory=list)
    conflicts: int = 0
    """Operations whose record has changed since the diff was made; not applied."""
    suppressed: int = 0
    """Operations that a guard or the selection left out; they can be applied later."""
    waiting: int = 0
    """Operations that a rule lets wait for an approval."""
    ignored: int = 0
    """Operations that a rule ignores; they are not listed."""
    unknown: int = 0
    """Operations that were sent, and whose outcome cannot be found out."""
    moved: int = 0
    """Objects that were moved to another parent; not counted as created or deleted."""
    done_before: int = 0
    """Operations that an earlier sync of the same diff has done."""
    suppressed_operations: list[Reject] = field(default_factory=list)
    """What is suppressed or waits."""
    left_alone: list[Reject] = field(default_factory=list)
    """Values that a person changed in the target, and foreign objects, that the field rules of the sync leave alone. The values that
    a sync wrote last, of the target and of the source are in `payload`. They are no operations, and are not counted."""
    canary: CanaryReport | None = None
    """What became of the operations that were applied first; None if the sync has no canary."""
    stopped: str = ""
    """Why the sync was stopped."""
    outside_window: str = ""
    """Why it was applied although no window of the sync was open; empty if one was."""
    window_closed: bool = False
    """Whether it was stopped because the window of the sync has closed; the rest can be applied in the next one."""
    applied_before: str = ""
    """Who has applied the diff before, and when; nothing was done then."""

    @classmethod
    def of(cls, counts: Mapping[str, int], stopped: str = "") -> Self:
        """Return the result with these counts, without the list of rejects."""
        result = cls(stopped=stopped)
        for name, count in counts.items():
            setattr(result, name, count)
        return result

    @property
    def applied(self) -> int:
        """Number of operations that were done."""
        return self.created + self.updated + self.deleted + self.moved

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.rejects or self.failed or self.blocked or self.suppressed or self.waiting or self.stopped)

    def leave_out(self, state: str, reject: Callable[[], Reject]) -> None:
        """Count an operation that is left out, and list it unless it is ignored.

        Args:
            state: `suppressed`, `waiting` or `ignored`.
            reject: returns its entry of the list.
        """
        setattr(self, state, getattr(self, state) + 1)
        if state != "ignored":
            self.suppressed_operations.append(reject())

    def next_steps(self) -> list[str]:
        """Return a remedy for each kind of operation that was not done, unless `stopped` has it."""
        said = {"failed", "blocked"} if self.canary is not None and self.canary.state == "failed" else ()
        kinds = [kind for kind in _NEXT_STEPS if kind not in said]
        return [f"{number} {_NEXT_STEPS[kind]}" for kind in kinds if (number := getattr(self, kind))]

    def counts(self) -> dict[str, int]:
        """Return the counts as a dict; those of a guarded sync only if they are not zero."""
        counted = {name: getattr(self, name) for name in _COUNTS}
        return counted | {name: count for name in _GUARDED_COUNTS if (count := getattr(self, name))}

    def add(self, other: SyncResult) -> None:
        """Add the operations of another part of the same sync."""
        for name in (*_COUNTS, *_GUARDED_COUNTS):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rejects += other.rejects
        self.suppressed_operations += other.suppressed_operations
