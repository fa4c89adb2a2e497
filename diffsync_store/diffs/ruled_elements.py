"""The elements of a comparison under field rules, and what these leave alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from diffsync_store.adapter import Adapter
from diffsync_store.diff import DiffElement
from diffsync_store.diffs.comparison import Comparison
from diffsync_store.enum import StoreState
from diffsync_store.field_rules import LeftAlone, RuleFilter
from diffsync_store.store.redis.memory import RedisTargetMemory


class RuledElements:
    """Applies the field rules of a comparison, and collects what is left alone until it is saved. For one thread."""

    def __init__(self, client: Any, namespace: str, comparison: Comparison, target: Adapter) -> None:
        self._comparison = comparison
        self._target = target
        self._memory = RedisTargetMemory(client, comparison.target_name, namespace)
        self._left: list[LeftAlone] = []
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._had_memory = not self._memory.is_empty()

    def of(self, elements: Iterable[DiffElement]) -> Iterator[DiffElement]:
        """Yield the elements with the rules applied, without those that are dropped."""
        rules = self._comparison.field_rules
        self._forget_absent()
        rule_filter = RuleFilter(rules, self._memory, self._comparison.source_name, self._target.store.fetch)
        for element, left, is_dropped in rule_filter.filtered(elements):
            self._left += left
            for one in left:
                self._counts[one.model][one.why] += 1
            if not is_dropped:
                yield element

    def take(self) -> list[LeftAlone]:
        """Return what was left alone since the last call."""
        left, self._left = self._left, []
        return left

    def facts(self) -> dict[str, Any]:
        """Return the fields of the diff's record."""
        counts = {model: dict(counted) for model, counted in self._counts.items()}
        needs = any(self._counts.values())
        return {"left_alone": counts, "had_memory": self._had_memory or not needs}

    def _forget_absent(self) -> None:
        """Forget objects that are gone from the target, so that one that a person creates again is not taken for the sync's."""
        record = self._comparison.target
        if record is None or record.state is not StoreState.COMPLETE or not self._had_memory:
            return
        store = self._target.store
        for model in self._memory.models():
            if getattr(self._target, model, None) is None:  # the target does not load it
                continue
            self._memory.forget_absent(
                model,
                record.created.timestamp(),
                lambda model, uids: {*uids} - store.positions(model, uids).keys(),
            )
