"""What the shards of a load say of the whole store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from diffsync_store.enum import ShardState, StoreState
from diffsync_store.store.load_report import MAX_KEYS, MAX_REJECTS, MAX_REJECTS_PER_MODEL, Gap, ObjectKey, summary
from diffsync_store.store.shards.record import ShardRecord

Children = Mapping[str, Collection[str]]
"""The child models of each model."""

_MAX_REASONS = 20
"""Reasons of a gap that are kept."""


class Outcome(NamedTuple):
    """The state of a load at its end."""

    state: StoreState
    reason: str
    gaps: dict[str, Gap]


def outcome_of(shards: Sequence[ShardRecord], models: Collection[str], children: Children) -> Outcome:
    """Return the state of a store that consists of these shards.

    Args:
        shards: all declared shards.
        models: all models that a shard may have.
        children: the child models of each model.
    """
    found: dict[str, list[Gap]] = {}
    for shard in shards:
        for model, gap in _gaps(shard, models, children):
            found.setdefault(model, []).append(gap)
    gaps = _limited({model: _merged(of_model) for model, of_model in found.items()})
    is_complete = all(shard.state is ShardState.COMPLETE for shard in shards)
    return Outcome(StoreState.COMPLETE if is_complete else StoreState.PARTIAL, _reason(shards, gaps), gaps)


def _reason(shards: Sequence[ShardRecord], gaps: Mapping[str, Gap]) -> str:
    absent = [shard for shard in shards if not shard.is_loaded]
    if not absent:
        return summary(gaps)
    texts = [_why(shard) for shard in absent]
    rest = {model: gap for shard in shards if shard.is_loaded for model, gap in shard.gaps.items()}
    return "; ".join(filter(None, [*texts[:_MAX_REASONS], summary(rest)]))[:2000]


def _why(shard: ShardRecord) -> str:
    if shard.state is ShardState.MISSING:
        return f"the shard {shard.name} was not loaded"
    if shard.state is ShardState.LOADING:
        return f"the load of the shard {shard.name} did not end"
    return f"the load of the shard {shard.name} failed{f': {shard.reason}' if shard.reason else ''}"


def _gaps(shard: ShardRecord, models: Collection[str], children: Children) -> Iterator[tuple[str, Gap]]:
    """Yield what a store lacks because of one shard, by model."""
    if not shard.is_loaded:
        places: dict[str, list[ObjectKey]] = {}
        for key in shard.below:
            places.setdefault(key[0], []).append(key)
        for model in places or sorted(models):
            yield model, Gap(reasons=(_why(shard),), below=tuple(places.get(model, ())))
        return
    for model, gap in shard.gaps.items():
        reasons = tuple(f"shard {shard.name}: {reason}" for reason in gap.reasons)
        yield model, gap.model_copy(update={"reasons": reasons, "below": gap.below or _places(shard, model, children)})


def _places(shard: ShardRecord, model: str, children: Children) -> tuple[ObjectKey, ...]:
    """Return the objects below which the objects of a model are that a shard lacks; none if they may be anywhere."""
    if all(model in _with_descendants(key[0], children) for key in shard.below):
        return shard.below
    return ()


def _with_descendants(model: str, children: Children) -> set[str]:
    seen, waiting = {model}, [model]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
    return seen


def _merged(gaps: Sequence[Gap]) -> Gap:
    below = () if any(not gap.below for gap in gaps) else tuple(dict.fromkeys(key for gap in gaps for key in gap.below))
    return Gap(
        reasons=tuple(dict.fromkeys(reason for gap in gaps for reason in gap.reasons))[:_MAX_REASONS],
        rejected=sum(gap.rejected for gap in gaps),
        rejects=tuple(reject for gap in gaps for reject in gap.rejects)[:MAX_REJECTS_PER_MODEL],
        below=below if len(below) <= MAX_KEYS else (),
    )


def _limited(gaps: Mapping[str, Gap]) -> dict[str, Gap]:
    """Return the gaps with at most `MAX_REJECTS` rejects."""
    left, limited = MAX_REJECTS, {}
    for model, gap in gaps.items():
        limited[model] = gap if len(gap.rejects) <= left else gap.model_copy(update={"rejects": gap.rejects[:left]})
        left -= len(limited[model].rejects)
    return limited


def models_of(adapter: object) -> list[str]:
    """Return the names of the models that an adapter declares."""
    names = {name: None for base in type(adapter).__mro__ for name in vars(base)}
    return [name for name in names if not name.startswith("_") and _is_model(getattr(type(adapter), name, None))]


def _is_model(value: object) -> bool:
    return isinstance(value, type) and hasattr(value, "get_type") and hasattr(value, "get_children_mapping")


def children_of(schemas: Iterable[tuple[str, Collection[str]]]) -> dict[str, set[str]]:
    """Return the child models of each model."""
    children: dict[str, set[str]] = {}
    for model, of_model in schemas:
        children.setdefault(model, set()).update(of_model)
    return children
