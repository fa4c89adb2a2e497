"""The guards of a sync, as one set of options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diffsync_store.diff import DiffElement
from diffsync_store.exceptions import InvalidOptions
from diffsync_store.selection import Select


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """How a saved diff is applied.

    Raises:
        InvalidOptions: a number is out of its range.
    """

    select: tuple[Select, ...] = ()
    """Apply these only, with what they depend on; all, where none is given."""
    exclude: tuple[Select, ...] = ()
    """Leave these out, with what depends on them."""
    hold: Callable[[DiffElement], str | None] | None = None
    """Says of an operation why it is not to be applied now; None lets it pass."""
    retry: bool = False
    """Apply only what was refused, found in conflict or blocked before."""
    require_approval: bool = False
    """Refuse a diff that nobody has approved, or that is not what was approved."""
    trust_journal: bool = False
    """Go on with a sync although Redis was restarted, or failed over, since it began: it is known to keep every write."""
    look_up: bool = False
    """Ask the target's system for each record before its operation, where the model has a `lookup`."""
    workers: int = 1
    """Calls of the target's system that are under way side by side."""
    bulk: int = 200
    """Most records in one call of a `..._many` hook; 1 uses the single ones."""
    rate: float | None = None
    """Most calls of the target's system in a second."""
    retries: int = 0
    """How often a call is made again that failed in passing (`diffsync_store.transient`, the adapter's `transient_errors`)."""
    backoff: float = 0.5
    """Seconds before the first of these, doubled with each, less a random share of up to a half; what the system asks for counts
    instead (`Retry-After`)."""
    stop_at_share: float | None = None
    """Stop when more than this share (0 to 1) of the operations has failed."""
    stop_after: int = 20
    """Operations after which that share is looked at."""
    stop: Callable[[], bool] | None = None
    """Asked before each operation: True ends the sync there; what was not tried is pending."""
    deletes_last: bool = True
    """Delete after everything else, in the reverse order: what stands below an object goes before it.

    Where it is False, deletes come in their places in the diff, an object before what stands below it.
    """

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("select", "exclude"):
            rules = getattr(self, name)
            if not isinstance(rules, tuple | list) or not all(isinstance(rule, Select) for rule in rules):
                raise InvalidOptions(f"SyncOptions.{name} is a tuple of Select: write {name}=(Select(model=...),).")
        for name, least in (("workers", 1), ("bulk", 1), ("retries", 0), ("backoff", 0), ("stop_after", 1)):
            if getattr(self, name) < least:
                raise InvalidOptions(f"SyncOptions.{name} must be at least {least}, not {getattr(self, name)}.")
        if self.rate is not None and self.rate <= 0:
            raise InvalidOptions(f"SyncOptions.rate must be more than 0 calls a second, or None, not {self.rate}.")
        if self.stop_at_share is not None and not 0 <= self.stop_at_share <= 1:
            raise InvalidOptions(f"SyncOptions.stop_at_share is a share from 0 to 1, not {self.stop_at_share}.")
