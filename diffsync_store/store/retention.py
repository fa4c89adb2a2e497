"""Dropping what nobody needs any more, and nothing that somebody uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import StoreInUse, StoreNotFound
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis_diffs import DiffRecord, RedisDiffs, SavedDiff
from diffsync_store.store.redis_stores import RedisStores

ALIVE = timedelta(hours=1)
"""A load or a sync that has written nothing for so long is taken for dead."""


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
        url: of the Redis.
        stores: how long a store is kept after it was written last.
        diffs: how long a saved diff is kept, with its journal and its approval, after it was made.
    """

    def __init__(self, url: str, *, stores: timedelta, diffs: timedelta) -> None:
        self._url = url
        self._stores = RedisStores(url=url)
        self._diffs = RedisDiffs(url=url)
        self._keep_stores = stores
        self._keep_diffs = diffs

    def close(self) -> None:
        """Close the connections."""
        self._stores.close()
        self._diffs.close()

    def run(self, *, dry_run: bool = False) -> Iterator[Found]:
        """Drop what is past its retention and not in use; tell of each, as it goes."""
        now = datetime.now(UTC)
        waiting: list[DiffRecord] = []
        for diff in list(self._diffs.list()):
            saved = self._diffs.saved(diff)
            used = use_of_diff(saved, now)
            is_kept = now - diff.created <= self._keep_diffs
            if not is_kept:
                if not used and not dry_run:
                    saved.drop()
                yield Found("diff", diff.diff_id, now - diff.created, used)
            if (is_kept or used) and saved.journal().application() is None:
                waiting.append(diff)
        for store in list(self._stores.list()):
            if now - store.updated > self._keep_stores:
                used = use_of_store(store, waiting, now)
                if not used and not dry_run:
                    _drop(self._url, store.store_id)
                yield Found("store", store.store_id, now - store.updated, used)


def use_of_diff(saved: SavedDiff, now: datetime) -> str:
    """Why a saved diff is in use; empty where it is not."""
    journal = saved.journal()
    if journal.application() is None and (last := journal.last_written()) and now - last < ALIVE:
        return f"a sync that has not applied all of it was at work at {last:%Y-%m-%d %H:%M:%S} UTC"
    return ""


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


def drop_store(url: str, store_id: str, *, force: bool = False) -> None:
    """Drop a store.

    Raises:
        StoreNotFound: there is none.
        StoreInUse: it is being loaded, or a diff of it is not applied yet.
    """
    with closing(RedisStores(url=url)) as stores, closing(RedisDiffs(url=url)) as diffs:
        store = stores.record(store_id)
        waiting = [diff for diff in diffs.list() if diffs.saved(diff).journal().application() is None]
        used = use_of_store(store, waiting, datetime.now(UTC))
    if used and not force:
        raise StoreInUse(f"Store {store_id!r} is in use: {used}.")
    _drop(url, store_id)


def drop_diff(saved: SavedDiff, *, force: bool = False) -> None:
    """Drop a saved diff, with its journal and its approval.

    Raises:
        StoreInUse: a sync is at work on it, or was within the last hour and has not applied all of it.
    """
    used = use_of_diff(saved, datetime.now(UTC))
    if used and not force:
        raise StoreInUse(f"Diff {saved} is in use: {used}.")
    saved.drop()


def _drop(url: str, store_id: str) -> None:
    store = RedisStore(store_id=store_id, url=url)
    try:
        store.drop()
    except StoreNotFound:  # it has expired meanwhile
        pass
    finally:
        store.close()
