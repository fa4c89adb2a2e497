"""Differences that remain after a sync."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from diffsync_store.diff import Diff, walk
from diffsync_store.enum import DiffSyncActions
from diffsync_store.redaction import redact_id, redact_values


@dataclass(frozen=True, slots=True)
class RemainingDifference:
    """A record, or one field of it, that still differs after a sync."""

    model: str
    unique_id: str
    field: str
    """Empty if the whole record is missing or left over."""
    source: Any
    target: Any


def remaining_differences(diff: Diff) -> Iterator[RemainingDifference]:
    """Yield the differences of a diff that was made after a sync, without secrets."""
    for element, _ in walk(diff.get_children(), None):
        uid = redact_id(element, element.keys, element.uid or element.name)
        if element.action == DiffSyncActions.UPDATE:
            changes = {sign: redact_values(element, values) for sign, values in element.get_attrs_diffs().items()}
            for name, wanted in changes["+"].items():
                yield RemainingDifference(element.type, uid, name, wanted, changes["-"][name])
        elif element.action is not None:
            there = ["missing", "there"]
            is_new = element.action == DiffSyncActions.CREATE
            yield RemainingDifference(element.type, uid, "", there[is_new], there[not is_new])
