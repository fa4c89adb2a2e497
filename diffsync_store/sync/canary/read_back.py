"""Read the objects of a canary back from the target, and compare them with what was written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from diffsync_store.adapter import Adapter
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.redaction import redact_values, truncate
from diffsync_store.result import Unsettled
from diffsync_store.sync.lookup import differing, look_up
from diffsync_store.sync.moves import Key, Move, find_moves
from diffsync_store.sync.throttle import Throttle
from diffsync_store.sync_elements import TargetElements
from diffsync_store.values.readable import readable

_MAX_TEXT = 300


@dataclass
class ReadBack:
    """What the target has of some applied operations. For one thread."""

    diff: Diff
    target: Adapter
    elements: TargetElements
    throttle: Throttle
    batch_size: int
    settled: int = 0
    not_read: dict[str, int] = field(default_factory=dict)
    """Objects that were not read, by model: it has no `lookup`, or that does not know."""
    not_settled: int = 0
    unsettled: list[Unsettled] = field(default_factory=list)
    _deleted: set[str] = field(default_factory=set, init=False)
    """Models of which objects were deleted."""

    def read(self, operations: Collection[DiffElement]) -> None:
        """Read the objects of operations that were applied, by model and in batches."""
        self._deleted = {element.type for element in operations if element.action == DiffSyncActions.DELETE}
        for model, group in groupby(sorted(operations, key=_model), key=_model):
            alike = list(group)
            for start in range(0, len(alike), self.batch_size):
                self._read(model, alike[start : start + self.batch_size])

    def _read(self, model: str, elements: Sequence[DiffElement]) -> None:
        try:
            found = look_up(self.target, self.elements.model(model), elements, self.throttle.call)
        except Exception as error:  # noqa: BLE001  # whatever an adapter raises: nobody knows what the target has
            reason = self.elements.reason(elements[0], error)
            for element in elements:
                self._note([self._whole(element, "as written", f"unreadable ({truncate(reason, _MAX_TEXT)})")])
            return
        for element, now in zip(elements, found, strict=True):
            if now is NotImplemented:
                self.not_read[model] = self.not_read.get(model, 0) + 1
            else:
                self._note(list(self._differences(element, now)))

    def _note(self, found: list[Unsettled]) -> None:
        self.unsettled += found
        self.not_settled += bool(found)
        self.settled += not found

    def _differences(self, element: DiffElement, now: Any) -> Iterator[Unsettled]:
        if element.action == DiffSyncActions.DELETE:
            if now is not None and not self._is_created(element):
                yield self._whole(element, "gone", "still there")
        elif now is None:
            yield self._whole(element, "there", "missing")
        else:
            yield from self._values(element, now)

    def _is_created(self, element: DiffElement) -> bool:
        """Whether the diff creates the object in another place, before or after it is deleted in this one."""
        return self.elements.key(element) in self._moves

    @cached_property
    def _moves(self) -> dict[Key, Move]:
        return find_moves(self.diff, self.elements.key, self._deleted)

    def _values(self, element: DiffElement, now: Any) -> Iterator[Unsettled]:
        written = element.get_attrs_diffs()["+"]
        names = differing(written, now, self.elements.model(element.type))
        if names:
            secrets = self.elements.secrets(element)
            wanted, found = redact_values(secrets, written), redact_values(secrets, {name: now[name] for name in names})
            uid = self.elements.redacted_id(element)
            for name in names:
                yield Unsettled(str(element.action), element.type, uid, name, wanted[name], found[name])

    def _whole(self, element: DiffElement, written: str, found: str) -> Unsettled:
        uid = self.elements.redacted_id(element)
        return Unsettled(str(element.action), element.type, uid, "", written, readable(found))


def _model(element: DiffElement) -> str:
    return element.type
