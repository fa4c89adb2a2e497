"""Dropping what nobody needs any more, and nothing that somebody uses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from diffsync_store.diffs.record import DiffRecord
from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.diffs.saved_diff import SavedDiff
from diffsync_store.enum import StoreState
from diffsync_store.exceptions import DiffNotFound, StoreInUse, StoreNotFound
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.catalog import RedisStores
from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.keys import command
from diffsync_store.store.redis.store import RedisStore

ALIVE = timedelta(hours=1)
"""A load or a sync that has written nothing for so long is taken for dead."""

_FORCE = "`{} drop {} --force`, or force=True, drops it all the same."


@dataclass(frozen=True, slots=True)
class Found:
    """A store or a saved diff that is past its retention."""

    kind: str
    """`store` or `diff`."""
    name: str
    age: timedelta
    used: str
    """Why it is kept all the same; empty where it is dropped."""


class Retention:
    """What is kept in one Redis, and for how long.

    Args:
        stores: how long a store is kept after its last write.
        diffs: how long a saved diff is kept, with its journal and its approval, after it was made; its own `ttl` counts
            if that is longer.
        pending_approvals: diff_ids of saved diffs that a suspended run applies once they are approved; these are in use.
        namespace: the namespace of the stores and the diffs; those of other namespaces are left alone.
        connection: a connection to share; the caller closes it.
        where: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self,
        *,
        stores: timedelta,
        diffs: timedelta,
        pending_approvals: Collection[str] = (),
        namespace: str = "",
        connection: Connection | None = None,
        **where: Any,
    ) -> None:
        self._connection = Connection.share_or_open(connection, **where)
        self._namespace = namespace
        self._stores = RedisStores(connection=self._connection, namespace=namespace)
        self._diffs = RedisDiffs(connection=self._connection, namespace=namespace)
        self._keep_stores = stores
        self._keep_diffs = diffs
        self._pending_approvals = frozenset(pending_approvals)

    def close(self) -> None:
        """Close the connection, unless it is shared."""
        self._connection.close()

    def run(self, *, dry_run: bool = False) -> Iterator[Found]:
        """Drop what is past its retention and not in use; tell of each, as it goes.

        What is in use does not expire either: a diff that is waited for, and the stores of every diff in use, live on for
        their time to live from now.
        """
        now = self._stores.now()
        waiting: list[DiffRecord] = []
        needed: set[str] = set()
        for diff in list(self._diffs.list()):
            saved = self._diffs.saved(diff)
            used = use_of_diff(saved, now, self._pending_approvals)
            age = now - diff.created
            is_past = age > max(self._keep_diffs, timedelta(seconds=diff.ttl))
            if not dry_run:
                self._treat_diff(saved, is_dropped=is_past and not used)
            if is_past:
                yield Found("diff", diff.diff_id, age, used)
            if used:
                needed |= {diff.source_generation, diff.target_generation}
            if (used or not is_past) and _is_to_be_applied(saved):
                waiting.append(diff)
        for store in list(self._stores.list()):
            used, age = use_of_store(store, waiting, now), now - store.updated
            is_past = age > self._keep_stores
            if not dry_run:
                self._treat_store(store, is_dropped=is_past and not used, is_needed=store.generation in needed)
            if is_past:
                yield Found("store", store.store_id, age, used)

    def _treat_diff(self, saved: SavedDiff, *, is_dropped: bool) -> None:
        if is_dropped:
            saved.drop()
        elif saved.record.diff_id in self._pending_approvals:
            with suppress(DiffNotFound):  # it has expired meanwhile
                self._diffs.open(saved.record.diff_id)

    def _treat_store(self, store: StoreRecord, *, is_dropped: bool, is_needed: bool) -> None:
        if is_dropped:
            _drop(self._connection, store.store_id, self._namespace)
        elif is_needed:
            self._stores.renew(store)


def use_of_diff(saved: SavedDiff, now: datetime, pending_approvals: Collection[str] = ()) -> str:
    """Why a saved diff is in use; empty where it is not.

    Args:
        saved: the diff.
        now: the time.
        pending_approvals: diff_ids of those that a suspended run applies once they are approved.
    """
    journal = saved.journal()
    if journal.application() is not None:
        return ""
    if (last := journal.last_written()) and now - last < ALIVE:
        return f"a sync that has not applied all of it was at work at {_clock(last)}"
    if saved.record.diff_id in pending_approvals:
        return "a run waits for its approval"
    if (approval := journal.approval()) and not approval.is_rejected:
        return f"{approval.by} has approved it at {_clock(approval.at)}, and not all of it is applied yet"
    return ""


def _is_to_be_applied(saved: SavedDiff) -> bool:
    return saved.record.operations > 0 and saved.journal().application() is None


def use_of_store(store: StoreRecord, waiting: list[DiffRecord], now: datetime) -> str:
    """Why a store is in use; empty where it is not.

    Args:
        store: its record.
        waiting: the saved diffs that were not applied as a whole.
        now: the time.
    """
    if store.state is StoreState.LOADING and now - store.updated < ALIVE:
        return f"it is being loaded by {store.writer}"
    for diff in waiting:
        if store.generation in {diff.source_generation, diff.target_generation}:
            return f"diff {diff.diff_id} was made of it, and is not applied yet"
    return ""


def drop_store(
    store_id: str, *, force: bool = False, namespace: str = "", connection: Connection | None = None, **where: Any
) -> None:
    """Drop a store.

    Args:
        store_id: the store.
        force: drop it even if it is in use.
        namespace: the namespace of the store.
        connection: a connection to share.
        where: arguments of `Connection`, to open one instead of sharing one.

    Raises:
        StoreNotFound: there is none.
        StoreInUse: it is being loaded, or a diff of it is not applied yet.
    """
    with Connection.share_or_open(connection, **where) as shared:
        stores = RedisStores(connection=shared, namespace=namespace)
        diffs = RedisDiffs(connection=shared, namespace=namespace)
        store = stores.record(store_id)
        waiting = [diff for diff in diffs.list() if _is_to_be_applied(diffs.saved(diff))]
        used = use_of_store(store, waiting, stores.now())
        if used and not force:
            raise StoreInUse(f"Store {store_id!r} is in use: {used}. {_FORCE.format(command(namespace), store_id)}")
        _drop(shared, store_id, namespace)


def refuse_load(diffs: RedisDiffs, store_id: str, generation: str, pending_approvals: Collection[str] = ()) -> None:
    """Refuse to empty a store that a diff needs: one that is approved, waits for its approval, or is being applied.

    Args:
        diffs: the saved diffs.
        store_id: of the store.
        generation: that the store has now.
        pending_approvals: diff_ids of those that a suspended run applies once they are approved.

    Raises:
        StoreInUse: such a diff was made of it.
    """
    for diff in diffs.list():
        if generation not in {diff.source_generation, diff.target_generation} or not diff.operations:
            continue
        saved = diffs.saved(diff)
        used = use_of_diff(saved, saved.now(), pending_approvals)
        approval = saved.journal().approval()
        is_approved = approval is not None and not approval.is_rejected
        if used and (is_approved or diff.diff_id in pending_approvals or saved.journal().is_at_work()):
            name = command(diffs.namespace)
            raise StoreInUse(
                f"Store {store_id!r} is in use: diff {diff.diff_id} was made of it, and {used}. Nothing was loaded. Load into "
                f"another store_id, or into a new one; or give the diff up first: `{name} approve {diff.diff_id} --by NAME "
                f"--reject`, or `{name} drop {diff.diff_id} --force`."
            )


def drop_diff(saved: SavedDiff, *, force: bool = False) -> None:
    """Drop a saved diff, with its journal and its approval.

    Raises:
        StoreInUse: a sync is at work on it, or was within the last hour and has not applied all of it; or somebody has
            approved it, and it is not applied to its end.
    """
    used = use_of_diff(saved, saved.now())
    if used and not force:
        raise StoreInUse(f"Diff {saved} is in use: {used}. {_FORCE.format(command(saved.namespace), saved)}")
    saved.drop()


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _drop(connection: Connection, store_id: str, namespace: str) -> None:
    store = RedisStore(store_id=store_id, connection=connection, namespace=namespace)
    try:
        store.drop()
    except StoreNotFound:  # it has expired meanwhile
        pass
    finally:
        store.close()
