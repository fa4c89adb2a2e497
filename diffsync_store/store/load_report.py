"""The report of a load about missing data: rejected records and incomplete models."""

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
from diffsync_store.values.plain import is_unicode

_RECORD_ERRORS = (ObjectAlreadyExists, ObjectNotFound, ObjectNotStorable, ObjectStoreWrongType)
"""Errors of a store that a record causes. Other errors of a store are not the fault of a record."""

_LOCK = process_lock()

MAX_REJECTS_PER_MODEL = 100
"""Maximum rejects of a model that are kept. All rejects are counted."""
MAX_REJECTS = 1000
MAX_KEYS = 1000
"""Maximum objects in `Gap.below`. If there are more, records count as missing anywhere."""

ObjectKey = tuple[str, str]
"""Model and unique id of an object."""


class LoadReject(BaseModel):
    """A record that a load rejected."""

    model_config = ConfigDict(frozen=True)

    what: str
    """The key of the record, as the adapter reported it."""
    reason: str
    payload: str = ""
    """The record as JSON, truncated, with secrets redacted."""


class Gap(BaseModel):
    """Why a load may lack records of one model."""

    model_config = ConfigDict(frozen=True)

    reasons: tuple[str, ...] = ()
    rejected: int = 0
    """Number of rejected records."""
    rejects: tuple[LoadReject, ...] = ()
    """The first rejected records."""
    below: tuple[ObjectKey, ...] = ()
    """Objects below which records are missing; if empty, they may be missing anywhere."""

    def __str__(self) -> str:
        return "; ".join(self.reasons)


@dataclass
class _ModelReport:
    incomplete: list[str] = field(default_factory=list)
    below: dict[ObjectKey, None] = field(default_factory=dict)
    is_anywhere: bool = False
    expected: int | None = None
    at_least: bool = False
    rejected: int = 0
    rejects: list[LoadReject] = field(default_factory=list)
    kept: int = 0
    """Number of rejects that are kept or about to be kept."""

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
        """Note that records are missing below an object; anywhere if it is None, or not valid Unicode, which Redis cannot hold."""
        if below is not None and not is_unicode(below[1]):
            below = None
        if below is not None:
            self.below[below] = None
        self.is_anywhere = self.is_anywhere or below is None or len(self.below) > MAX_KEYS

    def _shortfall(self, loaded: int) -> str:
        if self.expected is None:
            return ""
        reported = loaded + self.rejected
        if reported == self.expected or (self.at_least and reported > self.expected):
            return ""
        expected = f"{'at least ' if self.at_least else ''}{self.expected} expected"
        rejected = f" and {self.rejected} rejected" if self.rejected else ""
        return f"{loaded} records loaded{rejected}, {expected}"


class LoadReport:
    """The report of one load. Threads may share it.

    Args:
        redact: removes secrets from a text before it is kept or logged.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self._redact = redact
        self._models: dict[str, _ModelReport] = {}
        self._kept = 0

    def expect(self, model: str, count: int, *, at_least: bool) -> None:
        """Set the number of records that the system has. The last call counts."""
        if type(count) is not int or count < 0:
            raise ValueError(
                f"The expected number of {model} records must be a whole number of at least 0, not {count!r}."
            )
        found = self._of(model)
        found.expected, found.at_least = count, at_least

    def incomplete(self, model: str, reason: str, below: ObjectKey | None = None) -> None:
        """Report that records of a model are missing, below an object or anywhere. The first ten reasons are kept."""
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
        """Report a rejected record. It is counted; the first ones are kept. `owner` is the class of its model."""
        with _LOCK:
            found = self._of(model)
            found.add_key(below)
            found.rejected += 1
            if found.kept >= MAX_REJECTS_PER_MODEL or self._kept >= MAX_REJECTS:
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
        """Return the reason of a failed load."""
        return truncate(self._redact(format_reason(error)), 2000)

    def expected(self) -> dict[str, int]:
        """Return the expected number of records, by model."""
        return {model: found.expected for model, found in list(self._models.items()) if found.expected is not None}

    def numbers(self) -> dict[str, dict[str, int]]:
        """Return the numbers of `expected` and `rejected` records, by model."""
        rejected = {model: found.rejected for model, found in list(self._models.items()) if found.rejected}
        return {"expected": self.expected(), "rejected": rejected}

    def gaps(self, counts: Mapping[str, int] | None) -> dict[str, Gap]:
        """Return the gaps by model.

        Args:
            counts: number of loaded objects by model, to compare with the expected numbers; None to skip this.
        """
        gaps = {
            model: found.gap(None if counts is None else counts.get(model, 0))
            for model, found in list(self._models.items())
        }
        return {model: gap for model, gap in gaps.items() if gap is not None}

    def _of(self, model: str) -> _ModelReport:
        return self._models.setdefault(model, _ModelReport())


def _as_mapping(payload: Any) -> Mapping[str, Any] | None:
    if isinstance(payload, BaseModel):
        return dict(payload)
    return payload if isinstance(payload, Mapping) else None


class Rejecting:
    """A context manager for the load of one record. If the block raises, the record is rejected."""

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
        """Enter the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        """Reject the record and suppress the error, unless the store or the end of the program caused it."""
        if not isinstance(error, Exception):
            return False
        if isinstance(error, ObjectStoreException) and not isinstance(error, _RECORD_ERRORS):
            return False
        model, what, payload, owner = self._record
        self._report.reject(model, what, error, payload, owner, below=self._below)
        return True


def summary(gaps: Mapping[str, Gap]) -> str:
    """Return the gaps as one line."""
    return truncate("; ".join(f"{model}: {gap}" for model, gap in gaps.items()), 2000)
