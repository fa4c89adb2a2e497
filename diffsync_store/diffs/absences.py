"""Note in each delete of a comparison how many loads of the source in a row have lacked the object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from diffsync_store.diff import DiffElement, paths
from diffsync_store.diffs.comparison import Comparison
from diffsync_store.enum import DiffSyncActions
from diffsync_store.store.redis.absences import RedisAbsences
from diffsync_store.suppression import Suppressions, place_of

_BATCH = 500
"""Top-level elements that are handled together."""


def note_absences(
    elements: Iterable[DiffElement], comparison: Comparison, client: Any, namespace: str
) -> Iterator[DiffElement]:
    """Yield the elements of a comparison with `absent_loads` of their deletes.

    What guards suppress is not proved by the load to be gone: the load neither counts nor ends the row.
    """
    generation = comparison.source.generation if comparison.source else ""
    absences = RedisAbsences(client, comparison.source_name, comparison.target_name, generation, namespace)
    suppressions = Suppressions(comparison.suppressions)
    rest = iter(elements)
    while batch := list(islice(rest, _BATCH)):
        deletes = list(_deletes(batch, suppressions))
        doubtful: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        for element, is_doubtful in deletes:
            doubtful[element.type][element.uid or element.name] = is_doubtful
        counts = {model: absences.count(model, of_model) for model, of_model in doubtful.items()}
        for element, _ in deletes:
            element.absent_loads = counts[element.type][element.uid or element.name]
        yield from batch
    absences.end()


def _deletes(elements: list[DiffElement], suppressions: Suppressions) -> Iterator[tuple[DiffElement, bool]]:
    """Yield the deletes at and below elements, each with whether guards suppress it."""
    for element, above in paths(iter(elements)):
        if element.action == DiffSyncActions.DELETE:
            places = tuple(map(place_of, (*above, element)))
            yield element, suppressions.find(element.type, element.action, places) is not None
