"""The facts about a comparison that are saved in the record of its diff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from diffsync_store.adapter import Adapter
from diffsync_store.diff import DiffElement, paths
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.field_rules import NO_FIELD_RULES, FieldRules
from diffsync_store.guards.guards import Guards
from diffsync_store.rules import NO_OPERATION_RULES, Rules
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.suppression import Suppression, Suppressions, place_of
from diffsync_store.values.readable import readable


@dataclass(frozen=True)
class Comparison:
    """The facts about a diff besides its elements."""

    source_name: str
    target_name: str
    source: StoreRecord | None
    target: StoreRecord | None
    flags: int
    suppressions: tuple[Suppression, ...] = ()
    field_rules: FieldRules = NO_FIELD_RULES
    operation_rules: Rules = NO_OPERATION_RULES

    @classmethod
    def of(
        cls,
        source: Adapter,
        target: Adapter,
        flags: DiffSyncFlags,
        guards: Guards | None,
        *,
        rules: FieldRules | None = None,
        operation_rules: Rules | None = None,
    ) -> Self:
        """Return the facts about two adapters, before their comparison.

        Raises:
            StoreNotFound, StoreNotComplete: one of the stores cannot be compared.
        """
        names, rules = (str(source.name), str(target.name)), rules or NO_FIELD_RULES
        decided = operation_rules or NO_OPERATION_RULES
        if guards is None:
            records = source.store.require_complete(), target.store.require_complete()
            return cls(*names, *records, flags.value, field_rules=rules, operation_rules=decided)
        records = source.store.require_loaded(), target.store.require_loaded()
        return cls(*names, *records, flags.value, guards.suppressions(*records).all, rules, decided)

    def facts(self) -> dict[str, Any]:
        """Return the fields of the diff's record."""
        source, target = self.source, self.target
        return {
            "source_name": readable(self.source_name),
            "target_name": readable(self.target_name),
            "source_store_id": source.store_id if source else "",
            "target_store_id": target.store_id if target else "",
            "source_generation": source.generation if source else "",
            "target_generation": target.generation if target else "",
            "flags": self.flags,
            "suppressions": self.suppressions,
            "field_rules": self.field_rules,
            "operation_rules": self.operation_rules,
        }

    def matches(self, record: DiffRecord) -> bool:
        """True if the diff of this record was made by the same comparison of the same loads."""
        facts = self.facts()
        return bool(record.source_generation) and all(getattr(record, name) == fact for name, fact in facts.items())

    def suppressed_in(self, element: DiffElement) -> Iterator[Suppression]:
        """Yield the suppression of each suppressed operation at and below an element, if it depends on the place."""
        suppressions = Suppressions(self.suppressions)
        if suppressions.is_scoped:
            for below, above in paths(iter([element])):
                found = suppressions.find(below.type, below.action, tuple(map(place_of, (*above, below))))
                if found is not None:
                    yield found

    def counted_suppressions(self, counts: Counter[Suppression] | None) -> tuple[Suppression, ...]:
        """Return the suppressions with the number of operations of each, if they were counted."""
        return tuple(
            replace(one, count=counts[one] if counts is not None and one.below else None) for one in self.suppressions
        )
