"""A saved diff as a Diff whose elements are read when a sync reaches them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.operation import Operation, diff_of
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.suppression import Suppressions, suppress, suppress_below


class StreamedDiff(Diff):
    """A saved diff that is read piece by piece, without suppressed operations.

    Use it from one thread. Each call of `get_children` reads it again. Methods that need all elements, such as
    `str`, read them all into memory.
    """

    has_operation_ids: ClassVar[bool] = True

    def __init__(self, saved: RedisDiff, suppressions: Suppressions) -> None:
        super().__init__()
        del self.children
        self._saved = saved
        self._suppressions = suppressions
        self.suppressed: Counter[tuple[str, str, str]] = Counter()
        """Number of suppressed operations by model, action and reason, as far as the last `get_children` has read."""
        summary = saved.record.summary
        self.skipped = summary.get("skip", 0)
        self.unchanged = max(0, summary.get("no-change", 0) - (saved.record.elements - saved.record.operations))

    def __getattr__(self, name: str) -> Any:
        if name == "children":
            diff = self._saved.diff()
            suppress(diff, self._suppressions)
            return diff.children
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __len__(self) -> int:
        return self.unchanged + (
            sum(map(len, self.get_children())) if self._suppressions.all else self._saved.record.elements
        )

    def size(self) -> int:
        return super().size() if self._suppressions.all else self._saved.record.elements

    def has_diffs(self) -> bool:
        return super().has_diffs() if self._suppressions.all else self._saved.record.operations > 0

    def summary(self) -> dict[str, int]:
        return super().summary() if self._suppressions.all else dict(self._saved.record.summary)

    def get_children(self) -> Iterator[DiffElement]:
        self.suppressed.clear()
        if not self._suppressions.all:
            yield from self._elements()
            return
        for element in self._elements():
            removed, is_suppressed = suppress_below(element, self._suppressions)
            self.suppressed.update((element.type, str(element.action), reason) for element, reason in removed)
            if not is_suppressed:
                yield element

    def get_children_backwards(self) -> Iterator[DiffElement]:
        """Yield the top-level elements, last first; they are read piece by piece too."""
        names = self._saved.record.source_name, self._saved.record.target_name
        tree: list[Operation] = []
        for operation in self._saved.elements_backwards():
            tree.append(operation)
            if not operation.parents:
                [element] = diff_of(reversed(tree), *names).get_children()
                if not self._suppressions.all or not suppress_below(element, self._suppressions)[1]:
                    yield element
                tree = []

    def _elements(self) -> Iterator[DiffElement]:
        names = self._saved.record.source_name, self._saved.record.target_name
        tree: list[Operation] = []
        for operation in self._saved.elements():
            if tree and not operation.parents:
                yield from diff_of(tree, *names).get_children()
                tree = []
            tree.append(operation)
        yield from diff_of(tree, *names).get_children()
