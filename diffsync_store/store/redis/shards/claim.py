"""The right of one process to write to one shard."""

from __future__ import annotations

import time
from typing import Any, NoReturn

from diffsync_store.exceptions import LeaseLost, ObjectStoreException, StoreInUse, StoreNotFound
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.leases.lease import lost_message
from diffsync_store.store.redis.scripts.script import Script

CLAIM_SECONDS = 3.0
"""Seconds after the last sign of life of a process at which its claim on a shard ends."""


class ShardClaim:
    """The token of a process for a shard. Threads may share it.

    Args:
        client: the Redis client.
        keys: the keys of the store.
        token: the token that Redis has for the shard.
        generation: the generation of the store.
        number: the number of the shard.
    """

    def __init__(self, client: Any, keys: StoreKeys, token: str, generation: bytes, number: int) -> None:
        self._client = client
        self.keys = keys
        self.number = number
        self.generation = generation
        self._arguments: list[Any] = [token, generation, number, int(CLAIM_SECONDS * 1000)]

    def call(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script of a shard; `keys` are those after the record. Return its answer without the status, None if it has no more.

        Raises:
            ObjectStoreException: this process may not write to the shard any more.
        """
        with translated_errors():
            answer = script(self._client, [self.keys.record, *keys], [*self._arguments, *arguments])
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
