"""Calls of the target's system, and the result for each record. Used by several threads at once."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from diffsync_store.adapter import Adapter
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import OutcomeUnknown
from diffsync_store.hooks import call_many, hook, takes_one
from diffsync_store.model import DiffSyncModel
from diffsync_store.sync.lookup import conflict, look_up, outcome
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.steps import MOVE, Step
from diffsync_store.sync.throttle import Throttle
from diffsync_store.transient import status_of, was_not_done
from diffsync_store.values.readable import restored

NEITHER_STATE = "The record is neither as before the operation nor as after it."
_INTERNAL_ERROR = 500
"""HTTP status of an answer by the application itself, not by a proxy in front of it."""


class Outcome(enum.Enum):
    """The outcome of a call for one record."""

    DONE = "done"
    """`value` is the object; None if the model has returned none."""
    FOUND_DONE = "found done"
    """Its answer was lost; `value` is the result of a lookup."""
    FAILED = "failed"
    """`value` is the exception."""
    CONFLICT = "conflict"
    """`value` is the reason."""
    UNKNOWN = "unknown"
    """`value` is the exception."""
    NOT_SENT = "not sent"
    """The sync has ended before."""


class CallResult(NamedTuple):
    """The result of a call for one record."""

    outcome: Outcome
    value: Any = None
    error: Exception | None = None
    """The exception of the call, if the value is another one."""


_NOT_SENT = CallResult(Outcome.NOT_SENT)


@dataclass(slots=True)
class Request:
    """One record of a call."""

    step: Step
    obj: DiffSyncModel | None
    before: dict[str, Any] | None = None
    """The object's fields before an update."""
    parents: tuple[DiffSyncModel | None, DiffSyncModel | None] = (None, None)
    """The old and the new parent of an object that moves."""


class Calls:
    """Calls the hooks of a target's models.

    Args:
        target: The adapter.
        model: Returns the class of a model.
        options: Options of the sync.
        throttle: Limits the calls and decides about retries.
    """

    def __init__(
        self, target: Adapter, model: Callable[[str], type[DiffSyncModel]], options: SyncOptions, throttle: Throttle
    ) -> None:
        self._target = target
        self._model = model
        self._options = options
        self._throttle = throttle
        self.perform = self._perform_checked if options.lookup_first else self._perform
        """Makes the call for records of one model and action; returns the results in the order of the records.

        A failed call of several records is repeated by halves, to find the record that it is about.
        """

    def _perform_checked(self, requests: list[Request]) -> list[CallResult]:
        """Look the records up first; do not send those that have changed."""
        model = self._model(requests[0].step.element.type)
        results: list[CallResult | None] = []
        elements = [request.step.element for request in requests]
        for element, now in zip(elements, self.look_up(elements), strict=True):
            reason = "" if now is NotImplemented else conflict(element, now, model)
            results.append(CallResult(Outcome.CONFLICT, reason) if reason else None)
        unchanged = [request for request, result in zip(requests, results, strict=True) if result is None]
        sent = iter(self._perform(unchanged) if unchanged else [])
        return [next(sent) if result is None else result for result in results]

    def _perform(self, requests: list[Request]) -> list[CallResult]:
        results = [_NOT_SENT] * len(requests)
        left = requests if len(requests) == 1 else list(requests)
        places = list(range(len(requests)))
        attempt = 0
        while left and self._throttle.turn():
            try:
                found = self._call(left)
            except Exception as error:  # noqa: BLE001  # whatever an adapter raises is a failure of this call
                if not self._is_lost(error):
                    _fill(results, places, self._by_halves(left, error))
                    return results
                may_retry = self._throttle.pause(error, attempt)
                places = self._after_loss(requests, results, places, error)
                left = [requests[place] for place in places]
                for place in places:
                    results[place] = CallResult(Outcome.FAILED, error)  # unless it is sent again
                if not may_retry:
                    if len(left) > 1 and status_of(error) == _INTERNAL_ERROR and not self._throttle.has_ended:
                        _fill(results, places, self._by_halves(left, error))  # one record may be the cause
                    return results
                attempt += 1
            else:
                _fill(results, places, [_result(answer) for answer in found])
                return results
        return results

    def _call(self, requests: list[Request]) -> list[Any]:
        """Call the hook."""
        step, obj = requests[0].step, requests[0].obj
        model, action = self._model(step.element.type), step.action
        if len(requests) > 1 or not takes_one(model, str(action)):
            records = [_record(model, request) for request in requests]
            return call_many(model, str(action), self._target, records)
        if action == DiffSyncActions.CREATE:
            ids, attrs = restored(model, step.element.keys), restored(model, step.element.source_attrs or {})
            return [model.create(adapter=self._target, ids=ids, attrs=attrs)]
        assert obj is not None  # noqa: S101  # for the type checker: a missing object is a conflict
        if action == DiffSyncActions.UPDATE:
            return [obj.update(attrs=restored(type(obj), step.element.get_attrs_diffs()["+"]))]
        if action == MOVE:
            attrs = restored(type(obj), step.element.get_attrs_diffs()["+"])
            return [hook(obj, "move")(*requests[0].parents, attrs)]
        return [obj.delete()]

    def look_up(self, elements: Sequence[DiffElement]) -> list[Any]:
        """Return the records of elements of one model, as `look_up` does; NotImplemented if the call fails."""
        model = self._model(elements[0].type)
        found: list[Any] = []
        for start in range(0, len(elements), self._options.batch_size):
            part = elements[start : start + self._options.batch_size]
            try:
                found += look_up(self._target, model, part, self._throttle.call)
            except Exception:  # noqa: BLE001  # whatever an adapter raises: unknown
                found += [NotImplemented] * len(part)
        return found

    def look_up_parent(self, element: DiffElement) -> Any:
        """Return the unique id of the parent that an object has in the system; NotImplemented if unknown."""
        model = self._model(element.type)
        find = hook(model, "lookup_parent")
        if find is None:
            return NotImplemented
        try:
            return self._throttle.call(lambda: find(self._target, restored(model, element.keys)))
        except Exception:  # noqa: BLE001  # whatever an adapter raises: unknown
            return NotImplemented

    def _is_lost(self, error: Exception) -> bool:
        """Whether the answer of a call was lost."""
        return isinstance(error, OutcomeUnknown) or self._throttle.is_transient(error)

    def _by_halves(self, requests: list[Request], error: Exception) -> list[CallResult]:
        if len(requests) == 1:
            return [CallResult(Outcome.FAILED, error)]
        half = len(requests) // 2
        return self._perform(requests[:half]) + self._perform(requests[half:])

    def _after_loss(
        self, requests: list[Request], results: list[CallResult], places: list[int], error: Exception
    ) -> list[int]:
        """Look up the records of a call whose answer was lost; return the places of records that may be sent again."""
        if was_not_done(error):
            return places
        if requests[0].step.action == MOVE:
            return self._after_lost_move(requests[0], results, places, error)
        again: list[int] = []
        found = self.look_up([requests[place].step.element for place in places])
        for place, now in zip(places, found, strict=True):
            step, obj = requests[place].step, requests[place].obj
            state = None if now is NotImplemented else outcome(step.element, obj, now, self._model(step.element.type))
            if state is State.DONE:
                results[place] = CallResult(Outcome.FOUND_DONE, now)
            elif state is State.CONFLICT:
                results[place] = CallResult(Outcome.CONFLICT, NEITHER_STATE, error)
            elif state is State.PENDING or _is_repeatable(step, error):
                again.append(place)
            else:
                results[place] = CallResult(Outcome.UNKNOWN, error, error)
        return again

    def _after_lost_move(
        self, request: Request, results: list[CallResult], places: list[int], error: Exception
    ) -> list[int]:
        parent = self.look_up_parent(request.step.element)
        old, new = map(uid_of_parent, request.parents)
        if parent == old and parent != new:
            return places
        is_done = parent == new
        results[0] = CallResult(Outcome.DONE, request.obj) if is_done else CallResult(Outcome.UNKNOWN, error, error)
        return []


def uid_of_parent(parent: DiffSyncModel | None) -> str:
    """Return what `lookup_parent` returns for an object below this one."""
    return "" if parent is None else parent.get_unique_id()


def _is_repeatable(step: Step, error: Exception) -> bool:
    """Whether an operation may be sent again although it may have been done."""
    return step.action == DiffSyncActions.UPDATE or status_of(error) == _INTERNAL_ERROR


def _result(answer: Any) -> CallResult:
    """Return the result of one record from the answer of a hook."""
    if isinstance(answer, Exception):
        return CallResult(Outcome.UNKNOWN if isinstance(answer, OutcomeUnknown) else Outcome.FAILED, answer)
    return CallResult(Outcome.DONE, answer)


def _record(model: type[DiffSyncModel], request: Request) -> Any:
    """Return the item for one record in the list that a batch hook receives."""
    element = request.step.element
    if request.step.action == DiffSyncActions.CREATE:
        return restored(model, element.keys), restored(model, element.source_attrs or {})
    if request.step.action == DiffSyncActions.UPDATE:
        return request.obj, restored(model, element.get_attrs_diffs()["+"])
    return request.obj


def _fill(results: list[CallResult], places: list[int], found: list[CallResult]) -> None:
    for place, result in zip(places, found, strict=True):
        results[place] = result
