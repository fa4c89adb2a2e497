"""How a sync run ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from diffsync_flows.reporting.events import NOT_APPLIED
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_store import SyncResult
from diffsync_store.diffs import SavedDiff
from diffsync_store.rules import Decision
from diffsync_store.runs import record_in_sync

NOBODY_ASKED = "Nobody was asked for an approval, because guards suppress everything that needs one."


@dataclass(frozen=True)
class SyncOutcome:
    """The counts of a sync run, and whether the target is in sync."""

    counts: Mapping[str, int]
    stop_reason: str = ""
    """Why the sync stopped early; empty if it did not."""
    asks_nobody: bool = False
    """Whether nobody was asked for an approval only because guards suppress all that needs one."""
    window_closed: bool = False
    """Whether it stopped because the window of the sync has closed."""
    in_sync_with: datetime | None = None
    """Load time of the source that the target now equals; None if they may differ."""

    @property
    def not_applied(self) -> int:
        """Number of operations that were not applied."""
        return sum(self.counts.get(name, 0) for name in NOT_APPLIED)

    @property
    def waiting(self) -> int:
        """Number of operations that wait for an approval, and that no stop has kept from being applied."""
        return 0 if self.stop_reason else self.counts.get("waiting", 0)

    @property
    def is_complete(self) -> bool:
        """Whether the whole diff is applied, by this run or an earlier one."""
        return not (self.not_applied or self.stop_reason)

    def to_ending(self) -> Ending:
        """Return how the run ends."""
        if not self.not_applied:
            return Ending(data=dict(self.counts))
        text = f"{self.not_applied:,} operations were not applied. The artifact lists them with the reasons."
        if self.asks_nobody:
            text = f"{text} {NOBODY_ASKED}"
        return Ending(Outcome.PARTIAL, text, dict(self.counts))


def outcome_of(context: SyncContext, saved: SavedDiff, result: SyncResult) -> SyncOutcome:
    """Return the outcome of a sync."""
    return SyncOutcome(
        result.counts(),
        result.stopped,
        window_closed=result.window_closed,
        in_sync_with=record_in_sync(context, saved, result),
    )


def count_applied(saved: SavedDiff, result: SyncResult, outcome: SyncOutcome) -> int:
    """Count the operations of a diff that were applied, by any run.

    The whole diff and its journal are read if the result does not tell: if something is left, or an earlier run had to ignore some.
    """
    ignores = any(one.decision is Decision.IGNORE for one in saved.record.rulings)
    if outcome.is_complete and not (ignores and result.applied_before):
        return saved.record.operations - result.ignored
    return sum(entry.is_applied for _, entry in saved.outcomes())
