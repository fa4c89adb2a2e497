"""Adopt what source and target have in common: from then on it counts as written by a sync of the source."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol

from diffsync_store.compare import normal_forms
from diffsync_store.field_rules.memory import Adoption, Remembered, TargetMemory
from diffsync_store.field_rules.recording import remembered
from diffsync_store.field_rules.rules import FieldRules
from diffsync_store.model import DiffSyncModel
from diffsync_store.values.codec import equal

_BATCH = 1000


class Loaded(Protocol):
    """What is needed of the record of a store."""

    @property
    def created(self) -> datetime: ...


class Objects(Protocol):
    """What is needed of the stores of source and target. Nothing is changed in them."""

    def record(self) -> Loaded: ...
    def get_all_model_names(self) -> set[str]: ...
    def snapshot(self, model: str, uids: Sequence[str]) -> dict[str, DiffSyncModel]: ...
    def snapshot_all(self, model: str) -> Iterator[DiffSyncModel]: ...


class Adoptable(NamedTuple):
    """What can be adopted of one object."""

    model: str
    unique_id: str
    attributes: tuple[str, ...]
    """The attributes whose values are equal on both sides and of which no sync is known to have written this value."""
    is_object: bool
    """Whether the object itself is adopted: a sync may then delete it."""
    known: Remembered
    """What is known when it is adopted."""
    is_outdated: bool
    """Whether a sync has written the object since the load of the target began. It is then not adopted: the store may have old values."""


class Adopter:
    """Finds what a sync can adopt, and adopts it. For one thread.

    An attribute is adopted if it has the rule `unless_changed` and a value that is equal on both sides. An object is adopted only on
    request, if its deletes are limited to own ones, the source has it, and no sync is known to have created it. Nothing is adopted of an
    object that a sync has written since the load of the target began: what it remembers is newer than the store.

    Args:
        rules: the field rules of the sync.
        memory: what syncs have written to the target.
        source_name: the name of the source, which then owns adopted objects.
        objects: whether objects are adopted too.
    """

    def __init__(self, rules: FieldRules, memory: TargetMemory, source_name: str, *, objects: bool) -> None:
        self._rules = rules
        self._memory = memory
        self._source_name = source_name
        self._objects = objects

    def find(self, source: Objects, target: Objects) -> Iterator[Adoptable]:
        """Yield what can be adopted now, and what cannot because it is outdated."""
        loaded_at = round(target.record().created.timestamp(), 3)  # as precise as the memory
        for model in sorted(target.get_all_model_names() & source.get_all_model_names()):
            if not (self._rules.remembers_values(model) or (self._objects and self._rules.deletes_own(model))):
                continue
            objects = target.snapshot_all(model)
            while batch := {obj.get_unique_id(): obj for obj in islice(objects, _BATCH)}:
                known = self._memory.read(model, list(batch))
                for uid, other in source.snapshot(model, list(batch)).items():
                    found = self._adoptable(batch[uid], other, known.get(uid, Remembered()), loaded_at)
                    if found is not None:
                        yield found

    def adopt(
        self,
        source: Objects,
        target: Objects,
        *,
        sync: str,
        by: str,
        now: Callable[[], float] = time.time,
    ) -> Adoption:
        """Adopt what can be adopted now, and record who did it.

        Args:
            source: the store of the source.
            target: the store of the target.
            sync: the name of the sync.
            by: who adopts.
            now: returns the time in seconds since 1970, by the clock of the memory.
        """
        at, found = now(), self.find(source, target)
        counts = Counts()
        while batch := list(islice(found, _BATCH)):
            self._memory.write({(one.model, one.unique_id): one.known for one in batch if not one.is_outdated})
            counts.add(batch)
        adoption = counts.adoption(at=at, by=by, sync=sync)
        self._memory.note_adoption(adoption)
        return adoption

    def _adoptable(
        self, obj: DiffSyncModel, other: DiffSyncModel, known: Remembered, loaded_at: float
    ) -> Adoptable | None:
        model, uid = obj.get_type(), obj.get_unique_id()
        values = self._values(obj, other, known)
        is_object = self._objects and self._rules.deletes_own(model) and not known.created_by
        if not (values or is_object):
            return None
        new = remembered(values, type(obj), type(obj), self._memory.salt)
        new = replace(new, is_adopted=True, created_by=self._source_name if is_object else "", at=loaded_at)
        return Adoptable(model, uid, tuple(values), is_object, known.merged(new), known.at > loaded_at)

    def _values(self, obj: DiffSyncModel, other: DiffSyncModel, known: Remembered) -> Mapping[str, object]:
        """Return the target's values that are equal on both sides and are not remembered yet."""
        model, theirs = obj.get_type(), other.get_attrs()
        mine, others = normal_forms(obj), normal_forms(other)
        return {
            name: value
            for name, value in obj.get_attrs().items()
            if name in theirs
            and value not in (None, "", [], {})
            and self._rules.remembers(model, name)
            and (equal(theirs[name], value) or (name in mine and name in others and equal(mine[name], others[name])))
            and not known.matches(name, value, mine, self._memory.salt)
        }


class Counts:
    """The numbers of what is adopted, by model. For one thread."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.objects: Counter[str] = Counter()
        self.outdated: Counter[str] = Counter()
        """Objects of which nothing is adopted, because a sync has written them since the load of the target began."""

    def add(self, found: Sequence[Adoptable]) -> None:
        """Count more."""
        for one in found:
            if one.is_outdated:
                self.outdated[one.model] += 1
            else:
                self.values[one.model] += len(one.attributes)
                self.objects[one.model] += one.is_object

    def adoption(self, *, at: float = 0.0, by: str = "", sync: str) -> Adoption:
        """Return an adoption with these numbers."""
        numbers = {"values": self.values, "objects": self.objects, "outdated": self.outdated}
        return Adoption(at=at, by=by, sync=sync, **{name: dict(found) for name, found in numbers.items()})
