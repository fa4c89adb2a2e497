"""One process's claim to write to a store, and everything that it writes."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from diffsync_store.exceptions import LeaseLost, ObjectStoreException, StoreInUse, StoreNotFound
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.leases.lease import lost_message
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.writing.batch import Batch

CLAIM_SECONDS = 2.0
"""Seconds for which a writer may buffer before it must be heard of again."""

_PATIENCE = 30.0
"""Seconds to wait for another writer."""

_ADMITTED = (b"exclusive", b"shared")


class NotAdmitted(Exception):
    """Redis did not take a batch: another writer is in the way, or a batch before it was not taken."""


class Writer:
    """How writers share a store stands in `scripts/store.py`; this is one of them."""

    def __init__(self, client: Any, keys: StoreKeys, generation: bytes, ttl: int, fence: int | None = None) -> None:
        self._redis = client
        self._keys = keys
        self._ttl = ttl
        self._fence = "" if fence is None else f":{fence}"
        self._token = secrets.token_hex(8) + self._fence
        self._batches = 0
        """Sent under the token."""
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.generation = generation
        """The load that this writer belongs to; empty until it has met the store's record."""
        self.epoch = b""
        """What this writer knows of the store holds as long as the epoch does."""
        self.is_shared = False
        """There are other writers: every add is checked in Redis."""
        self.lease_until = 0.0
        """Until when, on the monotonic clock, no other process writes; 0 for no lease."""

    def begin(self) -> None:
        """Empty the store and begin a new generation.

        Raises:
            StoreInUse: another live process is writing to it.
        """
        generation = secrets.token_hex(8)
        keys = [self._keys.record, self._keys.counts, self._keys.schema]
        arguments = [
            self._token,
            "",
            generation,
            int(CLAIM_SECONDS * 1000),
            self.name,
            self._ttl,
            scripts.LOADING_TTL,
            *self._keys.of_models([""]),
        ]

        def begin() -> Any:
            return scripts.BEGIN(self._redis, keys, arguments)

        self._until_admitted(begin, patience=2 * CLAIM_SECONDS)
        self.generation = generation.encode()
        self.epoch, self.is_shared, self.lease_until = b"1", False, 0.0
        self._batches = 0

    def acquire(self, model: str) -> int:
        """Ask to be the store's one writer; return how many objects of the model there are."""
        started = time.monotonic()
        keys = [self._keys.record, self._keys.objects(model)]
        status, epoch, generation, count = self._until_admitted(
            lambda: scripts.ACQUIRE(self._redis, keys, self._introduction())
        )
        self._learn(status, epoch, generation, started)
        return int(count)

    def call(self, batch: Batch) -> tuple[list[str], list[Any]]:
        """Keys and arguments that write a batch. Batches have to be written in the order in which this was first called."""
        batch.number = batch.number or self._batches + 1
        self._batches = max(self._batches, batch.number)  # also after an interrupt between the two
        keys = [
            self._keys.record,
            self._keys.counts,
            self._keys.schema,
            self._keys.objects(batch.model),
            self._keys.order(batch.model),
        ]
        about = [batch.known_in, batch.number, batch.model, batch.schema, batch.kind, b"".join(batch.digests)]
        return keys, [*self._introduction(), *about, *batch.items]

    def learn(self, answer: list[Any], started: float) -> list[str]:
        """Take in what Redis said to a batch that was sent at this time: the unique ids of adds that were refused.

        Raises:
            NotAdmitted: the batch was not written.
        """
        status, epoch, generation, refused = answer
        if status not in _ADMITTED:
            raise NotAdmitted
        self._learn(status, epoch, generation, started)
        return [uid.decode() for uid in refused]

    def write(self, batch: Batch) -> list[str]:
        """Write, and wait for it; return the unique ids of adds that were refused because the object is there already.

        A batch may be written again where it is not known whether it was. Adds are not checked in Redis if this is the
        one writer and the epoch is still that in which they were known to be new.
        """
        started = time.monotonic()
        keys, arguments = self.call(batch)
        return self.learn(self._until_admitted(lambda: scripts.WRITE(self._redis, keys, arguments)), started)

    def mark(self, facts: Mapping[str, Any]) -> None:
        """Write facts about the store into its record."""
        facts = {**facts, "writer": self.name}
        pairs = [item for pair in facts.items() for item in pair]
        with translated_errors():
            status = scripts.MARK(self._redis, [self._keys.record], [self._token, self.generation, self._ttl, *pairs])
        if status != b"done":
            self._refuse(status, b"")

    def end_sharing(self) -> None:
        """Let the next writer be exclusive again."""
        self.is_shared = False
        with translated_errors():
            self._redis.hdel(self._keys.record, "shared")

    @property
    def has_written(self) -> bool:
        """Whether Redis remembers something of this writer."""
        return self._batches > 0

    def change_token(self) -> None:
        """Be another writer: what the one before has sent is no longer of interest."""
        self._token = secrets.token_hex(8) + self._fence
        self._batches = 0
        self.lease_until = 0.0

    def leave(self) -> None:
        """Nothing more is written under this token: Redis need not remember it, and forgets it with the store if not now."""
        with suppress(ObjectStoreException), translated_errors():
            self._redis.hdel(
                self._keys.record, *(f"{field}:{self._token}" for field in ("batch", "refused", "at_work"))
            )
        self.change_token()

    def release(self) -> None:
        """Give the lease back, so that the next writer need not wait for its end."""
        self.lease_until = 0.0
        with translated_errors():
            scripts.RELEASE(self._redis, [self._keys.record], [self._token])

    def _introduction(self) -> list[Any]:
        """The arguments with which every script of a writer begins."""
        fresh = secrets.token_hex(8)
        return [self._token, self.generation, fresh, int(CLAIM_SECONDS * 1000), self.name, self._ttl]

    def _learn(self, status: bytes, epoch: bytes, generation: bytes, started: float) -> None:
        self.generation = generation
        self.epoch = epoch
        self.is_shared = status == b"shared"
        self.lease_until = 0.0 if self.is_shared else started + CLAIM_SECONDS * 0.75

    def _until_admitted(self, ask: Callable[[], Any], patience: float = _PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        while True:
            with translated_errors():
                answer = ask()
            if answer[0] in _ADMITTED:
                return answer
            if answer[0] != b"wait" or time.monotonic() > deadline:
                self._refuse(answer[0], answer[1])
            time.sleep(0.01)

    def _refuse(self, status: bytes, holder: bytes) -> NoReturn:
        store_id = self._keys.store_id
        if status == b"wait":
            who = f" ({holder.decode()})" if holder else ""
            raise StoreInUse(
                f"Store {store_id!r} is being written by another process{who}. Wait for it or stop it; if it has died, "
                f"the store is free {CLAIM_SECONDS:g} seconds after its last sign of life: try again then."
            )
        if status == b"fenced":
            raise LeaseLost(lost_message(store_id, holder.decode()))
        if status == b"gone":
            raise StoreNotFound(
                f"Store {store_id!r} was dropped or expired while it was open (its ttl is {self._ttl} seconds): nothing was written. "
                "Load it again, with a longer ttl if it was not used for so long."
            )
        if status == b"early":
            raise ObjectStoreException(
                f"Redis has lost something of what was written to store {store_id!r}: it was restarted, or a replica took "
                "its place. Load it again."
            )
        if status == b"moved":
            raise ObjectStoreException(
                f"Redis was restarted, or a replica took its place, or its cluster moved the store to another node, while "
                f"store {store_id!r} was loaded: some of what was written may be lost. Load it again."
            )
        raise StoreInUse(
            f"Store {store_id!r} was loaded again by another process since it was opened here: nothing was written. Let only "
            "one process load it at a time; open it again to go on with what it holds now."
        )
