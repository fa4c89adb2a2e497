"""One agent of several that apply a diff together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol

import structlog

from diffsync_store.agents import Agent, Claim, Element, Round, RoundOver, Task, Unit
from diffsync_store.canary import end_canary, read_canary
from diffsync_store.diff import Diff
from diffsync_store.exceptions import ObjectStoreException, SyncInterrupted, SyncTakenOver
from diffsync_store.hooks import takes_many
from diffsync_store.journal import Application
from diffsync_store.lifecycle import opened
from diffsync_store.result import SyncResult
from diffsync_store.sync.agents.heartbeat import Heartbeat
from diffsync_store.sync.agents.plan import Planner, dependencies, read_tops
from diffsync_store.sync.agents.unit_executor import UnitExecutor
from diffsync_store.sync.approval import check_approval, exclude_unapproved
from diffsync_store.sync.canary import FirstWave
from diffsync_store.sync.executor import interrupted, is_unavailable, new_throttle
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.references import ReferenceOrder
from diffsync_store.sync.sync import Sync, applied_before, canary_progress, remedy
from diffsync_store.sync.throttle import Ended
from diffsync_store.sync_elements import TargetElements

_NOTHING: Mapping[str, int] = MappingProxyType({})
_MIN_WAIT, _MAX_WAIT = 0.01, 0.25
"""Seconds between two questions for a unit; they grow while there is none."""


class Agents(Protocol):
    """This agent among the others, such as `RedisAgents`."""

    name: str
    began: float
    may_lack_entries: bool
    journal: Any

    def join(self, options: str) -> None: ...

    def claim(self) -> Claim | float: ...

    def renew(self, claim: Claim | None, done: int) -> None: ...

    def finish(
        self, claim: Claim, done: int, counts: Mapping[str, int] = ..., plan: Iterable[list[Unit]] = ...
    ) -> None: ...

    def leave(
        self, state: str, reason: str, *, stops: bool = ..., done: int = ..., counts: Mapping[str, int] = ...
    ) -> None: ...


class Parts(Protocol):
    """A saved diff that is read in parts."""

    def plan_elements(self) -> Iterable[Element]:
        """Yield what a plan has to know of each element."""

    def part(self, unit: Unit) -> Diff:
        """Return the subtrees of a unit."""

    def round(self) -> Round | None:
        """Return the application by several agents."""


class AgentSync(Sync):
    """The work of one agent on a saved diff. Use `saved.apply(source, target, agent=Agent(...))`.

    Each unit is applied as a sync of its subtrees alone. Use it from one thread.

    Args:
        agents: This agent among the others.
        agent: How it was started.
        parts: The saved diff.
        arguments: Those of a `Sync`.
    """

    def __init__(self, agents: Agents, agent: Agent, parts: Parts, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, journal=agents.journal, **options)
        self._agents = agents
        self._agent = agent
        self._parts = parts
        self._asked: bool | str = False
        """Whether the caller has asked to stop; why, if it says so."""
        self._caller_stops = self.options.should_stop
        self.options = replace(self.options, should_stop=self._should_stop)
        self._limits = new_throttle(self.options, self.target)
        self._heartbeat = Heartbeat(agents, agent.lease, self._handled)
        self._result = SyncResult()
        self._unit: UnitExecutor | None = None
        self._unfinished: dict[str, int] = {}
        """Counts of the unit in which this agent has ended."""
        self._logger = structlog.get_logger().new(src=self.source, dst=self.target, flags=self.flags)

    def run(self) -> SyncResult:
        """Apply units until the whole diff is applied, or somebody stops.

        Returns:
            What this agent has done.

        Raises:
            SyncStopped: As for `Sync.run`. Another agent can take over the unit.
            Exception: The first exception of a model, unless the flags ask to continue. It stops all agents.
        """
        try:
            approval, before = self.journal.approval(), self.journal.application()
            check_approval(approval, self.checksum, is_required=self.options.require_approval)
            if before is not None:
                return self._report(applied_before(before))
            self.options = exclude_unapproved(approval, self.options)
            self._agents.join(self.options.fingerprint(self.flags))
        except RoundOver as over:
            self._result.stopped = over.reason
            return self._report(self._result)
        except ObjectStoreException as error:
            if not is_unavailable(error):
                raise
            raise interrupted(error) from error
        with self._leaving(), self._heartbeat:
            self._logger.info("Beginning sync")
            with opened(self.target), self.target.store.sharing():
                self._apply_units()
        if self.options.canary is not None and (record := read_canary(self.journal)) is not None:
            self._result.canary = record.report
        return self._report(self._result)

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        """End this agent: say how, and whether the others have to stop too."""
        try:
            yield
        except RoundOver as over:
            self._result.stopped = over.reason
            self._leave("stopped" if over.reason else "ended", over.reason)
        except Ended as stop:
            other = self._heartbeat.stop
            self._result.stopped = other.reason if other else str(stop)
            stops = not other and (self._agent.leads or not self._asked)
            self._leave("stopped", self._result.stopped, stops=stops, has_stopped=bool(other))
        except SyncTakenOver as error:
            self._leave("taken over", str(error))
            raise
        except Exception as error:
            if isinstance(error, ObjectStoreException) and is_unavailable(error):
                raise interrupted(error) from error
            self._leave("failed", self._failure(error), stops=not isinstance(error, SyncInterrupted))
            raise
        except BaseException:
            self._leave("stopped", "It was interrupted.")
            raise

    def _failure(self, error: Exception) -> str:
        """Return why the others have to stop too."""
        if not self._result.failed:  # it is not the exception of a model
            return f"{self._agents.name} failed ({type(error).__name__})."
        error.add_note(remedy(self._result))
        return f"{self._agents.name}: {remedy(self._result)}"

    def _leave(self, state: str, reason: str, *, stops: bool = False, has_stopped: bool = False) -> None:
        """Leave the others. Once all have to stop, nobody else counts the unit of this agent."""
        counts = self._unfinished if stops or has_stopped else {}
        with suppress(ObjectStoreException):  # the others notice the silence
            self._agents.leave(state, reason, stops=stops, done=self._handled(), counts=counts)

    # Units

    def _apply_units(self) -> None:
        """Claim units and apply them.

        Raises:
            RoundOver: Everything is done, or another agent has stopped the round.
        """
        work = {Task.PLAN: self._plan, Task.CANARY: self._apply_canary, Task.CLOSE: self._close}
        wait = _MIN_WAIT
        while True:
            claim = self._agents.claim()
            self._heartbeat.begin(claim if isinstance(claim, Claim) else None)
            if isinstance(claim, Claim):
                if claim.taken_from:
                    self._logger.warning(
                        f"Took over unit {claim.number} of {claim.taken_from}, which has ended or is silent"
                    )
                work.get(claim.unit.task, self._apply)(claim)
                wait = _MIN_WAIT
            else:
                self._limits.check()
                time.sleep(min(wait, claim) or wait)
                wait = min(1.5 * wait, _MAX_WAIT)

    def _plan(self, claim: Claim) -> None:
        elements = TargetElements(self.source, self.target, self.flags)
        references = ReferenceOrder(elements.models(), lambda step: elements.uid(step.element))
        needs = dependencies(self.diff.get_children(), references, elements.key) if references.needs_all else {}
        summary = self.diff.summary()
        tops = read_tops(
            self._parts.plan_elements(),
            may_move=bool(summary.get("create") and summary.get("delete")),
            deletes_last=self.options.deletes_last,
        )
        models = elements.models().values()
        has_batches = any(takes_many(model, action) for model in models for action in ("create", "update", "delete"))
        at_once = self.options.workers * (self.options.batch_size if has_batches else 1)
        planner = Planner(tops, needs, agents=self._agent.of, at_once=at_once)
        self._finish(claim, plan=[*self._canary_phase(), *planner.phases()])

    def _canary_phase(self) -> Iterator[list[Unit]]:
        """Yield the phase of the canary: one agent applies and checks it, while the others wait."""
        if self.options.canary is None:
            return
        if self.options.skip_canary:
            self._new_first_wave().begin()
        else:
            yield [Unit(task=Task.CANARY)]

    def _new_first_wave(self) -> FirstWave:
        how = self.options, self.flags, self._check_all, self._limits, self.by
        return FirstWave(self.diff, self.source, self.target, self.journal, *how)

    def _apply_canary(self, claim: Claim) -> None:
        first = self._new_first_wave()
        wave = first.begin()
        if wave is None:
            self._finish(claim)
            return
        unit = self._new_unit(claim, wave, first.wave_options)
        unit.handled, unit.tries_again = wave.above, True
        unit.callback = canary_progress(self.callback, len(wave.ids)) or unit.callback
        self._run(unit, claim, lambda: first.check(wave))

    def _apply(self, claim: Claim) -> None:
        unit = self._new_unit(claim, self._parts.part(claim.unit), self.options)
        if self.options.canary is not None and not self.options.skip_canary:
            unit.skip_handled(self._canary_ids)
        self._run(unit, claim)

    @cached_property
    def _canary_ids(self) -> frozenset[str]:
        """Ids of the operations of the canary: they are the same for all units, which come after it."""
        record = read_canary(self.journal)
        return frozenset(record.ids if record is not None else ())

    def _new_unit(self, claim: Claim, part: Diff, options: SyncOptions) -> UnitExecutor:
        self._limits.share(claim.agents, claim.tried, claim.failed)
        return UnitExecutor(
            part,
            self.source,
            self.target,
            self.flags,
            self._progress(claim),
            options=options,
            journal=self.journal,
            may_lack_entries=self._agents.may_lack_entries and not self.options.trust_journal,
            check_lease=self._check,
            throttle=self._limits,
            recorder=self.recorder,
            task=claim.unit.task,
            began=self._agents.began,
            is_taken_over=bool(claim.taken_from),
            check_unit=self._heartbeat.check,
        )

    def _run(self, unit: UnitExecutor, claim: Claim, check: Callable[[], None] = lambda: None) -> None:
        self._unit = unit
        try:
            unit.apply()
            check()
            self._finish(claim, self._counts(unit, claim))
        except BaseException:
            self._unfinished = self._counts(unit, claim)
            raise
        finally:
            self._unit = None
            self._result.add(unit.result)

    def _close(self, claim: Claim) -> None:
        """End the application for all agents."""
        found = self._parts.round()
        if found is not None and self.journal.application() is None:
            total = self.diff.result = SyncResult.of(found.counts)
            if found.is_attempted:
                self.target.sync_complete(self.source, self.diff, self.flags, self._logger)
                self.target.store.flush()
            if total.is_complete:
                done = total.applied + total.skipped + total.done_before
                now = datetime.now(UTC)
                self.journal.conclude(Application(by=self.by, at=now, operations=done, skipped=total.skipped))
        if self.options.canary is not None:
            end_canary(self.journal)
        self._finish(claim)
        self._logger.info("Sync complete")

    def _finish(self, claim: Claim, counts: Mapping[str, int] = _NOTHING, plan: Iterable[list[Unit]] = ()) -> None:
        self._heartbeat.begin(None)  # once the unit is finished, there is no claim to renew
        self._agents.finish(claim, self._handled(), counts, plan)

    # Limits and progress

    def _check(self) -> None:
        self._heartbeat.check()
        if self.lease is not None:
            self.lease.check()

    def _check_all(self) -> None:
        self._limits.check()
        self._check()

    def _should_stop(self) -> bool | str:
        if not self._asked and self._caller_stops is not None:
            self._asked = self._caller_stops()
        return self._asked or self._heartbeat.stop is not None

    def _handled(self) -> int:
        """Return the number of operations that this agent has handled, without those of a unit that were done before it."""
        results = [self._result] if self._unit is None else [self._result, self._unit.result]
        return sum(sum(result.counts().values()) - result.done_before for result in results)

    def _counts(self, unit: UnitExecutor, claim: Claim) -> dict[str, int]:
        """Return what to add to the counts of the round."""
        tried, failed = self._limits.counted
        return {
            **{f"count:{name}": count for name, count in unit.result.counts().items()},
            "tried": tried - claim.tried,
            "failed": failed - claim.failed,
            "elements": unit.processed,
            "attempted": int(unit.attempted),
        }

    def _progress(self, claim: Claim) -> Callable[[str, int, int], None]:
        """Return a callback of a unit that tells the caller how far the whole diff is."""
        callback, total = self.callback or _ignore, self.diff.size()
        return lambda stage, done, _: callback(stage, min(claim.elements + done, total), total)


def _ignore(_stage: str, _done: int, _total: int) -> None:
    """Show no progress."""
