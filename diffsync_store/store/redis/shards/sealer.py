"""End a load in shards: from then on its shards are one store."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from threading import Event, Thread
from typing import Any

from diffsync_store.enum import ShardState, StoreState
from diffsync_store.exceptions import ObjectStoreException, StoreInUse
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.partitions import Partitions, read_counts
from diffsync_store.store.redis.record import gaps_text, read_models
from diffsync_store.store.redis.scripts import shards as scripts
from diffsync_store.store.redis.scripts import store as store_scripts
from diffsync_store.store.redis.shards.claim import CLAIM_SECONDS, ClaimWait, ShardClaim, refuse
from diffsync_store.store.redis.shards.clearing import clear_shard
from diffsync_store.store.redis.shards.merging import IndexMerger
from diffsync_store.store.redis.shards.states import IndexFacts, StoredState, read_index, read_states
from diffsync_store.store.shards.local import twice_text
from diffsync_store.store.shards.plan import ShardPlan
from diffsync_store.store.shards.record import ShardRecord
from diffsync_store.store.shards.sealing import children_of, outcome_of

_WAIT = CLAIM_SECONDS + 0.5
"""Seconds to wait for a shard until its claim ends."""
_WAIT_FOR_SEAL = 30.0
"""Seconds to wait for another process that seals the store."""


class LoadedTwice(Exception):
    """An object is in two shards."""

    def __init__(self, message: str, *, model: str = "", uid: str = "") -> None:
        super().__init__(message)
        self.model = model
        self.uid = uid


class Sealer:
    """One attempt to seal a store. Used by one thread.

    Args:
        client: the Redis client.
        partitions: the partitions of the store.
        ttl: seconds to live of the sealed store.
        fence: the fencing token of the lease that the store is written under.
    """

    def __init__(self, client: Any, partitions: Partitions, ttl: int, fence: int | None = None) -> None:
        self._client = client
        self._partitions = partitions
        self._keys = partitions.first
        self._ttl = ttl
        self._token = secrets.token_hex(8) + ("" if fence is None else f":{fence}")
        self._claim: ShardClaim
        self._plan: ShardPlan
        self._server = b""
        self._joined: list[tuple[bytes, list[bytes]]] = []
        """Of each partition but the first the run id of its server, and for each shard that of the server on which it has joined."""

    def seal(self, models: Collection[str]) -> None:
        """Seal the store, unless it is sealed.

        Args:
            models: models that a shard may have, besides those that are known from the load.

        Raises:
            LoadedTwice: an object is in two shards; the store is failed.
            StoreInUse: a shard is being loaded, or another process seals the store.
            ObjectStoreException: objects may be lost, or the store is not loaded in shards.
        """
        fields = self._take()
        if fields is None:
            return
        with self._signs_of_life():
            self._refuse_moved(fields)
            shards = self._end_dead(fields)
            index = [read_index(fields, number) if one.is_loaded else IndexFacts() for number, one in enumerate(shards)]
            self._resolve_twice(shards, index)
            counts = self._checked_counts(shards)
            facts = self._index_facts(index, counts)
            self._finish(shards, {*models, *self._plan.models, *counts}, facts)
        if all(shard.is_loaded for shard in shards):  # otherwise the load may go on, and is sealed again
            self._remove_temporary()

    # Before the index

    def _take(self) -> dict[str, bytes] | None:
        """Become the process that seals; return the hash of the shards, None if the store is sealed."""
        shard, seal = ClaimWait(_WAIT), ClaimWait(_WAIT_FOR_SEAL)
        while True:
            with translated_errors():
                status, found, number, server, fields = scripts.TAKE(
                    self._client, [self._keys.record, self._keys.shards], [self._token, int(CLAIM_SECONDS * 1000)]
                )
            if status == b"sealed":
                return None
            if status == b"sealing":
                break
            if status != b"wait" or not (seal.goes_on(b"") if found == number else shard.goes_on(server)):
                self._refuse(status, found, number)
        with translated_errors():
            self._plan = ShardPlan.model_validate_json(self._client.hget(self._keys.record, "plan"))
        self._claim = ShardClaim(self._client, self._partitions, self._token, found, int(number))
        self._server = server
        return {name.decode(): value for name, value in zip(fields[::2], fields[1::2], strict=True)}

    def _refuse(self, status: bytes, found: bytes, last: bytes) -> None:
        store_id = self._keys.store_id
        if status == b"none":
            raise ObjectStoreException(f"Store {store_id!r} was not loaded in shards, so there is nothing to seal.")
        if status == b"wait" and found == last:
            raise StoreInUse(f"Another process seals store {store_id!r}. Wait for it.")
        if status == b"wait":
            with translated_errors():
                plan = ShardPlan.model_validate_json(self._client.hget(self._keys.record, "plan"))
            raise StoreInUse(
                f"The shard {plan.names[int(found)]!r} of store {store_id!r} is being loaded. Nothing was sealed. Wait for it, or stop it: "
                f"its claim ends {CLAIM_SECONDS:g} seconds after its process has died."
            )
        refuse(status, store_id, found)

    @contextmanager
    def _signs_of_life(self) -> Iterator[None]:
        """Renew the claim in a thread; release it at the end."""
        ended = Event()

        def beat() -> None:
            while not ended.wait(CLAIM_SECONDS / 4):
                with suppress(ObjectStoreException):  # the next step raises it
                    self._claim.call(scripts.RENEW, [self._keys.shards], [""])

        Thread(target=beat, name="seal", daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with suppress(ObjectStoreException), translated_errors():
                store_scripts.RELEASE(self._client, [self._keys.record], [self._token, self._claim.number])

    def _refuse_moved(self, fields: Mapping[str, bytes]) -> None:
        """Fail the shards that were loaded before Redis was restarted or failed over: objects of them may be lost."""
        shards = read_states(self._plan, fields)
        self._joined = self._claim.join(self._ttl, len(shards), is_seal=True)
        moved = [
            number
            for number, shard in enumerate(shards)
            if shard.is_loaded
            and (
                fields[f"{number}:server"] != self._server
                or any(servers[number] != server for server, servers in self._joined)
            )
        ]
        if not moved:
            return
        for number in moved:
            self._fail(number, "Redis was restarted or failed over to a replica since it was loaded")
        names = ", ".join(shards[number].name for number in moved)
        raise ObjectStoreException(
            f"Redis was restarted, failed over to a replica, or moved the store to another node of its cluster, while store "
            f"{self._keys.store_id!r} was loaded. Objects may be lost. Nothing was sealed. Load these shards again: {names[:500]}."
        )

    def _fail(self, number: int, reason: str) -> None:
        stored = StoredState(state=ShardState.FAILED, reason=reason)
        texts = [number, stored.model_dump_json(), f"{number}:counts", "{}", f"{number}:index", ""]
        self._claim.call(scripts.NOTE, [self._keys.shards], texts)

    def _end_dead(self, fields: Mapping[str, bytes]) -> tuple[ShardRecord, ...]:
        """Remove the objects of failed shards, and of those whose process has died; return the shards."""
        shards = []
        for number, shard in enumerate(read_states(self._plan, fields)):
            if shard.state in {ShardState.FAILED, ShardState.LOADING}:
                reason = shard.reason or "its process gave no sign of life"
                clear_shard(self._client, self._claim, number)
                if shard.state is ShardState.LOADING:
                    self._fail(number, reason)
                update = {"state": ShardState.FAILED, "reason": reason, "counts": {}}
                shards.append(shard.model_copy(update=update))
            else:
                shards.append(shard)
        return tuple(shards)

    def _resolve_twice(self, shards: Sequence[ShardRecord], index: Sequence[IndexFacts]) -> None:
        """Refuse objects that are in two shards; an object of which the first shard was loaded again without it is put in its place."""
        for number, facts in enumerate(index):
            for model in facts.has_twice:
                for keys in self._partitions.keys:
                    self._resolve_twice_in(keys, shards, number, model)

    def _resolve_twice_in(self, keys: StoreKeys, shards: Sequence[ShardRecord], number: int, model: str) -> None:
        of_model = [keys.objects(model), keys.pages(model), keys.order(model), keys.touched(model)]
        of_model += [keys.nodes(model), keys.twice(number, model)]
        cursor = b"0"
        while True:
            own = [keys.shards, keys.counts, *of_model]
            cursor, uid, first, placed = self._claim.call(scripts.RESOLVE, own, [model, number, cursor], of=keys)
            if placed and keys is not self._keys:
                self._place_nodes(number, model, placed)
            if uid is not None:
                text = twice_text(model, uid.decode(), shards[int(first)].name, shards[number].name)
                self._note_failed(text)
                raise LoadedTwice(text, model=model, uid=uid.decode())
            if cursor == b"0":
                break

    def _place_nodes(self, number: int, model: str, uids: Sequence[bytes]) -> None:
        """Put the nodes of objects of another partition in their place."""
        keys = self._keys
        with translated_errors():
            nodes = self._client.hmget(keys.twice(number, model), [b"\xff" + uid for uid in uids])
        self._claim.call(scripts.FORGET, [keys.nodes(model)], list(uids))
        pairs = [item for uid, node in zip(uids, nodes, strict=True) if node is not None for item in (uid, node)]
        if pairs:
            self._claim.call(store_scripts.INDEX, [keys.schema, keys.nodes(model)], [model, "hash", *pairs])

    def _note_failed(self, reason: str) -> None:
        facts = ["state", StoreState.FAILED.value, "reason", reason]
        self._claim.call(scripts.NOTE, [self._keys.shards], ["record", *facts])

    def _checked_counts(self, shards: Sequence[ShardRecord]) -> dict[str, int]:
        """Return the number of objects by model, which Redis must have.

        Raises:
            ObjectStoreException: it has not.
        """
        found = read_counts(self._client, self._partitions)
        loaded: dict[str, int] = {}
        for shard in shards:
            for model, count in shard.counts.items():
                loaded[model] = loaded.get(model, 0) + count
        if found != loaded:
            models = sorted(model for model in {*found, *loaded} if found.get(model) != loaded.get(model))
            reason = f"Redis has lost objects: {', '.join(models)}"
            self._note_failed(reason)
            raise ObjectStoreException(f"Store {self._keys.store_id!r} cannot be sealed: {reason}. Load it again.")
        return found

    # The index and the end

    def _index_facts(self, index: Sequence[IndexFacts], counts: Mapping[str, int]) -> dict[str, Any]:
        """Write the index of the whole store; return what the record says of it."""
        with translated_errors():
            undigested = (self._client.hget(self._keys.record, "undigested") or b"").decode()
        reason = undigested or next((facts.reason for facts in index if facts.reason), "")
        reason = reason or IndexMerger(self._client, self._claim, index, counts).merge()
        return {"undigested": reason} if reason else {"indexed": 1}

    def _finish(self, shards: Sequence[ShardRecord], models: Collection[str], facts: Mapping[str, Any]) -> None:
        schemas = read_models(self._client, self._keys)
        children = children_of((name, schema.children) for name, schema in schemas.items())
        outcome = outcome_of(shards, {*models, *schemas}, children)
        known = {
            "state": outcome.state.value,
            "reason": outcome.reason,
            "gaps": gaps_text(outcome.gaps),
            "ttl": self._ttl,
            **facts,
        }
        common = [self._ttl, *chain.from_iterable(known.items())]
        for keys, (server, _) in zip(self._partitions.keys[1:], self._joined, strict=True):
            self._claim.call(scripts.SEAL, [keys.shards], [server, *common], of=keys)
        self._claim.call(scripts.SEAL, [self._keys.shards], [self._server, *common])

    def _remove_temporary(self) -> None:
        """Remove what only the seal needs. If this fails, it expires with the store."""
        keys = self._keys
        with suppress(ObjectStoreException), translated_errors():
            models = [model.decode() for model in self._client.hkeys(keys.schema)]
            of_shard = [keys.shardsums, keys.open, *(each.twice for each in self._partitions.keys)]
            found = [
                key(number, model) for number in range(len(self._plan.names)) for model in models for key in of_shard
            ]
            for start in range(0, len(found), 500):
                self._client.unlink(*found[start : start + 500])
