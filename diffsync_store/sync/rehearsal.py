"""Rehearse a diff: find what the target would refuse, before anything is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from diffsync_store.adapter import Adapter
from diffsync_store.diff import Diff
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.hooks import RehearsedOperation, hook
from diffsync_store.journal import Journal
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import redact_values
from diffsync_store.result import SyncResult
from diffsync_store.store.serialization import decode, encode
from diffsync_store.sync.lookup import conflict
from diffsync_store.sync.moves import Key, find_moves
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.simulation import Simulation
from diffsync_store.sync.steps import Step
from diffsync_store.sync.target_store import TargetStore
from diffsync_store.sync_elements import TargetElements
from diffsync_store.values.readable import restored

SECONDS = 60.0
"""How long a rehearsal may take, if nothing else is said: it may hold locks in the target."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal has found. Threads may share it."""

    result: SyncResult
    """The counts of a sync that refuses the `rejects`; `stopped` says why not all operations were rehearsed."""
    asks_target: bool
    """Whether the adapter offers `rehearse_many`; otherwise only the models have checked the values."""
    not_rehearsed: int = 0
    """Operations that were not rehearsed: objects that move to another parent."""


class _TimeIsUp(BaseException):
    """The rehearsal has taken all its time. What handles errors of the target does not catch it."""


class Rehearsal(Simulation):
    """One rehearsal of a diff whose elements have the ids of their operations. One thread uses it.

    Args:
        diff: the diff.
        target: the adapter to change, open. Its store is read and not changed.
        journal: the journal of the diff; operations that are done are not rehearsed.
        options: how the diff is going to be applied.
        flags: how the diff is going to be applied.
        seconds: how long it may take.
    """

    elements: TargetElements

    def __init__(
        self,
        diff: Diff,
        target: Adapter,
        journal: Journal,
        options: SyncOptions,
        flags: DiffSyncFlags,
        *,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(diff, journal, options, flags, TargetElements(target, target, flags, redact_values))
        self._target = target
        self._store = TargetStore(target, self.elements)
        self._many: Callable[[Sequence[RehearsedOperation]], Sequence[Any]] | None = hook(target, "rehearse_many")
        self._seconds = seconds
        self._end = 0.0
        self._moved: dict[Key, Any] = {}
        self._not_rehearsed = 0

    def run(self) -> Rehearsed:
        """Rehearse the operations that are not done yet.

        Raises:
            CannotRehearse: the target cannot be rehearsed without side effects.
            Exception: of the target, such as that it does not answer.
        """
        self._end = time.monotonic() + self._seconds
        self._moved = find_moves(self.diff, self.elements.key)
        around: Callable[[], AbstractContextManager[Any]] = hook(self._target, "rehearsing") or nullcontext
        within = hook(self._target, "rehearse_within")
        if within is not None:
            within(self._time_left)
        try:
            with around():
                for stage in self.stages():
                    self.handle(stage)
        except _TimeIsUp:
            self.result.stopped = (
                f"The rehearsal was ended after {self._seconds:g} s, so that it does not block the target: the rest was not "
                "rehearsed."
            )
        return Rehearsed(self.result, self._many is not None, self._not_rehearsed)

    def load(self, steps: list[Step]) -> None:
        self._store.load(steps)

    def send(self, steps: list[Step]) -> None:
        wanted = [step for step in steps if self._is_rehearsed(step)]
        for (model, action), group in groupby(wanted, key=lambda step: (step.element.type, str(step.action))):
            alike = list(group)
            for start in range(0, len(alike), self.options.batch_size):
                self._time_left()
                part = alike[start : start + self.options.batch_size]
                self._rehearse(self.elements.model(model), action, part)

    def _time_left(self) -> float:
        """Return the seconds that are left.

        Raises:
            _TimeIsUp: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise _TimeIsUp
        return left

    def _is_rehearsed(self, step: Step) -> bool:
        """Whether an operation is rehearsed; otherwise it is counted or rejected."""
        element, obj = step.element, self._store.find(step)
        if element.action != DiffSyncActions.UPDATE and self.elements.key(element) in self._moved:
            self._not_rehearsed += 1
            self.finish(step, True)
            return False
        reason = conflict(element, None if obj is None else obj.get_attrs(), self.elements.model(element.type))
        if reason:
            self.reject(step, State.CONFLICT, reason)
        return not reason

    def _rehearse(self, model: type[DiffSyncModel], action: str, steps: Sequence[Step]) -> None:
        operations = [self._operation(model, action, step) for step in steps]
        answers = self._many(operations) if self._many is not None else [_validate(each) for each in operations]
        for step, answer in zip(steps, answers, strict=True):
            if isinstance(answer, Exception):
                self.reject(step, State.FAILED, self.elements.reason(step.element, answer))
            else:
                self.accept(step)

    def _operation(self, model: type[DiffSyncModel], action: str, step: Step) -> RehearsedOperation:
        element, obj = step.element, self._store.find(step)
        attrs = element.get_attrs_diffs().get("+", {})
        copy: DiffSyncModel | None = None
        if obj is not None:
            copy = decode(model, encode(obj), obj.get_unique_id())
            copy.adapter = self._target
        return RehearsedOperation(action, model, restored(model, element.keys), restored(model, attrs), copy)


def _validate(operation: RehearsedOperation) -> Exception | None:
    """Return why a model does not accept the values of a create or an update; None if it does."""
    if operation.action == DiffSyncActions.DELETE:
        return None
    try:
        if operation.obj is None:
            operation.model(**operation.ids, **operation.attrs)
        else:
            fields = {name: getattr(operation.obj, name) for name in operation.model._attributes}
            operation.model(**operation.ids, **{**fields, **operation.attrs})
    except Exception as error:  # noqa: BLE001  # a validator of the user may raise anything
        return error
    return None
