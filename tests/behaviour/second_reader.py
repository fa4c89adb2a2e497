"""Read a store in Redis through another adapter, as another process would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.behaviour.api import Adapter

if TYPE_CHECKING:
    from diffsync_store.store.redis import Connection


def second_reader(adapter: Adapter, connection: Connection) -> Adapter:
    """Return an adapter of the same class over the same store, with objects of its own."""
    from diffsync_store.store.redis import RedisStore

    adapter.store.flush()
    second = type(adapter)(internal_storage_engine=RedisStore(connection=connection, store_id=adapter.store.store_id))
    second.top_level = adapter.top_level  # type: ignore[misc]  # may be the instance's own
    return second


def check_second_reader(adapter: Adapter, connection: Connection) -> None:
    """The second reader must see the same objects with the same values in the same order."""
    second = second_reader(adapter, connection)
    try:
        assert _content(second) == _content(adapter)
    finally:
        second.store.close()


def _content(adapter: Adapter) -> dict[str, list[Any]]:
    names = sorted(adapter.get_all_model_names())
    return {name: [obj.dict() for obj in adapter.get_all(name)] for name in names}
