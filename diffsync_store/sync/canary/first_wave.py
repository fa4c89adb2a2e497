"""The first wave of a sync: its canary, from the choice of the operations to their check."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from diffsync_store.adapter import Adapter
from diffsync_store.canary import Canary, CanaryRecord, CanarySkip, read_canary, write_canary
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import PENDING, Entry, Journal
from diffsync_store.redaction import redact_values
from diffsync_store.result import CanaryReport
from diffsync_store.sync.canary.choice import choose
from diffsync_store.sync.canary.message import stop_message
from diffsync_store.sync.canary.needs import Needs
from diffsync_store.sync.canary.read_back import ReadBack
from diffsync_store.sync.canary.wave import Wave
from diffsync_store.sync.moves import find_moves, movable
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.throttle import Ended, Throttle
from diffsync_store.sync_elements import SyncElements, TargetElements

_LISTED = 20
"""Objects that do not have what was written, in a report."""
_NAMED = 5
"""Operations that a plan names."""
_POLL = 0.25
"""Seconds between two questions whether to stop, while the target settles."""
_NAMES = {
    State.DONE: "applied",
    State.FAILED: "failed",
    State.CONFLICT: "conflicts",
    State.BLOCKED: "blocked",
}
"""The field of a report that counts the operations in a state; all others are unknown."""


def planned(diff: Diff, journal: Journal, options: SyncOptions, flags: DiffSyncFlags) -> CanaryReport | None:
    """Return which operations a sync would apply first; None if it has no canary. Neither system is asked."""
    canary = options.canary
    if canary is None:
        return None
    if options.skip_canary:
        return CanaryReport("skipped", reason=options.skip_canary)
    before, elements = read_canary(journal), SyncElements()
    ids = before.ids if before is not None and before.goes_on(options.fingerprint(flags)) else ()
    needs = Needs(diff, None, elements, is_prefix=canary.is_prefix)
    found = list(choose(diff, journal, options, flags, elements, canary=canary, needs=needs, ids=ids).values())
    if not found:
        return None if canary.is_prefix else CanaryReport("none", reason=_fits_none(canary))
    names = [f"{one.action} {one.type} {elements.redacted_id(one)}" for one in found[:_NAMED]]
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return CanaryReport("planned", operations=len(found), reason=f"{', '.join(names)}{more}")


def _fits_none(canary: Canary) -> str:
    return f"this sync applies no operation that fits ({canary})"


@dataclass
class FirstWave:
    """The canary of one sync. For one thread.

    What the journal knows decides: operations that are chosen are the same in each sync of the diff until they have passed.
    """

    diff: Diff
    source: Adapter
    target: Adapter
    journal: Journal
    options: SyncOptions
    flags: DiffSyncFlags
    check_stop: Callable[[], None]
    """Raises an error if the sync must stop, or has lost its target."""
    throttle: Throttle
    by: str
    """Who applies the diff."""
    report: CanaryReport | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Read no journal yet."""
        assert self.options.canary is not None  # noqa: S101  # for the type checker
        self._canary: Canary = self.options.canary
        self._elements = TargetElements(self.source, self.target, self.flags, redact_values)
        self._scope = self.options.fingerprint(self.flags)
        self._logger = structlog.get_logger().new(src=self.source, dst=self.target)
        self._ids: tuple[str, ...] = ()
        self._skips: tuple[CanarySkip, ...] = ()
        self._left: frozenset[str] = frozenset()
        """Deletes of objects that move in one call: it is counted, and read back, as the create."""

    @property
    def wave_options(self) -> SyncOptions:
        """The options to apply the operations, which are chosen already, and to try again those that have failed."""
        return replace(self.options, select=(), exclude=(), suppress=None, rulings=None, retry_rejected=False)

    def begin(self) -> Wave | None:
        """Choose the operations and record them; return them, or None if there is no canary."""
        before = read_canary(self.journal)
        self._skips = before.skips if before is not None else ()
        if reason := self.options.skip_canary:
            self._skips = (*self._skips, CanarySkip(by=self.by, at=datetime.now(UTC), reason=reason))
            self._note(CanaryReport("skipped", reason=reason, by=self.by))
            self._logger.warning(f"{self.by} skips the canary: {reason}")
            return None
        ids = before.ids if before is not None and before.goes_on(self._scope) else ()
        needs = Needs(self.diff, self.target, self._elements, is_prefix=self._canary.is_prefix)
        how = self.diff, self.journal, self.options, self.flags, self._elements
        self._ids = tuple(choose(*how, canary=self._canary, needs=needs, ids=ids))
        if not self._ids:
            self._note_none()
            return None
        wave = Wave(self.diff, self._ids)
        moves = find_moves(wave, self._elements.key, movable(self._elements.models()))
        self._left = frozenset(move.delete.operation_id for move in moves.values())
        number = len(wave.ids - self._left)
        self._note(CanaryReport("open", operations=number))
        again = " again" if ids else ""
        self._logger.info(f"The canary is applied and checked{again}: {number} operations")
        return wave

    def _note_none(self) -> None:
        if self._canary.is_prefix:
            self._note(CanaryReport("none", reason="nothing was left to apply"))
            return
        reason = _fits_none(self._canary)
        self._note(CanaryReport("none", reason=reason))
        self._logger.warning(f"There is no canary: {reason}.")

    def check(self, wave: Wave) -> None:
        """Check that the operations were applied and that the target has what was written.

        Raises:
            Ended: They do not pass. Nothing else may be applied.
        """
        entries = self.journal.read(self._ids)
        self._ids = tuple(
            name for name in self._ids if name in entries
        )  # below an object that moves there are no calls
        report = self._counted([entries[name] for name in self._ids if name not in self._left])
        if report.not_applied <= self._canary.failures * report.operations:
            self._wait()
            report = self._read_back(report, [one for one in wave.operations() if self._is_read(one, entries)])
        is_passed = not report.not_settled and report.not_applied <= self._canary.failures * report.operations
        if is_passed:
            self._note(replace(report, state="passed"))
            self._logger.info(f"The canary has passed: {self.report.text if self.report else ''}")
            return
        reason = stop_message(report, self._canary, self._first_failure(wave, entries))
        self._note(replace(report, state="failed", reason=reason))
        raise Ended(reason)

    def _note(self, report: CanaryReport) -> None:
        self.report = report
        record = CanaryRecord(ids=self._ids, report=report, scope=self._scope, skips=self._skips)
        write_canary(self.journal, record)

    def _counted(self, entries: Collection[Entry]) -> CanaryReport:
        counts = Counter("skipped" if one.is_skipped else _NAMES.get(one.state, "unknown") for one in entries)
        named: dict[str, Any] = dict(counts)
        return CanaryReport("open", operations=len(entries), **named)

    def _wait(self) -> None:
        """Wait until the target may have settled."""
        end = time.monotonic() + self._canary.settle
        while (left := end - time.monotonic()) > 0:
            self.check_stop()
            time.sleep(min(left, _POLL))
        self.check_stop()

    def _is_read(self, element: DiffElement, entries: dict[str, Entry]) -> bool:
        return element.operation_id not in self._left and entries.get(element.operation_id, PENDING).is_applied

    def _read_back(self, report: CanaryReport, operations: Collection[DiffElement]) -> CanaryReport:
        found = ReadBack(self.diff, self.target, self._elements, self.throttle, self.options.batch_size)
        found.read(operations)
        return replace(
            report,
            settled=found.settled,
            not_read=sum(found.not_read.values()),
            without_lookup=tuple(sorted(found.not_read)),
            not_settled=found.not_settled,
            unsettled=tuple(found.unsettled[:_LISTED]),
        )

    def _first_failure(self, wave: Wave, entries: dict[str, Entry]) -> str:
        found = ""
        for element in wave.operations():
            entry = entries.get(element.operation_id, PENDING)
            if entry.state is not State.DONE and element.operation_id not in self._left:
                name = f"{element.action} of {element.type} {self._elements.redacted_id(element)}"
                if entry.reason:
                    return f"{name}: {entry.reason}"
                found = found or f"{name}: its outcome is unknown"
        return found
