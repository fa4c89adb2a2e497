"""RedisStore: objects in Redis, where any other process finds them by `store_id`."""

from __future__ import annotations

import atexit
import os
import secrets
import socket
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectStoreException, StoreInUse, StoreNotFound
from diffsync_store.store import BaseStore
from diffsync_store.store import redis_scripts as scripts
from diffsync_store.store.encoding import decode, encode
from diffsync_store.store.record import ModelSchema, StoreRecord, StoreSchema
from diffsync_store.store.redis_buffer import ModelBuffer
from diffsync_store.store.redis_connection import Connection, translated_errors
from diffsync_store.store.redis_keys import STORES, StoreKeys

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.model import DiffSyncModel

DEFAULT_TTL = 7 * 24 * 3600
"""Seconds without use after which a store expires."""

_BATCH = 1000
"""Objects in one command."""
_BATCH_BYTES = 1_000_000
_LEASE = 2.0
"""Seconds for which a writer may buffer before it must be heard of again."""
_FLUSH_AFTER = 0.1
"""Seconds after which buffered objects are written with the next `add`."""
_PATIENCE = 30.0
"""Seconds to wait for another writer."""
_RENEW_AFTER = 60.0
"""Seconds of use after which the time to live begins anew."""
_INDEX_AFTER = 64
"""Checked adds to one model after which its ids are fetched, so that no further add needs a round trip."""

_open_stores: weakref.WeakSet[RedisStore] = weakref.WeakSet()


@atexit.register
def _close_open_stores() -> None:
    for store in list(_open_stores):
        store.close()


class RedisStore(BaseStore):
    """A store in Redis or Valkey.

    Args:
        store_id: the name under which other processes find the store: 1 to 128 letters, digits, `.`, `_`, `-`. A new
            one is made up when it is not given.
        host, port, db, url: where Redis is; `host` or `url`, not both.
        client: a client to use instead, made with `decode_responses=False`; it is not closed with the store.
        ttl: seconds without use after which the store expires, 7 days unless the store says otherwise.
        options: any connection argument of redis-py: `username`, `password`, `ssl`, `ssl_ca_certs`,
            `unix_socket_path`, `socket_timeout`, `retry`, ...

    Writes are buffered; they are in Redis after `flush()`, which happens by itself on size, before a diff, after a
    sync, when the store is marked, on `close()` and at the end of the process.

    Raises:
        ObjectStoreException: Redis cannot be reached or refuses the password; the `store_id` is not valid.
        TypeError: an option is not one of redis-py's.
    """

    def __init__(
        self,
        *args: Any,
        adapter: Adapter | None = None,
        name: str = "",
        store_id: str | None = None,
        host: str | None = None,
        port: int = 6379,
        url: str | None = None,
        db: int = 0,
        client: Any = None,
        ttl: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, adapter=adapter, name=name)
        self._is_named = bool(name)
        self.store_id = str(uuid4()) if store_id is None else store_id
        self._keys = StoreKeys(self.store_id)
        if ttl is not None and ttl < 1:
            raise ObjectStoreException(f"ttl must be at least 1 second, not {ttl}.")
        self._connection = Connection(host=host, port=port, url=url, db=db, client=client, options=options)
        self._redis = self._connection.client
        self._buffers: dict[str, ModelBuffer] = {}
        self._pending = 0
        self._flush_due = float("inf")
        self._token = secrets.token_hex(8)
        self._writer = f"{socket.gethostname()}:{os.getpid()}"
        self._pid = os.getpid()
        self._epoch = b""
        self._lease_until = 0.0
        self._shared = False
        self._batch_number = 0
        self._schema: StoreSchema | None = None
        with translated_errors():
            generation, own_ttl = self._redis.hmget(self._keys.record, "generation", "ttl")
        self._generation: bytes = generation or b""
        self._ttl = ttl or int(own_ttl or DEFAULT_TTL)
        self._renewed = time.monotonic() - _RENEW_AFTER
        _open_stores.add(self)

    def __str__(self) -> str:
        return f"{self.name} ({self.store_id})"

    def __call__(self, adapter: Adapter) -> RedisStore:
        """Serve as the `internal_storage_engine` of an adapter class that calls what it is given."""
        self.adapter = adapter
        return self

    def __del__(self) -> None:
        if any(len(buffer) for buffer in getattr(self, "_buffers", {}).values()):
            self.close()

    # Lifecycle

    def flush(self) -> None:
        for buffer in list(self._buffers.values()):
            buffer.note_changes_in_place()
        self._write()
        if self._lease_until:
            self._lease_until = 0.0
            with translated_errors():
                scripts.RELEASE(self._redis, [self._keys.record], [self._token])
            self._list()
        self._renew()

    def close(self) -> None:
        if self._pid != os.getpid():  # a fork's copy: what is buffered is the parent's to write
            return
        self.flush()
        _open_stores.discard(self)
        self._connection.close()

    def drop(self) -> None:
        self._forget_everything()
        self._generation = b""
        with translated_errors():
            models = [model.decode() for model in self._redis.hkeys(self._keys.schema)]
            self._redis.unlink(*self._keys.all(models))
            self._redis.zrem(STORES, self.store_id)

    def _begin(self) -> None:
        self._forget_everything()
        generation = secrets.token_hex(8)
        self._ask_until_admitted(lambda: self._begin_generation(generation), patience=2 * _LEASE)
        self._generation = generation.encode()
        self._epoch = b"1"
        self._mark({})
        self._list()

    def _begin_generation(self, generation: str) -> tuple[bytes, bytes]:
        status, holder, models = scripts.BEGIN(
            self._redis,
            [self._keys.record, self._keys.counts, self._keys.schema],
            [self._token, "", generation, int(_LEASE * 1000), self._writer, self._ttl],
        )
        if models:
            self._redis.unlink(*self._keys.of_models([model.decode() for model in models]))
        return status, holder

    def mark(self, state: StoreState, reason: str = "") -> None:
        if state is StoreState.FAILED:
            self._forget_everything()
        else:
            self.flush()
        if not self._generation:
            self._acquire(None)
        self._mark({"state": state.value, "reason": reason, "until": 0})
        with translated_errors():
            self._redis.hdel(self._keys.record, "shared")
        self._shared = False
        self._list()

    def _mark(self, facts: dict[str, Any]) -> None:
        facts = {**facts, **self._facts(), "updated": int(time.time() * 1000), "writer": self._writer}
        pairs = [item for pair in facts.items() for item in pair]
        with translated_errors():
            status = scripts.MARK(self._redis, [self._keys.record], [self._token, self._generation, *pairs])
        if status != b"done":
            self._refuse(status, b"")

    def _facts(self) -> dict[str, str]:
        facts = {"name": self.name} if self._is_named else {}
        if self.adapter is not None:
            schema = StoreSchema(top_level=tuple(self.adapter.top_level))
            facts |= {"adapter": str(self.adapter.type), "top_level": schema.model_dump_json()}
        return facts

    def _forget_everything(self) -> None:
        self._buffers.clear()
        self._pending = 0
        self._flush_due = float("inf")
        self._lease_until = 0.0
        self._shared = False
        self._schema = None

    def _list(self) -> None:
        """Note the store among the stores of this Redis."""
        with translated_errors():
            self._redis.zadd(STORES, {self.store_id: time.time()})

    def _renew(self) -> None:
        """Begin the time to live anew, at most once a minute."""
        now = time.monotonic()
        if now - self._renewed < _RENEW_AFTER:
            return
        self._renewed = now
        with translated_errors():
            models = [model.decode() for model in self._redis.hkeys(self._keys.schema)]
            pipeline = self._redis.pipeline(transaction=False)
            for key in self._keys.all(models):
                pipeline.expire(key, self._ttl)
            pipeline.execute()

    def record(self) -> StoreRecord:
        self._write()
        with translated_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(self._keys.record)
            pipeline.hgetall(self._keys.counts)
            pipeline.hgetall(self._keys.schema)
            facts, counts, schemas = pipeline.execute()
        if not facts:
            raise StoreNotFound(
                f"There is no store {self.store_id!r}: it was never loaded, was dropped, or expired. Load it again."
            )
        said = {key.decode(): value for key, value in facts.items()}
        schema = StoreSchema.model_validate_json(said.get("top_level", b"{}"))
        models = {name.decode(): ModelSchema.model_validate_json(text) for name, text in schemas.items()}
        return StoreRecord(
            store_id=self.store_id,
            name=said.get("name", b"").decode(),
            adapter=said.get("adapter", b"").decode(),
            state=StoreState(said["state"].decode()),
            reason=said.get("reason", b"").decode(),
            generation=said["generation"].decode(),
            counts={name.decode(): int(count) for name, count in counts.items()},
            top_level=schema.top_level,
            schema_=StoreSchema(top_level=schema.top_level, models=models),
            created=_time(said["created"]),
            updated=_time(said["updated"]),
            writer=said["writer"].decode(),
            ttl=int(said["ttl"]),
        )

    # Reading

    def get_all_model_names(self) -> set[str]:
        return set(self._counts())

    def _counts(self) -> dict[str, int]:
        self._write()
        self._renew()
        with translated_errors():
            return {name.decode(): int(count) for name, count in self._redis.hgetall(self._keys.counts).items()}

    def _get(self, model: str, model_class: type[DiffSyncModel] | None, uid: str) -> DiffSyncModel | None:
        return self._fetch(model, model_class, [uid]).get(uid)

    def _fetch(
        self, model: str, model_class: type[DiffSyncModel] | None, uids: Sequence[str], *, track: bool = True
    ) -> dict[str, DiffSyncModel]:
        buffer = self._buffer(model, model_class)
        found: dict[str, Any] = {}
        missing = []
        for uid in uids:
            obj = buffer.find(uid)
            if obj is not None:
                found[uid] = obj
            elif uid in buffer.late:
                found[uid] = self._revive(buffer, uid)
            elif uid not in buffer.deletes:
                missing.append(uid)
        if not missing:
            return found
        self._renew()
        key = self._keys.objects(model)
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            with translated_errors():
                values = self._redis.hmget(key, batch)
            for uid, value in zip(batch, values, strict=True):
                if value is not None:
                    found[uid] = self._decode(buffer, uid, value, track=track)
        return {uid: found[uid] for uid in uids if uid in found} if found else found

    def _iterate(
        self, model: str, model_class: type[DiffSyncModel] | None, *, track: bool = True
    ) -> Iterator[DiffSyncModel]:
        self._write()
        self._renew()
        buffer = self._buffer(model, model_class)
        keys = [self._keys.objects(model), self._keys.order(model)]
        last: Any = "-inf"
        while True:
            with translated_errors():
                last, ids, values = scripts.READ(self._redis, keys, [last, _BATCH])
            if not ids:
                return
            for id_, value in zip(ids, values, strict=True):
                uid = _text(id_)
                obj = self._revive(buffer, uid) if uid in buffer.late else buffer.find(uid)
                if obj is not None:
                    yield obj
                elif value is not None and uid not in buffer.deletes:
                    yield self._decode(buffer, uid, value, track=track)

    def _revive(self, buffer: ModelBuffer, uid: str) -> Any:
        """The object of a write that is still pending, alive again."""
        obj = self._decode(buffer, uid, buffer.late.pop(uid), track=True)
        buffer.dirty[uid] = obj
        return obj

    def _decode(self, buffer: ModelBuffer, uid: str, value: bytes, *, track: bool) -> Any:
        obj = decode(buffer.model_class, value, uid)
        obj.__dict__["adapter"] = self.adapter
        if track:
            # What this class writes of the object may differ from what an older class wrote: only a change that the
            # program makes is a change.
            in_place = getattr(buffer.model_class, "_changes_in_place", True)
            buffer.track(uid, obj, hash(encode(obj)) if in_place else hash(value))
        return obj

    def _buffer(self, model: str, model_class: type[Any] | None) -> ModelBuffer:
        buffer = self._buffers.get(model)
        if buffer is None:
            buffer = self._buffers[model] = ModelBuffer(model, model_class or self._stored_class(model))
        elif model_class is not None:
            buffer.model_class = model_class
        return buffer

    def _stored_class(self, model: str) -> type[Any]:
        """A class made from the store's schema, for a model that no adapter declares."""
        from diffsync_store.stored import stored_model

        if self._schema is None or model not in self._schema.models:
            with translated_errors():
                schemas = self._redis.hgetall(self._keys.schema)
            models = {name.decode(): ModelSchema.model_validate_json(text) for name, text in schemas.items()}
            self._schema = StoreSchema(models=models)
        return stored_model(self._schema.models.get(model) or ModelSchema(name=model, identifiers=()))

    # Writing

    def _insert(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        buffer = self._buffer(model, type(obj))
        now = time.monotonic()
        if now >= self._flush_due:
            self._write()
        if now >= self._lease_until and not self._shared:
            self._acquire(buffer)
        if buffer.present is None and not self._shared:
            self._consider_index(buffer)
        if buffer.present is None or self._shared:
            self._insert_checked(buffer, uid, obj)
            return
        if uid in buffer.present:
            self._already_there(buffer, uid, obj)
            return
        buffer.present.add(uid)
        buffer.adds[uid] = obj
        buffer.track(uid, obj)
        self._count_pending(now)

    def _insert_checked(self, buffer: ModelBuffer, uid: str, obj: DiffSyncModel) -> None:
        if buffer.find(uid) is not None:
            self._already_there(buffer, uid, obj)
            return
        self._write()
        data = encode(obj)
        if self._send(buffer, adds=[(uid, data)]):
            self._already_there(buffer, uid, obj)
            return
        buffer.checked_adds += 1
        buffer.track(uid, obj, hash(data))
        if buffer.present is not None:
            buffer.present.add(uid)

    def _already_there(self, buffer: ModelBuffer, uid: str, obj: DiffSyncModel) -> None:
        """Refuse a second object; the same one may be added again."""
        existing = self._get(buffer.model, None, uid)
        if existing is not obj:
            self._raise(ObjectAlreadyExists, f"Object {uid} already present", existing or obj)

    def _put(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        buffer = self._buffer(model, type(obj))
        if uid in buffer.adds:
            buffer.adds[uid] = obj
        else:
            buffer.late.pop(uid, None)
            buffer.dirty.pop(uid, None)
            buffer.puts[uid] = obj
        if buffer.present is not None:
            buffer.present.add(uid)
        buffer.track(uid, obj)
        self._count_pending(time.monotonic())

    def _delete(self, model: str, uid: str) -> bool:
        buffer = self._buffer(model, None)
        if uid in buffer.deletes and uid not in buffer.adds:
            return False
        if buffer.find(uid) is None and uid not in buffer.late:
            with translated_errors():
                if not self._redis.hexists(self._keys.objects(model), uid):
                    return False
        only_pending = uid in buffer.adds
        buffer.drop(uid)
        if not only_pending:
            buffer.deletes[uid] = None
        if buffer.present is not None:
            buffer.present.discard(uid)
        self._count_pending(time.monotonic())
        return True

    def changed(self, obj: DiffSyncModel) -> None:
        buffer = self._buffers.get(obj.get_type())
        if buffer is not None:
            buffer.note_change(obj)
            if len(buffer.dirty) >= _BATCH:
                self._write()

    def let_go(self, obj: DiffSyncModel) -> None:
        buffer = self._buffers.get(obj.get_type())
        if buffer is not None and self._pid == os.getpid():
            buffer.note_release(obj)

    def _count_pending(self, now: float) -> None:
        self._pending += 1
        if self._pending >= _BATCH:
            self._write()
        elif self._flush_due == float("inf"):
            self._flush_due = now + _FLUSH_AFTER

    def _write(self) -> None:
        """Write what is known to be pending; `flush` looks for changes that nobody told of as well.

        Raises:
            ObjectAlreadyExists: another process, which took the store over while this one was silent for longer than
                its lease, has added objects with the same identifiers; its objects stand.
        """
        self._pending = 0
        self._flush_due = float("inf")
        refused: list[tuple[ModelBuffer, str]] = []
        for buffer in list(self._buffers.values()):
            if len(buffer):
                refused += [(buffer, uid) for uid in self._write_buffer(buffer)]
        if refused:
            buffer, uid = refused[0]
            message = f"Object {uid} already present"
            if len(refused) > 1:
                message = f"{message}, and {len(refused) - 1} more that another process has added"
            self._raise(ObjectAlreadyExists, message, self._get(buffer.model, None, uid))

    def _write_buffer(self, buffer: ModelBuffer) -> list[str]:
        for uids in _chunks(((uid, b"") for uid in list(buffer.deletes))):
            self._send(buffer, deletes=[uid for uid, _ in uids])
            for uid, _ in uids:
                buffer.deletes.pop(uid, None)
        refused: list[str] = []
        for kind, batch in self._batches(buffer):
            no_place = self._send(buffer, **{kind: batch})
            pending = getattr(buffer, kind) if kind != "backs" else None
            for uid, data in batch:
                reference = buffer.live.get(uid)
                if reference is not None:
                    reference.written = hash(data)
                for waiting in (pending,) if pending is not None else (buffer.dirty, buffer.late):
                    waiting.pop(uid, None)
            for uid in no_place:
                buffer.drop(uid)
            refused += no_place
        return refused

    def _batches(self, buffer: ModelBuffer) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
        for kind, pending in (("adds", buffer.adds), ("puts", buffer.puts), ("backs", buffer.dirty | buffer.late)):
            for batch in _chunks(buffer.pending_objects(pending)):
                yield kind, batch

    def _send(
        self,
        buffer: ModelBuffer,
        *,
        deletes: Sequence[str] = (),
        adds: Sequence[tuple[str, bytes]] = (),
        puts: Sequence[tuple[str, bytes]] = (),
        backs: Sequence[tuple[str, bytes]] = (),
    ) -> list[str]:
        """Send one batch; return the unique ids of adds that were refused because the object is there already."""
        model = buffer.model
        keys = [
            self._keys.record,
            self._keys.counts,
            self._keys.schema,
            self._keys.objects(model),
            self._keys.order(model),
        ]
        self._batch_number += 1
        schema = self._describe(buffer.model_class)
        tail = [self._batch_number, model, schema, len(deletes), len(adds), len(puts), len(backs), *deletes]
        for pairs in (adds, puts, backs):
            for uid, data in pairs:
                tail += (uid, data)
        started = time.monotonic()
        status, *answer = self._ask_until_admitted(
            lambda: scripts.WRITE(self._redis, keys, [*self._introduction(), self._epoch, *tail])
        )
        self._learn(status, answer[0], answer[1], started)
        return [_text(uid) for uid in answer[2]]

    def _describe(self, model_class: type[DiffSyncModel]) -> str:
        return ModelSchema.of(model_class).model_dump_json()

    def _introduction(self) -> list[Any]:
        """The arguments with which every script of a writer begins."""
        fresh = secrets.token_hex(8)
        return [self._token, self._generation, fresh, int(_LEASE * 1000), self._writer, self._ttl]

    def _acquire(self, buffer: ModelBuffer | None) -> None:
        """Ask to be the store's one writer; learn whether there may be objects that this process does not know of."""
        started = time.monotonic()
        keys = [self._keys.record, self._keys.objects(buffer.model if buffer else "")]
        status, epoch, generation, count = self._ask_until_admitted(
            lambda: scripts.ACQUIRE(self._redis, keys, self._introduction())
        )
        self._learn(status, epoch, generation, started)
        if buffer is not None and buffer.present is None and count == 0:
            buffer.present = set()

    def _learn(self, status: bytes, epoch: bytes, generation: bytes, started: float) -> None:
        if not self._generation:
            self._generation = generation
            self._mark({})
        if epoch != self._epoch:
            for buffer in self._buffers.values():
                buffer.present = None
        self._epoch = epoch
        self._shared = status == b"shared"
        self._lease_until = 0.0 if self._shared else started + _LEASE * 0.75

    def _consider_index(self, buffer: ModelBuffer) -> None:
        """Know all unique ids of a model: at once while it is empty, else after a number of checked adds."""
        if not buffer.checked_adds:
            self._acquire(buffer)
        if buffer.present is not None or buffer.checked_adds < _INDEX_AFTER:
            return
        self._write()
        self._acquire(buffer)
        epoch, present, start = self._epoch, set(), 0
        while not self._shared:
            with translated_errors():
                page = self._redis.zrange(self._keys.order(buffer.model), start, start + 10 * _BATCH - 1)
            present.update(map(_text, page))
            start += len(page)
            if not page:
                break
        self._acquire(buffer)
        if epoch == self._epoch and not self._shared:
            buffer.present = present

    def _ask_until_admitted(self, ask: Callable[[], Any], patience: float = _PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        while True:
            with translated_errors():
                answer = ask()
            if answer[0] in (b"exclusive", b"shared"):
                return answer
            if answer[0] != b"wait" or time.monotonic() > deadline:
                self._refuse(answer[0], answer[1])
            time.sleep(0.01)

    def _refuse(self, status: bytes, holder: bytes) -> NoReturn:
        if status == b"wait":
            who = f" ({holder.decode()})" if holder else ""
            raise StoreInUse(
                f"Store {self.store_id!r} is being written by another process{who}. Wait for it or stop it; "
                f"its claim ends {_LEASE:g} seconds after its last sign of life."
            )
        if status == b"gone":
            raise StoreNotFound(
                f"Store {self.store_id!r} was dropped or expired while it was open: nothing was written. Load it again."
            )
        raise StoreInUse(
            f"Store {self.store_id!r} was loaded anew by another process since it was opened here: "
            "nothing was written. Open it again."
        )


def _chunks(items: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Batches of bounded length and size."""
    batch: list[tuple[str, bytes]] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item[1]) + 2 * len(item[0])
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _text(value: bytes) -> str:
    return value.decode()


def _time(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
