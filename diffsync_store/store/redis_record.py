"""Reading what a store in Redis says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import StoreNotFound
from diffsync_store.store.record import ModelSchema, StoreRecord, StoreSchema
from diffsync_store.store.redis_connection import translated_errors
from diffsync_store.store.redis_keys import StoreKeys


def read_record(client: Any, keys: StoreKeys) -> StoreRecord:
    """The record, with counts and schema.

    Raises:
        StoreNotFound: there is no such store.
    """
    with translated_errors():
        pipeline = client.pipeline(transaction=False)
        pipeline.hgetall(keys.record)
        pipeline.hgetall(keys.counts)
        pipeline.hgetall(keys.schema)
        facts, counts, schemas = pipeline.execute()
    if not facts:
        raise StoreNotFound(
            f"There is no store {keys.store_id!r}: it was never loaded, was dropped, or expired. Load it again."
        )
    said = {key.decode(): value for key, value in facts.items()}
    top_level = StoreSchema.model_validate_json(said.get("top_level", b"{}")).top_level
    return StoreRecord(
        store_id=keys.store_id,
        name=said.get("name", b"").decode(),
        adapter=said.get("adapter", b"").decode(),
        state=StoreState(said["state"].decode()),
        reason=said.get("reason", b"").decode(),
        generation=said["generation"].decode(),
        counts={name.decode(): int(count) for name, count in counts.items()},
        top_level=top_level,
        schema_=StoreSchema(top_level=top_level, models=_models(schemas)),
        created=_time(said["created"]),
        updated=_time(said["updated"]),
        writer=said["writer"].decode(),
        ttl=int(said["ttl"]),
    )


def read_models(client: Any, keys: StoreKeys) -> dict[str, ModelSchema]:
    """The shapes of the store's models."""
    with translated_errors():
        return _models(client.hgetall(keys.schema))


def _models(schemas: dict[bytes, bytes]) -> dict[str, ModelSchema]:
    return {name.decode(): ModelSchema.model_validate_json(text) for name, text in schemas.items()}


def _time(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
