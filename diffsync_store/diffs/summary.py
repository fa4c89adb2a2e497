"""The size of a diff, counted while it is saved."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable

from diffsync_store.operation import Operation
from diffsync_store.redaction import redact_id
from diffsync_store.store.redis.diffs.record import Subtree

MAX_SUBTREES = 10


class DiffSummary:
    """Counts elements that come in the order of a sync, in memory that does not grow with the diff."""

    def __init__(self) -> None:
        self.elements = 0
        self._by_model: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._largest: list[tuple[int, int, str, str]] = []
        """A heap: number of operations, minus the position of the tree, model and name of the object."""
        self._top = ("", "")
        self._below_top = 0
        self._trees = 0

    def add(self, operations: Iterable[Operation]) -> None:
        """Count the next elements."""
        for operation in operations:
            self.elements += 1
            if not operation.parents:
                self._end_tree()
                self._top = (operation.model, redact_id(operation, operation.identifiers, operation.name))
            if operation.action is not None:
                self._by_model[operation.model][operation.action] += 1
                self._below_top += 1

    def by_model(self) -> dict[str, dict[str, int]]:
        """Return the number of operations by model and action."""
        return {model: dict(actions) for model, actions in self._by_model.items()}

    def largest(self) -> tuple[Subtree, ...]:
        """Return the largest subtrees, largest first; of equal ones, the one that came first."""
        self._end_tree()
        found = sorted(self._largest, reverse=True)
        return tuple(Subtree(model=model, name=name, operations=count) for count, _, model, name in found)

    def _end_tree(self) -> None:
        if self._below_top:
            self._trees += 1
            tree = (self._below_top, -self._trees, *self._top)
            if len(self._largest) < MAX_SUBTREES:
                heapq.heappush(self._largest, tree)
            else:
                heapq.heappushpop(self._largest, tree)
        self._below_top = 0
