"""The states of the shards of a store, as they are in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, TypeAdapter

from diffsync_store.enum import ShardState
from diffsync_store.store.load_report import Gap
from diffsync_store.store.shards.plan import ShardPlan
from diffsync_store.store.shards.record import ShardRecord


class StoredState(BaseModel):
    """What the process that loads a shard says of it."""

    state: ShardState = ShardState.LOADING
    reason: str = ""
    gaps: dict[str, Gap] = {}
    expected: dict[str, int] = {}
    rejected: dict[str, int] = {}


class IndexFacts(BaseModel):
    """What the seal must know about the index of a shard."""

    reason: str = ""
    """Why it cannot be used."""
    levels: dict[str, int] = {}
    """Level of its buckets, by model."""
    counted: dict[str, int] = {}
    skipped: dict[str, int] = {}
    """Its nodes added up, by model."""
    waiting: dict[str, dict[str, int]] = {}
    """Number of children that are not in the shard, by model and child model."""
    has_twice: list[str] = []
    """Models of which it has objects that another shard had loaded before."""


_COUNTS = TypeAdapter(dict[str, int])


def read_states(plan: ShardPlan, fields: Mapping[str, bytes]) -> tuple[ShardRecord, ...]:
    """Return the records of all declared shards, in order.

    Args:
        plan: the plan of the load.
        fields: the hash of the shards.
    """
    return tuple(_record(name, plan, number, fields) for number, name in enumerate(plan.names))


def read_index(fields: Mapping[str, bytes], number: int) -> IndexFacts:
    """Return what is known about the index of a shard."""
    return IndexFacts.model_validate_json(fields.get(f"{number}:index") or b"{}")


def counts_text(counts: Mapping[str, int]) -> str:
    """Return counts as JSON."""
    return json.dumps(dict(counts), ensure_ascii=False)


def _record(name: str, plan: ShardPlan, number: int, fields: Mapping[str, bytes]) -> ShardRecord:
    below = plan.below.get(name, ())
    text = fields.get(str(number))
    if text is None:
        return ShardRecord(name=name, below=below)
    stored = StoredState.model_validate_json(text)
    return ShardRecord(
        name=name,
        below=below,
        counts=_COUNTS.validate_json(fields.get(f"{number}:counts") or b"{}"),
        writer=fields[f"{number}:writer"].decode(),
        started=_time(fields[f"{number}:started"]),
        updated=_time(fields[f"{number}:updated"]),
        **dict(stored),
    )


def _time(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
