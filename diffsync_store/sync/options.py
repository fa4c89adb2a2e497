"""Options of a guarded sync."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from diffsync_store.canary import Canary
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import InvalidOptions
from diffsync_store.selection import Select
from diffsync_store.suppression import Suppressions
from diffsync_store.sync.rulings import Rulings

_MINIMUM = {"workers": 1, "batch_size": 1, "retries": 0, "backoff": 0, "failure_ratio_after": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """How a saved diff is applied.

    Raises:
        InvalidOptions: A value is out of range.
    """

    select: tuple[Select, ...] = ()
    """Apply only these operations and those that they depend on; all operations if empty."""
    exclude: tuple[Select, ...] = ()
    """Leave out these operations and those that depend on them."""
    suppress: Callable[[DiffElement], str | None] | None = None
    """Return the reason to leave an operation out; None to apply it."""
    rulings: Rulings | None = None
    """What the rules of a saved diff leave out; `SavedDiff.apply` sets it."""
    retry_rejected: bool = False
    """Apply only the operations that failed, were in conflict or were blocked before."""
    require_approval: bool = False
    """Refuse a diff that is not approved, or that differs from the approved one."""
    trust_journal: bool = False
    """Resume a sync after a restart or failover of Redis. Set it only if Redis keeps every write."""
    canary: Canary | None = None
    """Apply these operations first, and the rest only if they pass their check."""
    skip_canary: str = ""
    """Why this sync applies everything at once although it has a canary; the journal keeps it."""
    lookup_first: bool = False
    """Call the model's `lookup` before each operation, and report a record that has changed as a conflict."""
    workers: int = 1
    """Number of concurrent calls of the target's system."""
    batch_size: int = 200
    """Maximum records in one call of a `..._many` hook; 1 calls the hooks for single records."""
    max_calls_per_second: float | None = None
    """Maximum calls of the target's system in a second."""
    retries: int = 0
    """Maximum retries of a call after a transient error (see `diffsync_store.transient`)."""
    backoff: float = 0.5
    """Seconds before the first retry. Each further retry doubles them; up to a half is subtracted at random. A `Retry-After` of the
    system replaces them."""
    max_failure_ratio: float | None = None
    """Stop the sync when more than this ratio of the operations (0 to 1) has failed."""
    failure_ratio_after: int = 20
    """Number of operations before the failure ratio is checked."""
    should_stop: Callable[[], bool | str] | None = None
    """Called before each operation. The sync stops if it returns True, or why as a text; the remaining operations stay pending."""
    deletes_last: bool = True
    """Delete after all creates and updates, children before their parents.

    If False, a delete happens at its place in the diff, a parent before its children.
    """

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("select", "exclude"):
            rules = getattr(self, name)
            if not isinstance(rules, tuple | list) or not all(isinstance(rule, Select) for rule in rules):
                raise InvalidOptions(f"SyncOptions.{name} is a tuple of Select: write {name}=(Select(model=...),).")
        for name, minimum in _MINIMUM.items():
            if getattr(self, name) < minimum:
                raise InvalidOptions(f"SyncOptions.{name} must be at least {minimum}, not {getattr(self, name)}.")
        calls, ratio = self.max_calls_per_second, self.max_failure_ratio
        if calls is not None and calls <= 0:
            raise InvalidOptions(
                f"SyncOptions.max_calls_per_second must be above 0, or None for no limit, not {calls}."
            )
        if ratio is not None and not 0 <= ratio <= 1:
            raise InvalidOptions(f"SyncOptions.max_failure_ratio must be a number from 0 to 1, not {ratio}.")

    def fingerprint(self, flags: DiffSyncFlags) -> str:
        """Return a digest of what decides which operations a sync applies: it is the same for all that apply a diff together."""
        suppressions = str(self.suppress) if isinstance(self.suppress, Suppressions) else ""
        rules: tuple[object, ...]
        rules = self.select, self.exclude, suppressions, self.retry_rejected, self.deletes_last
        if self.rulings is not None:
            rules = (*rules, self.rulings)
        if self.canary is not None:
            rules = (*rules, self.canary, self.skip_canary)
        return hashlib.sha256(repr((rules, flags)).encode()).hexdigest()
