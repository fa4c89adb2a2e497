"""Deletes only from a load proven complete: which models' deletes are held, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store.enum import DiffSyncActions, StoreState
from diffsync_store.store.record import StoreRecord

_NAMED = 3
"""Objects that the text of a hold names."""


class Completeness(BaseModel):
    """What is let through although the source's load does not prove it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow_partial: frozenset[str] = Field(
        frozenset(), description="Models whose deletes go on although their load, or that of a model above, is partial"
    )
    allow_empty: frozenset[str] = Field(
        frozenset(), description="Models that the source may have none of while the target has some"
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """Operations that are not to be applied now: those of one action on one model."""

    model: str
    action: str
    reason: str
    override: str
    """The allowance that lets them through, as `Guards.allowing` takes it."""
    below: tuple[tuple[str, str], ...] = ()
    """Model and unique id of objects: only what stands below one of these is held; everything, where there are none."""
    number: int | None = field(default=None, compare=False)
    """Operations of the diff that it holds, where they were counted."""

    def __str__(self) -> str:
        return (
            f"{self.action}s of {self.model}{self._where()} are held: {self.reason}. To let them through once, allow {self.override!r}: "
            f"guards.allowing([{self.override!r}]), or the parameter `allow` of a sync's flow run."
        )

    def in_diff(self, by_model: Mapping[str, Mapping[str, int]]) -> int:
        """Number of the operations of a diff that it holds.

        Args:
            by_model: the diff's operations by model and action.
        """
        return by_model.get(self.model, {}).get(self.action, 0) if self.number is None else self.number

    def _where(self) -> str:
        if not self.below:
            return ""
        named = ", ".join(f"{model} {uid}" for model, uid in self.below[:_NAMED])
        return f" below {named}{f' and {len(self.below) - _NAMED} more' if len(self.below) > _NAMED else ''}"


def holds(source: StoreRecord, target: StoreRecord, options: Completeness) -> tuple[Hold, ...]:
    """The holds, by model in order of their names; of each model and action the first reason found that holds all of them, or
    else each that holds those below some objects.

    Deletes of a model are held where its own records may be missing from the source, and where those of a model that it
    stands below may be: children of an object that was not loaded are not compared. Creates likewise, where the target's
    load says that records are missing: they would be created a second time.
    """
    found: dict[tuple[str, str], list[Hold]] = {}
    below = _children(source, target)
    for hold in (*_partial(source, target, options), *_empty(source, target, options), *_in_target(target, options)):
        for model in _with_all_below(hold.model, below):
            if model != hold.model and model in options.allow_partial:
                continue
            reason = hold.reason if model == hold.model else f"{model} stands below {hold.model}: {hold.reason}"
            known = found.setdefault((model, hold.action), [])
            if not (known and not known[0].below):
                known[:] = [*(known if hold.below else ()), replace(hold, model=model, reason=reason)]
    return tuple(hold for key in sorted(found) for hold in found[key])


def _partial(source: StoreRecord, target: StoreRecord, options: Completeness) -> Iterator[Hold]:
    if source.state is StoreState.COMPLETE:
        return
    gaps = source.gaps if source.state is StoreState.PARTIAL else {}
    for model in gaps or sorted({*source.counts, *target.counts}):
        if model not in options.allow_partial:
            below = gaps[model].below if model in gaps else ()
            yield Hold(model, DiffSyncActions.DELETE, _why(source, model), f"partial:{model}", below)


def _why(source: StoreRecord, model: str) -> str:
    if source.state is StoreState.PARTIAL and model in source.gaps:
        return f"the source's load is partial: {source.gaps[model]}"
    if source.state is StoreState.LOADING:
        return "the source's load was not seen to end; load it inside `with store.loading():`"
    return f"the source's load is {source.state.value}{f': {source.reason}' if source.reason else ''}"


def _empty(source: StoreRecord, target: StoreRecord, options: Completeness) -> Iterator[Hold]:
    for model, count in sorted(target.counts.items()):
        if count and not source.counts.get(model) and model not in options.allow_empty:
            reason = f"the source has none and the target has {count}"
            yield Hold(model, DiffSyncActions.DELETE, reason, f"empty:{model}")


def _in_target(target: StoreRecord, options: Completeness) -> Iterator[Hold]:
    if target.state is StoreState.PARTIAL:
        for model in target.gaps or sorted(target.counts):
            if model not in options.allow_partial:
                told = target.gaps.get(model) or target.reason
                reason = f"the target's load is partial, and what it lacks would be created again: {told}"
                below = target.gaps[model].below if model in target.gaps else ()
                yield Hold(model, DiffSyncActions.CREATE, reason, f"partial:{model}", below)


def _children(*records: StoreRecord) -> dict[str, set[str]]:
    below: dict[str, set[str]] = {}
    for record in records:
        for name, schema in record.schema_.models.items():
            below.setdefault(name, set()).update(schema.children)
    return below


def _with_all_below(model: str, below: dict[str, set[str]]) -> Iterable[str]:
    seen, waiting = {model: None}, [model]
    while waiting:
        for child in sorted(below.get(waiting.pop(), ())):
            if child not in seen:
                seen[child] = None
                waiting.append(child)
    return seen
