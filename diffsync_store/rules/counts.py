"""How many operations of a diff each rule decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from diffsync_store.diff import DiffElement, paths
from diffsync_store.rules.decision import Decision, Ruling
from diffsync_store.rules.rules import Rules


class RuledCount(BaseModel):
    """The operations of one action on one model that a rule decides. Threads may share it."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """The rule; empty for the sync's `approval`."""
    decision: Decision
    approvers: int = 1
    model: str
    action: str
    count: int


class RulingCounter:
    """Counts the operations of a diff by rule. For one thread.

    Args:
        rules: the rules; without any, nothing is counted.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._counts: Counter[tuple[Ruling, str, str]] = Counter()

    def add(self, element: DiffElement) -> None:
        """Count the operations at and below an element."""
        if not self._rules:
            return
        for below, _ in paths(iter([element])):
            if below.action is not None:
                self._counts[self._rules.ruling(below), below.type, below.action] += 1

    def counts(self) -> tuple[RuledCount, ...]:
        """Return what was counted, in the order in which it came."""
        return tuple(
            RuledCount(
                rule=ruling.rule,
                decision=ruling.decision,
                approvers=ruling.approvers,
                model=model,
                action=str(action),
                count=count,
            )
            for (ruling, model, action), count in self._counts.items()
        )


def count_decided(counts: Iterable[RuledCount], decision: Decision) -> int:
    """Return the number of operations with a decision."""
    return sum(one.count for one in counts if one.decision is decision)
