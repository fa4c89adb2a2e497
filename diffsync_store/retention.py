"""Drop stores and saved diffs that are past their retention and not in use."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import StoreInUse, StoreNotFound
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.catalog import RedisStores
from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.diffs.catalog import DiffCatalog
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.store.redis.diffs.usage import DEAD_AFTER, diff_usage, is_unapplied, refuse_load
from diffsync_store.store.redis.keys import command
from diffsync_store.store.redis.store import RedisStore

__all__ = ["ExpiredItem", "Retention", "diff_usage", "drop_diff", "drop_store", "refuse_load", "store_usage"]

_FORCE = "To drop it anyway, run `{} drop {} --force`, or pass force=True."


@dataclass(frozen=True, slots=True)
class ExpiredItem:
    """A store or a saved diff that is past its retention."""

    kind: str
    """`store` or `diff`."""
    name: str
    """Its store_id or diff_id."""
    age: timedelta
    usage: str
    """Why it is kept although it is past its retention; empty if it is dropped."""


class Retention:
    """How long the stores and the saved diffs of one Redis are kept. Threads may share it, as they share the connection.

    Args:
        stores: how long a store is kept after its last write.
        diffs: how long a saved diff is kept, with its journal and its approval, after it was made; its own `ttl` counts
            if that is longer.
        pending_approvals: diff_ids of saved diffs that a suspended run applies once they are approved; these are in use.
        namespace: the namespace of the stores and the diffs; those of other namespaces are left alone.
        connection: a connection to share; the caller closes it.
        connection_arguments: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self,
        *,
        stores: timedelta,
        diffs: timedelta,
        pending_approvals: Collection[str] = (),
        namespace: str = "",
        connection: Connection | None = None,
        **connection_arguments: Any,
    ) -> None:
        self._connection = Connection.share_or_open(connection, **connection_arguments)
        self._namespace = namespace
        self._stores = RedisStores(connection=self._connection, namespace=namespace)
        self._diffs = DiffCatalog(self._connection.client, namespace)
        self._keep_stores = stores
        self._keep_diffs = diffs
        self._pending_approvals = frozenset(pending_approvals)

    def close(self) -> None:
        """Close the connection, unless it is shared."""
        self._connection.close()

    def run(self, *, dry_run: bool = False) -> Iterator[ExpiredItem]:
        """Drop what is past its retention and not in use; yield each item as it is dropped or kept.

        The time to live of a diff in `pending_approvals`, and of the stores of every diff in use, restarts.

        Args:
            dry_run: drop and renew nothing.
        """
        now = self._stores.now()
        unapplied: list[DiffRecord] = []
        needed_generations: set[str] = set()
        for record in list(self._diffs.list()):
            diff = self._diffs.from_record(record)
            usage, age = diff_usage(diff, now, self._pending_approvals), now - record.created
            is_past = age > max(self._keep_diffs, timedelta(seconds=record.ttl))
            if not dry_run:
                self._drop_or_renew_diff(diff, is_dropped=is_past and not usage)
            if is_past:
                yield ExpiredItem("diff", record.diff_id, age, usage)
            if usage:
                needed_generations |= {record.source_generation, record.target_generation}
            if (usage or not is_past) and is_unapplied(diff):
                unapplied.append(record)
        for store in list(self._stores.list()):
            usage, age = store_usage(store, unapplied, now), now - store.updated
            is_past = age > self._keep_stores
            if not dry_run:
                is_needed = store.generation in needed_generations
                self._drop_or_renew_store(store, is_dropped=is_past and not usage, is_needed=is_needed)
            if is_past:
                yield ExpiredItem("store", store.store_id, age, usage)

    def _drop_or_renew_diff(self, diff: RedisDiff, *, is_dropped: bool) -> None:
        if is_dropped:
            diff.drop()
        elif diff.record.diff_id in self._pending_approvals:
            self._diffs.renew(diff.record)

    def _drop_or_renew_store(self, store: StoreRecord, *, is_dropped: bool, is_needed: bool) -> None:
        if is_dropped:
            _drop(self._connection, store.store_id, self._namespace)
        elif is_needed:
            self._stores.renew(store)


def store_usage(store: StoreRecord, unapplied: list[DiffRecord], now: datetime) -> str:
    """Return why a store is in use; empty if it is not.

    Args:
        store: its record.
        unapplied: the saved diffs that are not applied completely.
        now: the time by the clock of Redis.
    """
    if store.state is StoreState.LOADING and now - store.updated < DEAD_AFTER:
        return f"{store.writer} is loading it"
    for diff in unapplied:
        if store.generation in {diff.source_generation, diff.target_generation}:
            return f"diff {diff.diff_id} was made from it, and is not applied yet"
    return ""


def drop_store(
    store_id: str,
    *,
    force: bool = False,
    namespace: str = "",
    connection: Connection | None = None,
    **connection_arguments: Any,
) -> None:
    """Drop a store.

    Args:
        store_id: the store.
        force: drop it even if it is in use.
        namespace: the namespace of the store.
        connection: a connection to share.
        connection_arguments: arguments of `Connection`, to open one instead of sharing one.

    Raises:
        StoreNotFound: there is no such store.
        StoreInUse: it is being loaded, or a diff of it is not applied yet.
    """
    with Connection.share_or_open(connection, **connection_arguments) as shared:
        stores = RedisStores(connection=shared, namespace=namespace)
        diffs = DiffCatalog(shared.client, namespace)
        store = stores.record(store_id)
        unapplied = [record for record in diffs.list() if is_unapplied(diffs.from_record(record))]
        usage = store_usage(store, unapplied, stores.now())
        if usage and not force:
            raise StoreInUse(f"Store {store_id!r} is in use: {usage}. {_FORCE.format(command(namespace), store_id)}")
        _drop(shared, store_id, namespace)


def drop_diff(diff: RedisDiff, *, force: bool = False) -> None:
    """Drop a saved diff, with its journal and its approval.

    Args:
        diff: the diff.
        force: drop it even if it is in use.

    Raises:
        StoreInUse: it is approved and not applied completely, or a sync has applied some of it within the last hour.
    """
    usage = diff_usage(diff, diff.now())
    if usage and not force:
        raise StoreInUse(f"Diff {diff} is in use: {usage}. {_FORCE.format(command(diff.namespace), diff)}")
    diff.drop()


def _drop(connection: Connection, store_id: str, namespace: str) -> None:
    with (
        RedisStore(store_id=store_id, connection=connection, namespace=namespace) as store,
        suppress(StoreNotFound),  # it has expired meanwhile
    ):
        store.drop()
