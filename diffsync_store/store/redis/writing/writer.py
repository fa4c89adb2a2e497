"""A writer of a store: it holds a claim and sends batches."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from typing import Any, NoReturn

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import LeaseLost, ObjectStoreException, StoreInUse, StoreNotFound
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.field_names import FieldNames, field_names
from diffsync_store.store.redis.keys import StoreKeys, encode_uids
from diffsync_store.store.redis.leases.lease import lost_message
from diffsync_store.store.redis.partitions import Partitions
from diffsync_store.store.redis.record import outdated_message
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.scripts.pipeline import Call, Pipeline, ask_in_transaction, call_each
from diffsync_store.store.redis.scripts.script import Script
from diffsync_store.store.redis.writing.batch import Batch
from diffsync_store.store.redis.writing.gate import Gate
from diffsync_store.store.redis.writing.index_pieces import Piece, Put, pieces_of, put_each
from diffsync_store.store.redis.writing.shard import Shard

CLAIM_SECONDS = 2.0
"""Seconds after the last renewal at which a claim ends."""

_MAX_WAIT = 30.0
"""Maximum seconds to wait for another writer."""

_PIECES = 8
"""Pieces of an index that are sent at once."""

_KEYS, _FACTS = 7, 14
"""Keys that each script of a batch has, and the arguments of `LOAD` before unique ids and values."""

_IN_SHARD = (b"loading", b"leaving", b"left")
"""Admitted as the writer of a shard; after `leaving` and `left`, the writer must write outside of it."""
_ADMITTED = (b"exclusive", b"shared", b"names", *_IN_SHARD)


class NotAdmitted(Exception):
    """Redis refused a batch, because another writer has a claim or an earlier batch was not written.

    Or another writer has come: the batch is not a part of the writer's shard any more, or it must have other field names.
    """


class Writer:
    """One writer of a store. The module `scripts.store` describes how writers share a store."""

    def __init__(
        self, client: Any, partitions: Partitions, generation: bytes, ttl: int, fence: int | None = None
    ) -> None:
        self._redis = client
        self._partitions = partitions
        self._keys = partitions.first
        self._gates = [Gate(keys) for keys in partitions.keys]
        self._ttl = ttl
        self._fence = "" if fence is None else f":{fence}"
        self._token = secrets.token_hex(8) + self._fence
        self._schemas: dict[str, str] = {}
        """The schema of each model as the first partition has it."""
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.generation = generation
        """The generation of the store; empty until it is known."""
        self.epoch = b""
        """The epochs of all partitions. They change when another process writes, which invalidates the known unique ids."""
        self.is_shared = False
        """Whether there are other writers, so that Redis checks each add."""
        self.claim_until = 0.0
        """End of the claim on the monotonic clock; 0 without a claim."""
        self._names: dict[tuple[int, str], FieldNames] = {}
        """The field names that the store has for each model."""
        self.shard: Shard | None = None
        """The shard that this writer loads, until its index is written."""

    def begin(self) -> None:
        """Empty the store and begin a new generation.

        Raises:
            StoreInUse: another live process writes to it.
        """
        if self.has_partitions:  # nothing is removed if a node is away
            with translated_errors():
                call_each(self._redis, scripts.NOW, [([gate.keys.record], []) for gate in self._gates])
        generation = secrets.token_hex(8)
        begin = partial(self._begin, self._partitions.keys[:1], generation, "", scripts.LOADING_TTL)
        _, _, began = self._until_admitted(lambda: begin()[0], max_wait=2 * CLAIM_SECONDS)
        self.generation = generation.encode()
        self._begin_others(began, scripts.LOADING_TTL)
        self._enter(Shard())

    def _enter(self, shard: Shard) -> None:
        for gate in self._gates:
            gate.epoch, gate.is_shared, gate.claim_until, gate.batches = b"1", False, 0.0, 0
            gate.has_transactions = None
        self._note_gates()
        self._schemas.clear()
        self._names.clear()
        self.shard = shard

    def _begin_others(self, began: bytes, hold: int) -> None:
        """Begin the generation in all partitions but the first."""
        for status, holder, *_ in self._begin(self._partitions.keys[1:], self.generation.decode(), began, hold):
            if status != b"loading":
                self._refuse(status, holder)

    def _begin(self, partitions: Sequence[StoreKeys], generation: str, began: bytes | str, hold: int) -> list[Any]:
        """Empty partitions and begin a generation in them; return the answers of Redis."""
        claim = int(CLAIM_SECONDS * 1000)
        of_writer = [self._token, generation, claim, self.name, self._ttl, hold]
        arguments = [*of_writer, 1, len(self._partitions), began]
        with translated_errors():
            return call_each(self._redis, scripts.BEGIN, [([keys.record], arguments) for keys in partitions])

    @property
    def token(self) -> str:
        """What Redis knows this writer by; nobody else knows it."""
        return self._token

    def enter_shard(self, generation: bytes, number: int, shards: int) -> None:
        """Write from now on to a shard that was begun with the token of this writer."""
        self.generation = generation
        self._enter(Shard(number, shards))

    @property
    def is_in_shards(self) -> bool:
        """Whether this writer loads one of several shards, of which it knows all unique ids."""
        return self.shard is not None and self.shard.shards > 1

    def acquire(self, model: str) -> int:
        """Request a claim; return the number of objects of the model, without those of other shards."""
        count = 0
        for gates in filter(None, (self._gates[:1], self._gates[1:])):
            started = time.monotonic()
            with translated_errors():
                answers = call_each(self._redis, scripts.ACQUIRE, [self._request(gate, model) for gate in gates])
            count += sum(map(partial(self._acquire, model, started), gates, answers))
        return len(self.shard.index.uids(model)) if self.shard is not None and self.is_in_shards else count

    def _acquire(self, model: str, started: float, gate: Gate, first_answer: Any) -> int:
        """Request a claim to a partition until it is given; the first request was made and answered."""
        answers = iter([first_answer])

        def ask() -> Any:
            answer = next(answers, None) or scripts.ACQUIRE(self._redis, *self._request(gate, model))
            # Whoever creates the store may not have come to this partition.
            is_new = gate is not self._gates[0] and time.monotonic() < started + CLAIM_SECONDS
            return [b"wait", b""] if answer[0] == b"gone" and is_new else answer

        status, epoch, generation, count = self._until_admitted(ask)
        if status in _IN_SHARD and self.shard is None:  # the store is new
            self.shard = Shard()
            self.generation = generation
            if self.has_partitions:
                self._begin_others(self._redis.hget(self._keys.record, "created"), 0)
                self._mark(self._gates[:1], {"partitions": len(self._gates)}, "")
        elif status != b"loading" and self.shard is not None:  # others write too, so Redis must check what comes next
            self.shard.is_open = False
        self._update(gate, status, epoch, generation, started)
        return int(count)

    def _request(self, gate: Gate, model: str) -> Call:
        return [gate.keys.record, gate.keys.objects(model)], self._writer_arguments()

    def split(self, batch: Batch) -> list[Batch]:
        """Return the parts of a batch, one for each partition that it concerns.

        The first partition gets each new schema of a model, so that it has them all in order.
        """
        if not self.has_partitions:
            return [batch]
        parts = batch.split(len(self._gates), self._partitions.of)
        if self._schemas.get(batch.model) != batch.schema:
            self._schemas[batch.model] = batch.schema
            if all(part.partition for part in parts):
                parts.insert(0, Batch(batch.model, "deletes", schema=batch.schema, whole=batch))
        return parts

    def call(self, batch: Batch) -> tuple[Script, list[str], list[Any]]:
        """Return the script that writes a batch, its keys and arguments.

        Batches must be written in the order of the first call for each.
        """
        if not self.generation and self.has_partitions:
            self.acquire(batch.model)
        gate = self._gates[batch.partition]
        batch.number = batch.number or gate.batches + 1
        gate.batches = max(gate.batches, batch.number)  # repeated in case of an interrupt between these lines
        batch.in_shard = self.shard is not None and self.shard.takes(batch)
        names = self._names_of(batch)
        arguments = [*self._writer_arguments(), batch.number, batch.model, batch.schema, batch.kind, names.packed]
        keys, values = gate.keys.of_batch(batch.model), names.shorten(batch.values)
        if self.shard is not None and batch.in_shard:
            if self.is_in_shards:
                keys.append(gate.keys.twice(self.shard.number, batch.model))
            return scripts.LOAD, keys, arguments + self.shard.arguments(batch, values)
        items: Any = encode_uids(batch.uids)
        if values:
            items = chain.from_iterable(zip(items, values, strict=True))
        return scripts.WRITE, keys, [*arguments, batch.known_in, self._reserve(batch), *items]

    def send(self, pipe: Pipeline, batch: Batch) -> None:
        """Send the call for a batch, without waiting for the answer. Batches are sent in the order in which they are written.

        Raises:
            redis.exceptions.RedisError: the server cannot be reached.
        """
        script, keys, arguments = self.call(batch)
        gate = self._gates[batch.partition]
        is_add = script is scripts.LOAD and batch.kind == "adds" and not batch.is_apart
        if not is_add or not self._can_add(gate, batch.model):
            pipe.send(script, keys, arguments)
            return
        adding, facts, items = gate.keys.adding(batch.model), arguments[:_FACTS], arguments[_FACTS:]
        of_script, size = [*keys[:_KEYS], adding], len(batch.uids)
        only_new = ["HSETEX", adding, "FNX", "FIELDS", size] if self.is_in_shards else ["HSET", adding]
        first, last = (
            scripts.ADD.command(self._redis, of_script, [*facts, phase, size]) for phase in ("open", "close")
        )
        pipe.send_transaction(gate.keys.record, [first, [*only_new, *items], last])

    def _can_add(self, gate: Gate, model: str) -> bool:
        """Whether objects can be added in a transaction. The server has the script then."""
        if gate.has_transactions is None:
            keys = [*gate.keys.of_batch(model), gate.keys.adding(model)]
            arguments = [*self._writer_arguments(), 0, model, "", "adds", "", "", "", "ready", 0]
            scripts.ADD(self._redis, keys, arguments)
            answer = ask_in_transaction(self._redis, scripts.ADD, keys, arguments)
            gate.has_transactions, gate.can_add_new_only = answer is not None, answer == 1
        return gate.has_transactions and (gate.can_add_new_only or not self.is_in_shards)

    @property
    def has_transactions(self) -> bool:
        """Whether the first partition is known to take transactions."""
        return bool(self._gates[0].has_transactions)

    def avoid_transactions(self, batches: Iterable[Batch]) -> None:
        """Use no transaction until another shard is loaded: the server has refused one of these batches."""
        for gate in self._gates:
            gate.has_transactions = False
        adding = {self._gates[batch.partition].keys.adding(batch.model) for batch in batches}
        # Their objects may be there; if this fails, they expire with the store.
        with suppress(ObjectStoreException), translated_errors():
            for key in adding:
                self._redis.unlink(key)

    def _names_of(self, batch: Batch) -> FieldNames:
        """Return the field names of a model. They are those of the first object, unless the partition has others already."""
        of_partition = batch.partition, batch.model
        names = self._names.get(of_partition)
        if names is None:
            names = FieldNames.of(batch.values[0]) if batch.values else field_names(b"")
            if batch.values:
                self._names[of_partition] = names
        return names

    def _reserve(self, batch: Batch) -> bytes:
        """Return the numbers in the order of additions that the objects of a part get; none of a whole batch: it gets the next ones."""
        if batch.whole is None or batch.kind not in ("adds", "puts"):
            return b""
        whole = batch.whole
        if whole.reserved is None:
            arguments = [self._token, self.generation, len(whole.uids)]
            with translated_errors():
                status, answer = scripts.RESERVE(self._redis, [self._keys.record], arguments)
            if status != b"done":
                self._refuse(status, answer)
            whole.reserved = int(answer)
        first = whole.reserved + 1
        return b"".join([(first + place).to_bytes(8, "big") for place in batch.places])

    def process(self, batch: Batch, answer: list[Any], started: float) -> list[str]:
        """Process the answer to a batch; return the unique ids of refused adds.

        Args:
            batch: the batch.
            answer: the answer of Redis.
            started: monotonic time at which the batch was sent.

        Raises:
            NotAdmitted: the batch was not written.
        """
        status, epoch, generation, refused = answer
        batch.is_apart = batch.is_apart or status == b"apart"
        if status == b"names":  # another writer has written objects of the model first
            self._names[batch.partition, batch.model] = field_names(refused[0])
            raise NotAdmitted
        if batch.in_shard and self.shard is not None and status in _ADMITTED:
            if status in _IN_SHARD:
                self.shard.note_written(batch)
                self.shard.twice.update((batch.model, uid.decode()) for uid in refused)
                refused = []
            if status != b"loading":
                self.shard.is_open = False
            if status not in _IN_SHARD:
                raise NotAdmitted
        if status not in _ADMITTED:
            raise NotAdmitted
        self._update(self._gates[batch.partition], status, epoch, generation, started)
        return [uid.decode() for uid in refused]

    def write(self, batch: Batch) -> list[str]:
        """Write a batch and wait for the answer; return the unique ids of adds that were refused because the object exists.

        Call it again if the answer was lost: Redis writes a batch only once. Redis does not check adds if this is the only writer and
        the epoch is the one in which they were known to be new.
        """
        while True:
            started = time.monotonic()
            script, keys, arguments = self.call(batch)
            answer = self._until_admitted(partial(script, self._redis, keys, arguments))
            with suppress(NotAdmitted):  # the next call is with other field names, or outside of the shard
                return self.process(batch, answer, started)

    def write_index(self) -> dict[str, Any]:
        """Write the index of the writer's shard; return the facts by which a record says that the store has it."""
        if self.shard is None:
            return {}
        index = self.shard.index.build()
        if index.reason:
            return {"undigested": index.reason}
        pieces = pieces_of(index, self.shard.number)
        while puts := [self._put_of(piece, self.shard.number) for piece in islice(pieces, _PIECES)]:
            for status, holder in put_each(self._redis, puts, in_transactions=self.has_transactions):
                if status != b"done":
                    self._refuse(status, holder)
        return {"indexed": 1}

    def _put_of(self, piece: Piece, shard: int) -> Put:
        writer = [self._token, self.generation, shard, int(CLAIM_SECONDS * 1000)]
        return Put(self._keys, piece.key_of(self._keys), writer, piece.model, piece.kind, piece.items)

    def mark(self, facts: Mapping[str, Any], *, ends_shard: bool = False) -> None:
        """Write facts about the store into its record.

        What ends a load, or a shard, ends it in the other partitions first: each refuses what comes for the shard from then on.
        """
        facts = {**facts, "writer": self.name}
        shard = self.shard.number if ends_shard and self.shard is not None else ""
        others = self._gates[1:] if ends_shard else []
        if facts.get("state") == StoreState.FAILED.value:
            self._mark(self._gates[:1], facts, shard)
            with suppress(ObjectStoreException):  # a node may be away, and this one's record counts
                self._mark(others, facts, shard)
        else:
            self._mark(others, facts, shard)
            self._mark(self._gates[:1], facts, shard)
        if ends_shard:
            self.shard = None

    def _mark(self, gates: Sequence[Gate], facts: Mapping[str, Any], shard: int | str) -> None:
        pairs = [item for pair in facts.items() for item in pair]
        arguments = [self._token, self.generation, self._ttl, shard, *pairs]
        with translated_errors():
            answers = call_each(self._redis, scripts.MARK, [([gate.keys.record], arguments) for gate in gates])
        for status in answers:
            if status != b"done":
                self._refuse(status, b"")

    def share(self) -> None:
        """Announce that several processes write at the same time, so that none waits for the claim of another one."""
        with translated_errors():
            for keys in self._partitions.keys:
                self._redis.hset(keys.record, "shared", "1")

    def end_sharing(self) -> None:
        """Allow the next writer to be the only one, and give up the claim."""
        self._give_up()
        with translated_errors():
            for keys in self._partitions.keys:
                self._redis.hdel(keys.record, "shared")

    def _give_up(self) -> None:
        for gate in self._gates:
            gate.is_shared, gate.claim_until = False, 0.0
        self._note_gates()

    @property
    def has_partitions(self) -> bool:
        """Whether the store has several partitions."""
        return len(self._gates) > 1

    @property
    def has_written(self) -> bool:
        """Whether the store's record has fields of this writer."""
        return any(gate.batches for gate in self._gates)

    def change_token(self) -> None:
        """Become a new writer, which ignores the batches that were sent before."""
        self._token = secrets.token_hex(8) + self._fence
        for gate in self._gates:
            gate.batches, gate.claim_until = 0, 0.0
        self._note_gates()
        self._schemas.clear()
        self.shard = None

    def remove_fields(self) -> None:
        """Remove this writer's fields from the store's record. If this fails, they expire with the store."""
        fields = [f"{field}:{self._token}" for field in ("batch", "refused", "at_work")]
        with suppress(ObjectStoreException), translated_errors():
            for gate in self._gates:
                if gate.batches:
                    self._redis.hdel(gate.keys.record, *fields)
        self.change_token()

    def release(self) -> None:
        """Release the claim, so that the next writer need not wait until it ends."""
        for gate in self._gates:
            gate.claim_until = 0.0
        self._note_gates()
        arguments = [self._token, self._shard_number()]
        with translated_errors():
            call_each(self._redis, scripts.RELEASE, [([gate.keys.record], arguments) for gate in self._gates])

    def _writer_arguments(self) -> list[Any]:
        """Return the first arguments of each script of a writer."""
        fresh = secrets.token_hex(8)
        claim = int(CLAIM_SECONDS * 1000)
        return [self._token, self.generation, fresh, claim, self.name, self._ttl, self._shard_number()]

    def _shard_number(self) -> int | str:
        """Return the number of the shard that this writer loads; that of a store that does not exist yet is 0."""
        if self.shard is not None:
            return self.shard.number if self.shard.is_open else ""
        return "" if self.generation else 0

    def _update(self, gate: Gate, status: bytes, epoch: bytes, generation: bytes, started: float) -> None:
        self.generation = generation
        gate.epoch = epoch
        gate.is_shared = status in (b"shared", b"leaving")
        gate.claim_until = 0.0 if gate.is_shared or status == b"left" else started + CLAIM_SECONDS * 0.75
        self._note_gates()

    def _note_gates(self) -> None:
        """Sum up what the partitions have answered."""
        self.epoch = b",".join([gate.epoch for gate in self._gates])
        self.is_shared = any(gate.is_shared for gate in self._gates)
        self.claim_until = 0.0 if self.is_shared else min(gate.claim_until for gate in self._gates)

    def _until_admitted(self, ask: Callable[[], Any], max_wait: float = _MAX_WAIT) -> Any:
        deadline = time.monotonic() + max_wait
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
                f"Store {store_id!r} is being written by another process{who}. Wait for it or stop it. If it has died, "
                f"its claim ends after {CLAIM_SECONDS:g} seconds: then try again."
            )
        if status == b"fenced":
            raise LeaseLost(lost_message(store_id, holder.decode()))
        if status == b"gone":
            raise StoreNotFound(
                f"Store {store_id!r} was dropped or expired while it was open (its ttl is {self._ttl} seconds). Nothing was written. "
                "Load it again; if it has expired, use a longer ttl."
            )
        if status == b"early":
            raise ObjectStoreException(
                f"Redis has lost objects of store {store_id!r}, in a restart or a failover to a replica. Load it again."
            )
        if status == b"shards":
            raise StoreInUse(
                f"Store {store_id!r} is being loaded in shards. Add inside of `loading(shard=...)`, in the process that entered it, or "
                "wait until the store is sealed."
            )
        if status == b"layout":
            raise ObjectStoreException(outdated_message(store_id))
        if status == b"moved":
            raise ObjectStoreException(
                f"Redis was restarted, failed over to a replica, or moved the store to another node of its cluster, while "
                f"store {store_id!r} was loaded. Objects may be lost. Load it again."
            )
        raise StoreInUse(
            f"Store {store_id!r} was loaded again by another process since it was opened here. Nothing was written. Let only "
            "one process load it at a time. To use its current objects, open it again."
        )
