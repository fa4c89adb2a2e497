"""Requests that write, and what the failure of one of them means for the records of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from diffsync_store.adapters.http import HttpError, explained
from diffsync_store.adapters.mapped import Answer
from diffsync_store.exceptions import OutcomeUnknown
from diffsync_store.mapping.paths import compile_getter
from diffsync_store.transient import is_transient, retry_after

T = TypeVar("T")

REFUSALS = frozenset({400, 403, 404, 409, 410, 412, 413, 415, 422, 428})
"""Statuses by which an API refuses a record, and does not ask for another try."""


def is_refusal(error: HttpError) -> bool:
    """True if the API has refused the records of a request, and has changed nothing."""
    return error.response.status_code in REFUSALS


def one_by_one(items: Sequence[T], send: Callable[[T], Answer], refused: type[Exception]) -> list[Answer]:
    """Send a request for each record; a record that the API refuses gets the reason as its answer."""

    def send_one(part: Sequence[T]) -> list[Answer]:
        try:
            return [send(part[0])]
        except HttpError as error:
            if is_refusal(error):
                return [refused(str(error))]
            raise
        except ValueError as error:
            return [refused(str(error))]

    return in_parts(items, 1, send_one)


def in_parts(items: Sequence[T], size: int, send: Callable[[Sequence[T]], Sequence[Answer]]) -> list[Answer]:
    """Send requests for so many records each; the answers of all, in order.

    Raises:
        OutcomeUnknown: a request failed that may pass, after others were done: the sync looks all records up.
        Exception: the first request failed.
    """
    answers: list[Answer] = []
    for start in range(0, len(items), size):
        part = items[start : start + size]
        try:
            answers += send(part)
        except Exception as error:
            if not start:
                raise
            if is_transient(error):
                raise _unknown(error) from None  # the cause would say that nothing of the call was done
            return answers + [error] * (len(items) - start)
    return answers


@dataclass(frozen=True)
class Bulk(Generic[T]):
    """Sends records in one request; those that the API refuses get the reason as their answers, and the rest is sent without them.

    An API does nothing of a request that it refuses. Where it does not say which records it is about, halves are sent.
    """

    send: Callable[[Sequence[T]], Sequence[Answer]]
    """Sends records; the answer for each."""
    refused: type[Exception]
    """The class of the answer for a record that is refused."""
    blame: Callable[[HttpError, int], dict[int, str]]
    """The reasons by the places of the bad records, for an error and the number of records; empty if the API names none."""

    def __call__(self, records: Sequence[T]) -> list[Answer]:
        """Return the answer for each record."""
        if not records:
            return []
        try:
            return list(self.send(records))
        except HttpError as error:
            if not is_refusal(error):
                raise
            bad = {0: str(error)} if len(records) == 1 else self.blame(error, len(records))
        return self._without(records, bad) if bad else in_parts(records, -(-len(records) // 2), self)

    def _without(self, records: Sequence[T], bad: dict[int, str]) -> list[Answer]:
        good = iter(self([record for place, record in enumerate(records) if place not in bad]))
        return [self.refused(bad[place]) if place in bad else next(good) for place in range(len(records))]


def errors_in_order(error: HttpError, number: int, path: str = "") -> dict[int, str]:
    """Reasons by the places of the bad records, where the answer has a list with an item for each record."""
    found = compile_getter(path)(error.details, None) if path and isinstance(error.details, dict) else error.details
    if not isinstance(found, list) or len(found) != number:
        return {}
    return {place: explained(item) for place, item in enumerate(found) if item}


def _unknown(error: Exception) -> OutcomeUnknown:
    unknown = OutcomeUnknown(f"A request failed after other requests of the same call succeeded: {error}")
    unknown.retry_after = retry_after(error)  # type: ignore[attr-defined]  # as `diffsync_store.transient` reads it
    return unknown
