"""What a load finds out about its own completeness: records it could not take, models it could not read to the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict

from diffsync_store._process_lock import process_lock
from diffsync_store.exceptions import (
    ObjectAlreadyExists,
    ObjectNotFound,
    ObjectNotStorable,
    ObjectStoreException,
    ObjectStoreWrongType,
)
from diffsync_store.redaction import format_payload, format_reason, redact_credentials, truncate
from diffsync_store.values.codec import is_unicode

_OF_ONE_RECORD = (ObjectAlreadyExists, ObjectNotFound, ObjectNotStorable, ObjectStoreWrongType)
"""What a store raises because of a record; whatever else it raises is its own trouble."""

_LOCK = process_lock()

KEPT = 100
"""Rejects of one model that are kept; the number of all is exact."""
KEPT_IN_ALL = 1000
MAX_KEYS = 1000
"""Objects of one model's gap below which records are missing; with more of them, they may be missing anywhere."""

ObjectKey = tuple[str, str]
"""Model and unique id of an object."""


class LoadReject(BaseModel):
    """A record that a load could not take."""

    model_config = ConfigDict(frozen=True)

    what: str
    """The record's key, as the adapter named it."""
    reason: str
    payload: str = ""
    """The record as JSON, truncated, with secrets redacted."""


class Gap(BaseModel):
    """Why a load does not prove that it has all records of one model."""

    model_config = ConfigDict(frozen=True)

    reasons: tuple[str, ...] = ()
    rejected: int = 0
    """Number of all rejected records."""
    rejects: tuple[LoadReject, ...] = ()
    """The first of them."""
    below: tuple[ObjectKey, ...] = ()
    """Objects below which records are missing; anywhere, where there are none."""

    def __str__(self) -> str:
        return "; ".join(self.reasons)


@dataclass
class _OfModel:
    incomplete: list[str] = field(default_factory=list)
    below: dict[ObjectKey, None] = field(default_factory=dict)
    is_anywhere: bool = False
    expected: int | None = None
    at_least: bool = False
    rejected: int = 0
    rejects: list[LoadReject] = field(default_factory=list)
    kept: int = 0
    """Those among the rejects, or about to be."""

    def gap(self, loaded: int | None) -> Gap | None:
        reasons = list(self.incomplete)
        if self.rejected:
            first = f", the first {self.rejects[0].what}: {self.rejects[0].reason}" if self.rejects else ""
            reasons.append(f"{self.rejected} rejected{first}")
        shortfall = None if loaded is None else self._shortfall(loaded)
        if shortfall:
            reasons.append(shortfall)
        if not reasons:
            return None
        is_anywhere = self.is_anywhere or shortfall
        return Gap(
            reasons=tuple(reasons),
            rejected=self.rejected,
            rejects=tuple(self.rejects),
            below=() if is_anywhere else tuple(self.below),
        )

    def add_key(self, below: ObjectKey | None) -> None:
        """Something is missing below an object; anywhere, where none is given, or one that no store in Redis can name."""
        if below is not None and not is_unicode(below[1]):
            below = None
        if below is not None:
            self.below[below] = None
        self.is_anywhere = self.is_anywhere or below is None or len(self.below) > MAX_KEYS

    def _shortfall(self, loaded: int) -> str:
        if self.expected is None:
            return ""
        seen = loaded + self.rejected
        if seen == self.expected or (self.at_least and seen > self.expected):
            return ""
        expected = f"{'at least ' if self.at_least else ''}{self.expected} expected"
        rejected = f" and {self.rejected} rejected" if self.rejected else ""
        return f"{loaded} records loaded{rejected}, {expected}"


class LoadReport:
    """What one load has found so far, by model; any number of threads may tell of it.

    Args:
        redact: takes secrets out of a text before it is kept or logged.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self._redact = redact
        self._models: dict[str, _OfModel] = {}
        self._kept = 0

    def expect(self, model: str, count: int, *, at_least: bool) -> None:
        """Say how many records the system has; the last word counts."""
        if type(count) is not int or count < 0:
            raise ValueError(
                f"The number of {model} records to expect must be a whole number from 0 on, not {count!r}."
            )
        found = self._of(model)
        found.expected, found.at_least = count, at_least

    def incomplete(self, model: str, reason: str, below: ObjectKey | None = None) -> None:
        """Say that records of a model are missing, of those below an object or of all; the first ten reasons are kept."""
        reason = truncate(redact_credentials(self._redact(reason)), 500) or "incomplete"
        with _LOCK:
            self._of(model).add_key(below)
            reasons = self._of(model).incomplete
            if reason not in reasons and len(reasons) < 10:
                reasons.append(reason)

    def reject(
        self,
        model: str,
        what: Any,
        error: BaseException,
        payload: Any,
        owner: Any = None,
        *,
        below: ObjectKey | None = None,
    ) -> None:
        """Count a record that could not be taken, and keep it if it is one of the first; `owner` is its model's class."""
        with _LOCK:
            found = self._of(model)
            found.add_key(below)
            found.rejected += 1
            if found.kept >= KEPT or self._kept >= KEPT_IN_ALL:
                return
            found.kept += 1
            self._kept += 1
        reject = LoadReject(
            what=truncate(redact_credentials(self._redact(str(what))), 200),
            reason=self._redact(format_reason(error, owner, _as_mapping(payload))),
            payload=self._redact(format_payload(payload, owner)),
        )
        found.rejects.append(reject)
        structlog.get_logger().warning("Record rejected", model=model, what=reject.what, reason=reject.reason)

    def failure(self, error: BaseException) -> str:
        """Why the load as a whole has failed."""
        return truncate(self._redact(format_reason(error)), 2000)

    def expected(self) -> dict[str, int]:
        """The number of records that was said, by model."""
        return {model: found.expected for model, found in list(self._models.items()) if found.expected is not None}

    def gaps(self, counts: Mapping[str, int] | None) -> dict[str, Gap]:
        """The gaps by model, given how many objects of each model there are; None if that does not matter."""
        gaps = {
            model: found.gap(None if counts is None else counts.get(model, 0))
            for model, found in list(self._models.items())
        }
        return {model: gap for model, gap in gaps.items() if gap is not None}

    def _of(self, model: str) -> _OfModel:
        return self._models.setdefault(model, _OfModel())


def _as_mapping(payload: Any) -> Mapping[str, Any] | None:
    if isinstance(payload, BaseModel):
        return dict(payload)
    return payload if isinstance(payload, Mapping) else None


class Rejecting:
    """A block that takes in one record of a load; if it raises, the record is rejected."""

    def __init__(
        self,
        report: LoadReport,
        model: str,
        what: Any,
        payload: Any,
        owner: Any = None,
        *,
        below: ObjectKey | None = None,
    ) -> None:
        self._report = report
        self._record = model, what, payload, owner
        self._below = below

    def __enter__(self) -> None:
        """Begin the record."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        """Tell whether the error is the record's fault: one of the store itself, or the end of the program, is not."""
        if not isinstance(error, Exception):
            return False
        if isinstance(error, ObjectStoreException) and not isinstance(error, _OF_ONE_RECORD):
            return False
        model, what, payload, owner = self._record
        self._report.reject(model, what, error, payload, owner, below=self._below)
        return True


def summary(gaps: Mapping[str, Gap]) -> str:
    """The gaps as one line."""
    return truncate("; ".join(f"{model}: {gap}" for model, gap in gaps.items()), 2000)
