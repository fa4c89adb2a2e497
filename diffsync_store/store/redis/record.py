"""Read the record of a store in Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import StoreNotFound
from diffsync_store.store.load_report import Gap
from diffsync_store.store.record import ModelSchema, StoreRecord, StoreSchema
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.partitions import partitions_of
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.scripts.pipeline import Call, call_each
from diffsync_store.store.redis.shards.states import read_states
from diffsync_store.store.shards.plan import ShardPlan
from diffsync_store.store.shards.record import ShardRecord

_GAPS = TypeAdapter(dict[str, Gap])


LAYOUT = b"2"
"""The layout of the keys of a store."""
_NO_INDEX = "no load has written them"


def outdated_message(store_id: str) -> str:
    """Return the error for a store that another version of the library has written."""
    return (
        f"Store {store_id!r} was written by another version of diffsync-store, in a layout that this version does not read. "
        "Load it again with this version."
    )


def _outdated(store_id: str, facts: Mapping[str, bytes]) -> StoreRecord:
    """Return the record of a store of another layout: its load is failed."""
    return StoreRecord(
        store_id=store_id,
        name=facts.get("name", b"").decode(),
        adapter=facts.get("adapter", b"").decode(),
        state=StoreState.FAILED,
        reason=outdated_message(store_id),
        generation=facts["generation"].decode(),
        created=time_of(facts["created"]),
        updated=time_of(facts["updated"]),
        writer=facts["writer"].decode(),
        ttl=int(facts["ttl"]),
    )


def gaps_text(gaps: Mapping[str, Gap]) -> bytes:
    """Return gaps as JSON, as in the record."""
    return _GAPS.dump_json(dict(gaps))


@dataclass(frozen=True, slots=True)
class _Part:
    """What the server has of one partition of a store."""

    facts: dict[str, bytes]
    counts: dict[str, bytes]
    schemas: dict[str, bytes]
    found: dict[str, bytes]
    """Number of objects that are really stored."""
    index_keys: int

    def lost(self, generation: bytes | None) -> Iterator[str]:
        """Yield the names of what the server has lost."""
        if not self.facts or self.facts["generation"] != generation:
            yield "a part of it"
            return
        yield from (model for model, count in self.counts.items() if int(count) != int(self.found[model]))
        if len(self.counts) != int(self.facts.get("models", 0)):
            yield "whole models"
        if "indexed" in self.facts and self.index_keys != int(self.facts.get("index_keys", 0)):
            yield "its index"

    @property
    def is_at_work(self) -> bool:
        """Whether a batch has failed halfway."""
        return any(name.startswith("at_work:") and self.facts[name] for name in self.facts)


def _read_parts(client: Any, partitions: Iterable[StoreKeys]) -> list[_Part]:
    calls: list[Call] = [([keys.record, keys.counts, keys.schema], []) for keys in partitions]
    with translated_errors():
        answers = call_each(client, scripts.RECORD, calls)
    return [
        _Part(_pairs(facts), _pairs(counts), _pairs(schemas), _pairs(found), int(index_keys))
        for facts, counts, schemas, found, index_keys in answers
    ]


def _sum(counts: Iterable[Mapping[str, bytes]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for of_partition in counts:
        total.update({model: int(count) for model, count in of_partition.items()})
    return dict(total)


def read_record(client: Any, keys: StoreKeys) -> StoreRecord:
    """Return the record of a store, with counts and schema.

    The state is failed if Redis has lost objects of the store, by eviction or early expiry.

    Raises:
        StoreNotFound: there is no such store.
    """
    parts = _read_parts(client, [keys])
    facts, schemas = parts[0].facts, parts[0].schemas
    if not facts:
        raise StoreNotFound(
            f"There is no store {keys.store_id!r}: it was never loaded, was dropped, or expired. Load it again."
        )
    if facts.get("layout") != LAYOUT:
        return _outdated(keys.store_id, facts)
    parts += _read_parts(client, partitions_of(client, keys, facts.get("partitions")).keys[1:])
    counts = _sum(part.counts for part in parts)
    top_level = StoreSchema.model_validate_json(facts.get("top_level", b"{}")).top_level
    lost = dict.fromkeys(name for part in parts for name in part.lost(facts["generation"]))
    lost |= dict.fromkeys(model for model in counts if not schemas.get(model))
    state, reason = StoreState(facts["state"].decode()), facts.get("reason", b"").decode()
    if lost and state is not StoreState.LOADING:
        state = StoreState.FAILED
        reason = f"Redis has lost {', '.join(lost)}: set its maxmemory-policy to noeviction"
    if state is not StoreState.LOADING and any(part.is_at_work for part in parts):
        state = StoreState.FAILED
        reason = "a batch of its objects failed halfway, and was not written again"
    return StoreRecord(
        store_id=keys.store_id,
        name=facts.get("name", b"").decode(),
        adapter=facts.get("adapter", b"").decode(),
        state=state,
        reason=reason,
        gaps=_GAPS.validate_json(facts.get("gaps", b"{}")),
        generation=facts["generation"].decode(),
        undigested=_undigested(parts),
        counts=counts,
        load=facts.get("load", b"").decode(),
        shards=_shards(client, keys, facts),
        top_level=top_level,
        schema_=StoreSchema(top_level=top_level, models=_models(schemas)),
        created=time_of(facts["created"]),
        updated=time_of(facts["updated"]),
        writer=facts["writer"].decode(),
        ttl=int(facts["ttl"]),
    )


def _shards(client: Any, keys: StoreKeys, facts: Mapping[str, bytes]) -> tuple[ShardRecord, ...]:
    if "plan" not in facts:
        return ()
    with translated_errors():
        fields = {name.decode(): value for name, value in client.hgetall(keys.shards).items()}
    return read_states(ShardPlan.model_validate_json(facts["plan"]), fields)


def _undigested(parts: list[_Part]) -> str:
    """Return why the digests of a store cannot be trusted; empty if they can."""
    reason = next((part.facts["undigested"] for part in parts if "undigested" in part.facts), b"")
    return reason.decode() or ("" if "indexed" in parts[0].facts else _NO_INDEX)


def read_models(client: Any, keys: StoreKeys) -> dict[str, ModelSchema]:
    """Return the schemas of the store's models."""
    with translated_errors():
        schemas = client.hgetall(keys.schema)
    return _models({name.decode(): text for name, text in schemas.items()})


def _models(schemas: dict[str, bytes]) -> dict[str, ModelSchema]:
    return {name: ModelSchema.model_validate_json(text) for name, text in schemas.items() if text}


def _pairs(answer: list[Any]) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(answer[::2], answer[1::2], strict=True)}


def server_time(client: Any, key: str) -> datetime:
    """Return the time in UTC of the server that has a key. Events are ordered by this clock, not by those of the workers."""
    with translated_errors():
        return time_of(scripts.NOW(client, [key], []))


def time_of(milliseconds: bytes) -> datetime:
    """Return a time from a record or a journal."""
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
