"""The right of one process to write to one shard."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NoReturn

from diffsync_store.exceptions import LeaseLost, ObjectStoreException, StoreInUse, StoreNotFound
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.leases.lease import lost_message
from diffsync_store.store.redis.partitions import Partitions
from diffsync_store.store.redis.scripts import shards as scripts
from diffsync_store.store.redis.scripts.pipeline import Call, call_each
from diffsync_store.store.redis.scripts.script import Script
from diffsync_store.store.redis.scripts.store import LOADING_TTL, NOW
from diffsync_store.store.redis.writing.index_pieces import Put, put_each

CLAIM_SECONDS = 3.0
"""Seconds after the last sign of life of a process at which its claim on a shard ends."""


class ShardClaim:
    """The token of a process for a shard. Threads may share it.

    Args:
        client: the Redis client.
        partitions: the partitions of the store.
        token: the token that Redis has for the shard.
        generation: the generation of the store.
        number: the number of the shard.
    """

    def __init__(self, client: Any, partitions: Partitions, token: str, generation: bytes, number: int) -> None:
        self._client = client
        self.partitions = partitions
        self.keys = partitions.first
        self.number = number
        self.generation = generation
        self._arguments: list[Any] = [token, generation, number, int(CLAIM_SECONDS * 1000)]

    def call(self, script: Script, keys: list[str], arguments: list[Any], of: StoreKeys | None = None) -> Any:
        """Run a script of a shard. Return its answer without the status, the status if it has no more.

        Args:
            script: the script.
            keys: the keys after the record.
            arguments: the arguments after those that each script of a shard has.
            of: the keys of the partition; the first one by default.

        Raises:
            ObjectStoreException: this process may not write to the shard any more.
        """
        with translated_errors():
            answer = script(self._client, [(of or self.keys).record, *keys], [*self._arguments, *arguments])
        return self._checked(answer)

    def put(self, key: str, model: str, kind: str, items: Sequence[Any], *, in_transaction: bool) -> None:
        """Write a part of a key of the index of a model; `kind` is the type of the key.

        Raises:
            ObjectStoreException: this process may not write to the shard any more.
        """
        put = Put(self.keys, key, self._arguments, model, kind, items)
        (answer,) = put_each(self._client, [put], in_transactions=in_transaction)
        self._checked(answer)

    def call_others(self, script: Script, arguments: list[Any]) -> list[Any]:
        """Run a script in all partitions but the first, on all their nodes at the same time; return the answers as `call` does."""
        others = self.partitions.keys[1:]
        with translated_errors():
            calls: list[Call] = [([keys.record], [*self._arguments, *arguments]) for keys in others]
            answers = call_each(self._client, script, calls)
        return list(map(self._checked, answers))

    def join(self, ttl: int, shards: int, *, is_seal: bool = False) -> list[tuple[bytes, list[bytes]]]:
        """Repeat the claim in all partitions but the first.

        Args:
            ttl: seconds to live of the store.
            shards: number of declared shards.
            is_seal: whether this is the process that seals.

        Returns:
            For each partition the run id of its server, and for each declared shard that of the server on which it has joined.
        """
        if len(self.partitions) == 1:
            return []
        with translated_errors():
            began = self._client.hget(self.keys.record, "created")
            started = self._client.hget(self.keys.shards, f"{self.number}:started")
            given = NOW(self._client, [self.keys.record], []) if is_seal else started or 0
        arguments = [given, ttl, LOADING_TTL, shards + 1, began or 0, "1" if is_seal else ""]
        return [(server, servers) for server, servers in self.call_others(scripts.JOIN, arguments)]

    def _checked(self, answer: Any) -> Any:
        status, rest = (answer, None) if isinstance(answer, bytes) else (answer[0], answer[1:])
        if status in {b"fenced", b"gone", b"replaced", b"moved"}:
            refuse(status, self.keys.store_id)
        return status if rest is None else rest


class ClaimWait:
    """Waits until the claim of another process ends, but not if it is renewed: then the process is alive.

    Args:
        seconds: how long to wait.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._first = b""

    def goes_on(self, claim_end: bytes) -> bool:
        """Wait a moment and return True; return False if there is nothing to wait for. `claim_end` is when the claim ends now."""
        self._first = self._first or claim_end
        if claim_end != self._first or time.monotonic() > self._deadline:
            return False
        time.sleep(0.02)
        return True


def refuse(status: bytes, store_id: str, holder: bytes = b"") -> NoReturn:
    """Raise the error for a status of a script."""
    if status == b"fenced":
        raise LeaseLost(lost_message(store_id, holder.decode()))
    if status == b"gone":
        raise StoreNotFound(f"Store {store_id!r} was dropped or expired while it was loaded. Load it again.")
    if status == b"moved":
        raise ObjectStoreException(
            f"Redis was restarted, failed over to a replica, or moved the store to another node of its cluster, while store "
            f"{store_id!r} was loaded. Objects may be lost. Load the shard again."
        )
    raise StoreInUse(
        f"Another process has begun to load the same shard of store {store_id!r}, to seal it, or to load it again, after this one had "
        "given no sign of life. Nothing was written. Let only one process load a shard at a time."
    )
