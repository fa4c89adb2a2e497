"""Completeness: delete only what a complete load proves to be gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store.enum import DiffSyncActions, StoreState
from diffsync_store.store.record import StoreRecord
from diffsync_store.suppression import Suppression


class Completeness(BaseModel):
    """Exceptions from the rule that only a complete load proves deletes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow_partial: frozenset[str] = Field(
        frozenset(),
        description="Models whose deletes are applied although their load, or that of a parent model, is partial",
    )
    allow_empty: frozenset[str] = Field(
        frozenset(), description="Models of which the source may have no objects while the target has some"
    )

    def suppressions(self, source: StoreRecord, target: StoreRecord) -> tuple[Suppression, ...]:
        """Return what the records of two stores suppress, in order of model and action.

        Deletes of a model are suppressed if the source may lack records of it or of a model above it: the children of an
        object that was not loaded are not compared. Creates are suppressed if the target's load is partial: records that
        it lacks would be created a second time.

        A model and action has one suppression of all its operations, or any number of those below certain objects.
        """
        found: dict[tuple[str, str], list[Suppression]] = {}
        children = _children(source, target)
        for one in (*self._of_partial(source, target), *self._of_empty(source, target), *self._of_target(target)):
            for model in _with_descendants(one.model, children):
                if model != one.model and model in self.allow_partial:
                    continue
                reason = one.reason if model == one.model else f"{model} is below {one.model}: {one.reason}"
                known = found.setdefault((model, one.action), [])
                if not (known and not known[0].below):
                    known[:] = [*(known if one.below else ()), replace(one, model=model, reason=reason)]
        return tuple(one for key in sorted(found) for one in found[key])

    def _of_partial(self, source: StoreRecord, target: StoreRecord) -> Iterator[Suppression]:
        if source.state is StoreState.COMPLETE:
            return
        gaps = source.gaps if source.state is StoreState.PARTIAL else {}
        for model in gaps or sorted({*source.counts, *target.counts}):
            if model not in self.allow_partial:
                below = gaps[model].below if model in gaps else ()
                yield Suppression(model, DiffSyncActions.DELETE, _why(source, model), f"partial:{model}", below)

    def _of_empty(self, source: StoreRecord, target: StoreRecord) -> Iterator[Suppression]:
        for model, count in sorted(target.counts.items()):
            if count and not source.counts.get(model) and model not in self.allow_empty:
                reason = f"the source has no objects and the target has {count}"
                yield Suppression(model, DiffSyncActions.DELETE, reason, f"empty:{model}")

    def _of_target(self, target: StoreRecord) -> Iterator[Suppression]:
        if target.state is not StoreState.PARTIAL:
            return
        for model in target.gaps or sorted(target.counts):
            if model not in self.allow_partial:
                gap = target.gaps.get(model) or target.reason
                reason = f"the target's load is partial, and missing records would be created again: {gap}"
                below = target.gaps[model].below if model in target.gaps else ()
                yield Suppression(model, DiffSyncActions.CREATE, reason, f"partial:{model}", below)


def _why(source: StoreRecord, model: str) -> str:
    if source.state is StoreState.PARTIAL and model in source.gaps:
        return f"the source's load is partial: {source.gaps[model]}"
    if source.state is StoreState.LOADING:
        return "the source's load has not ended; load it inside `with store.loading():`"
    return f"the source's load is {source.state.value}{f': {source.reason}' if source.reason else ''}"


def _children(*records: StoreRecord) -> dict[str, set[str]]:
    children: dict[str, set[str]] = {}
    for record in records:
        for name, schema in record.schema_.models.items():
            children.setdefault(name, set()).update(schema.children)
    return children


def _with_descendants(model: str, children: dict[str, set[str]]) -> Iterable[str]:
    seen, waiting = {model: None}, [model]
    while waiting:
        for child in sorted(children.get(waiting.pop(), ())):
            if child not in seen:
                seen[child] = None
                waiting.append(child)
    return seen
