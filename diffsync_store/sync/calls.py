"""The calls of the target's system, and what became of each record of them. Used by several threads at once."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from diffsync_store.enum import DiffSyncActions
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import OutcomeUnknown
from diffsync_store.hooks import call_many, hook, takes_many, takes_one
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.preconditions import conflict
from diffsync_store.sync.recovery import look_up, outcome
from diffsync_store.sync.steps import MOVE, Step
from diffsync_store.sync.throttle import Throttle
from diffsync_store.transient import status_of, was_not_done
from diffsync_store.values.readable import restored

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.diff import DiffElement
    from diffsync_store.model import DiffSyncModel

_INTERNAL_ERROR = 500
"""HTTP status of an answer by the application itself, and not by what stands before it."""


class Became(enum.Enum):
    """What became of one record of a call."""

    DONE = "done"
    """`value` is the object; None where the model has left it alone."""
    FOUND_DONE = "found done"
    """Its answer was lost; `value` is what a look at the system has shown."""
    REFUSED = "refused"
    """`value` is the exception."""
    CONFLICT = "conflict"
    """`value` is the reason."""
    UNKNOWN = "unknown"
    """`value` is the exception, or None where the hook has answered so."""
    NOT_SENT = "not sent"
    """The sync has ended before its turn."""


class Answer(NamedTuple):
    """What became of one record of a call."""

    became: Became
    value: Any = None
    error: Exception | None = None
    """What ended the call, where that is not the value."""


_NOT_SENT = Answer(Became.NOT_SENT)


@dataclass(slots=True)
class Request:
    """One record of a call."""

    step: Step
    obj: DiffSyncModel | None
    before: dict[str, Any] | None = None
    """The object's fields before an update."""
    places: tuple[DiffSyncModel | None, DiffSyncModel | None] = (None, None)
    """The old and the new parent of an object that moves."""


class Calls:
    """Calls the hooks of a target's models.

    Args:
        target: the adapter.
        model_class: gives the class of a model.
        options: the guards.
        pace: how fast, and how often again.
    """

    def __init__(
        self, target: Adapter, model_class: Callable[[str], type[DiffSyncModel]], options: SyncOptions, pace: Throttle
    ) -> None:
        self._target = target
        self._class = model_class
        self._options = options
        self._pace = pace

    def perform(self, requests: list[Request]) -> list[Answer]:
        """Make the call for records of one model and action; the answers in the order of the records."""
        if not self._options.lookup_first:
            return self._call(requests)
        answers = self._refused_by_lookup(requests)
        free = [request for request, answer in zip(requests, answers, strict=True) if answer is None]
        found = iter(self._call(free) if free else [])
        return [next(found) if answer is None else answer for answer in answers]

    def look_up(self, elements: Sequence[DiffElement]) -> list[Any]:
        """What the system has for elements of one model: attributes, None, or NotImplemented where nobody can tell."""
        model = self._class(elements[0].type)
        found: list[Any] = []
        for start in range(0, len(elements), self._options.batch_size):
            part = elements[start : start + self._options.batch_size]
            try:
                found += look_up(self._target, model, part, self._pace.call)
            except Exception:  # noqa: BLE001  # whatever an adapter's code raises: nobody can tell
                found += [NotImplemented] * len(part)
        return found

    def _refused_by_lookup(self, requests: list[Request]) -> list[Answer | None]:
        """Whether the records are not what the diff saw."""
        elements = [request.step.element for request in requests]
        model = self._class(elements[0].type)
        answers: list[Answer | None] = []
        for element, now in zip(elements, self.look_up(elements), strict=True):
            reason = "" if now is NotImplemented else conflict(element, now, model)
            answers.append(Answer(Became.CONFLICT, reason) if reason else None)
        return answers

    def _call(self, requests: list[Request]) -> list[Answer]:
        model, action = self._class(requests[0].step.element.type), requests[0].step.action
        is_single = len(requests) == 1 and takes_one(model, str(action))
        call = self._one if is_single else self._many
        answers: list[Answer] = [_NOT_SENT] * len(requests)
        left = list(range(len(requests)))
        attempt = 0
        while left:
            if not self._pace.turn():
                return answers
            sent = [requests[at] for at in left]
            try:
                found = call(model, sent)
            except Exception as error:  # noqa: BLE001  # whatever an adapter's code raises is this call's failure
                if not self._is_lost(error):
                    self._fill(answers, left, self._by_halves(sent, error))
                    return answers
                goes_on = self._pace.pause(error, attempt)
                left = self._after_loss(requests, answers, left, error)
                for at in left:
                    answers[at] = Answer(Became.REFUSED, error)  # unless it is sent again
                if not goes_on:
                    self._give_up(requests, answers, left, error)
                    return answers
                attempt += 1
            else:
                self._fill(answers, left, [_answer(each) for each in found])
                return answers
        return answers

    def _one(self, model: type[DiffSyncModel], requests: list[Request]) -> list[Any]:
        [request] = requests
        element, obj = request.step.element, request.obj
        if request.step.action == DiffSyncActions.CREATE:
            ids, attrs = restored(model, element.keys), restored(model, element.source_attrs or {})
            return [model.create(adapter=self._target, ids=ids, attrs=attrs)]
        assert obj is not None  # noqa: S101  # for the type checker: or else it is a conflict
        if request.step.action == DiffSyncActions.UPDATE:
            return [obj.update(attrs=restored(type(obj), element.get_attrs_diffs()["+"]))]
        if request.step.action == MOVE:
            attrs = restored(type(obj), element.get_attrs_diffs()["+"])
            return [hook(obj, "move")(*request.places, attrs)]
        return [obj.delete()]

    def _many(self, model: type[DiffSyncModel], requests: list[Request]) -> list[Any]:
        records = [_argument(model, request) for request in requests]
        return call_many(model, str(requests[0].step.action), self._target, records)

    def _is_lost(self, error: Exception) -> bool:
        return isinstance(error, OutcomeUnknown) or self._pace.is_transient(error)

    def _by_halves(self, requests: list[Request], error: Exception) -> list[Answer]:
        """Nothing of a call was done: find the record that it is about."""
        if len(requests) == 1:
            return [Answer(Became.REFUSED, error)]
        half = len(requests) // 2
        return self._call(requests[:half]) + self._call(requests[half:])

    def _after_loss(
        self, requests: list[Request], answers: list[Answer], left: list[int], error: Exception
    ) -> list[int]:
        """Find out what a call has done whose answer was lost; return what may be sent again."""
        if was_not_done(error):
            return left
        if requests[0].step.action == MOVE:
            return self._after_lost_move(requests, answers, left, error)
        again: list[int] = []
        for at, now in zip(left, self.look_up([requests[at].step.element for at in left]), strict=True):
            step, obj = requests[at].step, requests[at].obj
            state = None if now is NotImplemented else outcome(step.element, obj, now)
            if state is State.DONE:
                answers[at] = Answer(Became.FOUND_DONE, now)
            elif state is State.CONFLICT:
                answers[at] = Answer(Became.CONFLICT, "It is neither as before the operation nor as after it.", error)
            elif state is State.PENDING or _may_be_repeated(step, error):
                again.append(at)
            else:
                answers[at] = Answer(Became.UNKNOWN, error, error)
        return again

    def _after_lost_move(
        self, requests: list[Request], answers: list[Answer], left: list[int], error: Exception
    ) -> list[int]:
        [request] = requests
        place = self.place_of(request.step.element)
        old, new = map(place_in_store, request.places)
        if place == new:
            answers[0] = Answer(Became.DONE, request.obj)
        elif place == old:
            return left
        else:
            answers[0] = Answer(Became.UNKNOWN, error, error)
        return []

    def place_of(self, element: DiffElement) -> Any:
        """What an object stands under in the system; NotImplemented where nobody can tell."""
        model = self._class(element.type)
        find = hook(model, "lookup_parent")
        if find is None:
            return NotImplemented
        try:
            return self._pace.call(lambda: find(self._target, restored(model, element.keys)))
        except Exception:  # noqa: BLE001  # whatever an adapter's code raises: nobody can tell
            return NotImplemented

    def _give_up(self, requests: list[Request], answers: list[Answer], left: list[int], error: Exception) -> None:
        """A call has failed for the last time."""
        if len(left) > 1 and status_of(error) == _INTERNAL_ERROR and not self._pace.has_ended:
            # The system answers: one of the records may be the cause.
            self._fill(answers, left, self._by_halves([requests[at] for at in left], error))

    @staticmethod
    def _fill(answers: list[Answer], places: list[int], found: list[Answer]) -> None:
        for at, answer in zip(places, found, strict=True):
            answers[at] = answer


def place_in_store(parent: DiffSyncModel | None) -> str:
    """What `lookup_parent` says of an object below this one."""
    return "" if parent is None else parent.get_unique_id()


def _may_be_repeated(step: Step, error: Exception) -> bool:
    """Whether an operation may be sent again though it may have been done."""
    return step.action == DiffSyncActions.UPDATE or status_of(error) == _INTERNAL_ERROR


def _answer(found: Any) -> Answer:
    """What a hook has answered for one record."""
    if isinstance(found, OutcomeUnknown):
        return Answer(Became.UNKNOWN, found)
    if isinstance(found, Exception):
        return Answer(Became.REFUSED, found)
    return Answer(Became.DONE, found)


def _argument(model: type[DiffSyncModel], request: Request) -> Any:
    """What a bulk hook is given for one record."""
    element = request.step.element
    if request.step.action == DiffSyncActions.CREATE:
        return restored(model, element.keys), restored(model, element.source_attrs or {})
    if request.step.action == DiffSyncActions.UPDATE:
        return request.obj, restored(model, element.get_attrs_diffs()["+"])
    return request.obj


def goes_together(model: type[DiffSyncModel], action: str, options: SyncOptions) -> bool:
    """Whether records of a model go into one call."""
    return options.batch_size > 1 and takes_many(model, action)
