"""Load an adapter of a project in shards."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from uuid import uuid4

import structlog

from diffsync_store.adapter import Adapter
from diffsync_store.exceptions import StoreNotFound
from diffsync_store.lifecycle import opened
from diffsync_store.project import SyncContext
from diffsync_store.redaction import format_reason
from diffsync_store.store import BaseStore
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import RedisStore

Watch = Callable[[str, BaseStore], AbstractContextManager[Any]]
"""Gets the adapter's name and its store, and reports the progress while its context is open."""
Shards = dict[str, list[tuple[str, str]]]
"""The names of the shards, each with the objects below which all its records are, as model and unique id."""


def find_shards(context: SyncContext[Any], adapter: str, store_id: str, load: str = "") -> Shards:
    """Return the shards in which an adapter is loaded: those of a load that has begun, or else what the file or the system says.

    Args:
        context: the project.
        adapter: the name of the adapter.
        store_id: the store that is loaded.
        load: the name of the load.
    """
    with context.open_store(store_id, name=adapter) as store:
        begun = _record(store)
        if begun is not None and load and begun.load == load:
            return {shard.name: list(shard.below) for shard in begun.shards}
        system = context.project.make_adapter(adapter, store)
        with context.project.secrets.redacted_errors(), opened(system):
            shards: Shards = context.project.shards(adapter, system)
            return shards


def missing_shards(context: SyncContext[Any], store_id: str, shards: Shards, load: str) -> list[str]:
    """Return the names of the shards that a load still lacks."""
    with context.open_store(store_id) as store:
        record = _record(store)
    loaded = {shard.name for shard in record.shards if shard.is_loaded} if record and record.load == load else set()
    return [name for name in shards if name not in loaded]


class ShardLoad(NamedTuple):
    """The load of one shard."""

    adapter: str
    name: str
    """The name of the shard."""
    shards: Shards
    """All shards of the load."""
    load: str
    """The name of the load."""


def load_shard(context: SyncContext[Any], store: RedisStore, shard: ShardLoad, watch: Watch) -> None:
    """Load one shard of an adapter's system into a store.

    Raises:
        Exception: the load failed, without secrets in its message; the shard is failed.
    """
    secrets = context.project.secrets
    system: Adapter | Exception
    try:  # before the shard: the load knows the models of its adapter then
        system = context.project.make_adapter(shard.adapter, store)
    except Exception as error:  # noqa: BLE001  # it fails the shard
        system = error
    with (
        store.loading(shard=shard.name, of=shard.shards, load=shard.load, redact=secrets.redact),
        secrets.redacted_errors(),
    ):
        if isinstance(system, Exception):
            raise system
        with watch(shard.adapter, store), opened(system):
            system.load_shard(shard.name, list(shard.shards))


def load_in_shards(context: SyncContext[Any], adapter: str, store_id: str, watch: Watch) -> StoreRecord:
    """Load the shards of an adapter one after the other, and seal the store. A shard that fails does not end the others.

    Raises:
        Exception: no shard was loaded; this is the error of the first one.
    """
    shards, load = find_shards(context, adapter, store_id), uuid4().hex
    errors: dict[str, Exception] = {}
    for name in shards:
        try:
            with context.open_store(store_id, name=adapter) as store:
                load_shard(context, store, ShardLoad(adapter, name, shards, load), watch)
        except Exception as error:  # noqa: BLE001  # the shard is a gap of the store, which has the reason
            errors[name] = error
            structlog.get_logger().warning("Shard not loaded", adapter=adapter, shard=name, reason=format_reason(error))
    require_any(errors, list(shards))
    with context.open_store(store_id) as store:
        return store.seal()


def require_any(errors: Mapping[str, Exception], names: Sequence[str]) -> None:
    """Raise the first error if all shards failed."""
    if errors and len(errors) == len(names):
        first = next(iter(errors.values()))
        first.add_note(f"No shard was loaded: {', '.join(names)}.")
        raise first


def _record(store: RedisStore) -> StoreRecord | None:
    try:
        return store.record()
    except StoreNotFound:
        return None
