"""The load of one shard by this process."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from threading import Event, Thread
from typing import Any

from diffsync_store.enum import ShardState
from diffsync_store.exceptions import ObjectStoreException, StoreInUse
from diffsync_store.store.index.built_index import BuiltIndex, BuiltModel
from diffsync_store.store.index.format import encode_uid
from diffsync_store.store.load_report import Gap, LoadReport
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.partitions import Partitions
from diffsync_store.store.redis.scripts import shards as scripts
from diffsync_store.store.redis.scripts import store as store_scripts
from diffsync_store.store.redis.shards.claim import CLAIM_SECONDS, ClaimWait, ShardClaim, refuse
from diffsync_store.store.redis.shards.clearing import clear_shard
from diffsync_store.store.redis.shards.states import IndexFacts, StoredState, counts_text
from diffsync_store.store.redis.writing.shard import Shard
from diffsync_store.store.redis.writing.writer import Writer
from diffsync_store.store.shards.plan import ShardPlan, sealed_text

_BEAT = CLAIM_SECONDS / 4
"""Seconds between two signs of life."""
_WAIT = 2 * CLAIM_SECONDS
"""Seconds to wait for a process that loads the same shard, until its claim ends."""
_PAIRS = 1000
"""Pairs in a call."""
_SIZE = 500_000
"""Bytes of sums in a call."""


class ShardLoad:
    """The shard that this process loads. A thread gives Redis signs of life, so that nobody else begins to load it.

    Threads may share it, under the lock of the store.
    """

    def __init__(self, client: Any, partitions: Partitions, writer: Writer, plan: ShardPlan, name: str) -> None:
        self._client = client
        self._partitions = partitions
        self._keys = partitions.first
        self._writer = writer
        self._plan = plan
        self._number = plan.names.index(name)
        self._stopped = Event()
        self._claim: ShardClaim
        self._shard: Shard

    def begin(self, generation: str, ttl: int) -> None:
        """Begin to load the shard; what an earlier attempt has left is removed.

        Args:
            generation: the generation that is emptied if a new load begins.
            ttl: seconds to live of the store.

        Raises:
            StoreInUse: another process loads the shard, the load is sealed, or another load is alive.
        """
        token, (found, is_again) = self._writer.token, self._ask(generation, ttl)
        self._writer.enter_shard(found, self._number, len(self._plan.names))
        if self._writer.shard is not None:
            self._shard = self._writer.shard
        self._claim = ShardClaim(self._client, self._partitions, token, found, self._number)
        Thread(target=self._beat, name=f"shard {self._number}", daemon=True).start()
        try:
            self._claim.join(ttl, len(self._plan.names))
            if is_again:
                clear_shard(self._client, self._claim, self._number)
        except BaseException:
            self.stop()
            raise

    def _ask(self, generation: str, ttl: int) -> tuple[bytes, bool]:
        plan = self._plan
        arguments = [
            self._writer.token,
            secrets.token_hex(8),
            int(CLAIM_SECONDS * 1000),
            self._writer.name,
            ttl,
            store_scripts.LOADING_TTL,
            self._number,
            len(plan.names),
            plan.model_dump_json(),
            json.dumps([plan.load, *plan.names]),
            plan.load,
            StoredState().model_dump_json(),
            generation,
            len(self._partitions),
            "1" if plan.load and self._are_others_changed() else "",
        ]
        wait = ClaimWait(_WAIT)
        while True:
            with translated_errors():
                status, found, is_again = scripts.BEGIN(self._client, [self._keys.record, self._keys.shards], arguments)
            if status == b"loading":
                return found, is_again == b"1"
            if status != b"wait" or not wait.goes_on(is_again):
                self._refuse(status, found)

    def _are_others_changed(self) -> bool:
        """Whether objects of a partition other than the first were changed since the seal."""
        with translated_errors():
            return any(self._client.hexists(keys.record, "changed") for keys in self._partitions.keys[1:])

    def _refuse(self, status: bytes, found: bytes) -> None:
        store_id, name = self._keys.store_id, self._plan.names[self._number]
        if status == b"sealed":
            raise StoreInUse(sealed_text(repr(store_id), self._plan.load))
        if status == b"wait":
            who = f" ({found.decode()})" if found else ""
            raise StoreInUse(
                f"The shard {name!r} of store {store_id!r}, or the store, is being loaded or sealed by another process{who}. Wait for "
                f"it or stop it. If it has died, its claim ends after {CLAIM_SECONDS:g} seconds: then try again."
            )
        refuse(status, store_id, found)

    def counts(self) -> dict[str, int]:
        """Return the number of written objects by model."""
        return self._shard.index.counts()

    def has(self, model: str, uid: str) -> bool:
        """Whether the shard has an object that is written."""
        return self._shard.index.contains(model, uid)

    def stop(self) -> None:
        """Give no more signs of life."""
        self._stopped.set()

    def _beat(self) -> None:
        while not self._stopped.wait(_BEAT):
            with suppress(ObjectStoreException, RuntimeError):  # the next write raises it; counts change meanwhile
                self._claim.call(scripts.RENEW, [self._keys.shards], [counts_text(self.counts())])

    def end(
        self,
        state: ShardState,
        reason: str,
        gaps: Mapping[str, Gap],
        report: LoadReport,
        facts: Mapping[str, Any],
    ) -> None:
        """Write the index of the shard and its state; a failed one has no index, and its objects are removed at the seal."""
        is_failed = state is ShardState.FAILED
        index = IndexFacts() if is_failed else self._write_index()
        numbers = report.numbers()
        stored = StoredState(state=state, reason=reason, gaps=dict(gaps), **numbers)
        counts = {} if is_failed else self.counts()
        if not is_failed:
            self._claim.call_others(scripts.LEAVE, [])
        self._claim.call(
            scripts.END,
            [self._keys.shards],
            [
                "failed" if is_failed else "loaded",
                stored.model_dump_json(),
                counts_text(counts),
                index.model_dump_json(),
                *chain.from_iterable({"writer": self._writer.name, **facts}.items()),
            ],
        )
        self.stop()

    # The index

    def _write_index(self) -> IndexFacts:
        index = self._shard.index.build(len(self._plan.names))
        facts = IndexFacts(reason=index.reason, has_twice=sorted({model for model, _ in self._shard.twice}))
        if index.reason:
            return facts
        facts.waiting = index.waiting()
        for built in index.models():
            facts.levels[built.name] = built.level
            facts.counted[built.name], facts.skipped[built.name] = built.counted, built.skipped
            self._write_model(index, built)
        return facts

    def _write_model(self, index: BuiltIndex, built: BuiltModel) -> None:
        number, model = self._number, built.name
        for key, chunks in (
            (self._keys.index(number, model), built.entries()),
            (self._keys.edges(number, model), built.edges()),
            (self._keys.nodes(model), self._own_nodes(index, model)),
        ):
            for chunk in chunks:
                for start in range(0, len(chunk), _PAIRS):
                    self._write(key, model, "hash", list(chain.from_iterable(chunk[start : start + _PAIRS])))
        for start in range(0, len(built.sums), _SIZE):
            sums = built.sums[start : start + _SIZE]
            self._write(self._keys.shardsums(number, model), model, "string", [start, sums])
        pushed = 0
        for parts in index.open_nodes(model):
            for start in range(0, len(parts), _PAIRS):
                some = parts[start : start + _PAIRS]
                self._claim.call(scripts.PUSH, [self._keys.open(number, model)], [pushed, *some])
                pushed += len(some)

    def _own_nodes(self, index: BuiltIndex, model: str) -> Iterator[list[tuple[Any, bytes]]]:
        """Yield the nodes; write those of objects that another shard has loaded too apart, until the seal resolves them."""
        twice = {encode_uid(uid) for name, uid in self._shard.twice if name == model}
        for chunk in index.nodes(model):
            if twice:
                apart = [(b"\xff" + uid, node) for uid, node in chunk if uid in twice]
                self._write(self._keys.twice(self._number, model), model, "hash", list(chain.from_iterable(apart)))
            yield [pair for pair in chunk if pair[0] not in twice] if twice else chunk

    def _write(self, key: str, model: str, kind: str, items: list[Any]) -> None:
        if items:
            self._claim.put(key, model, kind, items, in_transaction=self._writer.has_transactions)
