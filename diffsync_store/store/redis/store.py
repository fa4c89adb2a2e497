"""RedisStore: objects in Redis, which other processes open by `store_id`."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from heapq import merge
from itertools import repeat
from threading import Lock, RLock
from typing import Any
from uuid import uuid4

from diffsync_store.enum import ShardState, StoreState
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectStoreException, StoreInUse, StoreNotFound
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.base import BaseStore, synchronized
from diffsync_store.store.digest import digest_of
from diffsync_store.store.index.store_index import EMPTY_INDEX, StoreIndex
from diffsync_store.store.load_report import Gap, LoadReport
from diffsync_store.store.primitives import NO_GAPS, StoreOwner
from diffsync_store.store.record import ModelSchema, StoreRecord, StoreSchema, schema_of
from diffsync_store.store.redis.above import encode_above
from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.diffs.catalog import DiffCatalog
from diffsync_store.store.redis.diffs.usage import refuse_load
from diffsync_store.store.redis.field_names import field_names
from diffsync_store.store.redis.index import RedisIndex
from diffsync_store.store.redis.keys import DEFAULT_TTL, StoreKeys, check_namespace, encode_uids, index_of_stores
from diffsync_store.store.redis.leases import Lease
from diffsync_store.store.redis.partitions import partitions_of, read_counts, read_partitions
from diffsync_store.store.redis.processes import close_logging_errors, register, unregister
from diffsync_store.store.redis.record import LAYOUT, gaps_text, outdated_message, read_models, read_record, server_time
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.scripts.pipeline import Call, call_each, new_pipeline
from diffsync_store.store.redis.scripts.script import Script
from diffsync_store.store.redis.shards.load import ShardLoad
from diffsync_store.store.redis.shards.sealer import LoadedTwice, Sealer
from diffsync_store.store.redis.writing.batch import MAX_OBJECTS, Batch
from diffsync_store.store.redis.writing.children import children_of
from diffsync_store.store.redis.writing.model_buffer import ModelBuffer
from diffsync_store.store.redis.writing.send_queue import Refused, SendQueue
from diffsync_store.store.redis.writing.writer import Writer
from diffsync_store.store.serialization import decode, encode, ensure_storable, root_class
from diffsync_store.store.shards.plan import ShardPlan
from diffsync_store.store.shards.sealing import models_of
from diffsync_store.store.stored_model import stored_model
from diffsync_store.values.plain import is_unicode

_BATCH = 1000
"""Objects that are read at once, or added before they are written."""
_ENCODE_AFTER = MAX_OBJECTS // 4
"""Added objects of one model that are encoded at once. With more of them, Python's garbage collector would often visit all objects of
the process."""
_POSITION = 8
"""Bytes of the position before each stored value."""
_BATCH_BYTES = 4_000_000
"""Bytes of objects after which a read returns the objects so far."""
_FLUSH_AFTER = 0.1
"""Seconds after which buffered objects are written with the next `add`."""
_FLUSH_SHARD_AFTER = 0.5
"""The same while a shard of several is loaded, which nobody reads before the seal: its batches stay large if many processes share the
processors."""
_RENEW_AFTER = 60.0
"""Seconds of use after which the time to live restarts."""
_FETCH_UIDS_AFTER = 64
"""Checked adds to one model after which its ids are fetched, so that no further add needs a round trip."""
_SMALLEST_PAGE = 100
"""Objects of one partition that are read at once, at least."""
_MOST_AT_ONCE = 8
_NEVER = float("inf")
_Page = dict[str, bytes | None]
"""The values that were read at once, by unique id."""


def _keep_alive(_: Connection) -> None:
    """Do nothing. As an argument of the store's finalizer, the connection is usable in `__del__`."""


class RedisStore(BaseStore):
    """A store in Redis or Valkey. Threads may share it, also with an event loop.

    Its methods block: in a coroutine, call them with `asyncio.to_thread`. A forked child process may use the store too; outside of
    its own `loading()`, it writes each change at once. A spawned process opens the store by its `store_id`.

    Args:
        store_id: id by which other processes open the store: 1 to 128 letters, digits, `.`, `_`, `-`. A random one by
            default.
        host: host name of Redis; or give a `url`, not both.
        port: port of the host.
        url: redis://, rediss://, unix://, redis+cluster://, rediss+cluster://, redis+sentinel:// or rediss+sentinel://.
        db: number of the database.
        client: a redis-py client to use instead, made with `decode_responses=False`; it keeps its own timeouts and
            retries, and is not closed with the store.
        connection: a connection to share instead of opening one; it is not closed with the store.
        ttl: seconds without use after which the store expires. Default: the ttl of an existing store, otherwise 7 days. During a
            load, the store lives for at least an hour after the last write.
        namespace: separates the store from stores of other namespaces in the same Redis, which may have the same `store_id`: 1 to
            64 letters, digits, `.`, `_`, `-`. Other processes open the store with the same namespace.
        lease: the lease to write under. Writes are refused after somebody has taken a newer lease.
        options: any connection argument of redis-py: `username`, `password`, `ssl`, `ssl_ca_certs`,
            `ssl_certfile`, `ssl_keyfile`, `unix_socket_path`, `socket_timeout`, `retry`, ...; `sentinel_kwargs` for
            the connections to Sentinels.

    Writes are buffered and are in Redis after `flush()`. The store also flushes when the buffer is full, before a diff, after a
    sync, at the end of a load, on `close()` and at the end of the process.

    Raises:
        ObjectStoreException: Redis cannot be reached or refuses the password; the `store_id` is not valid.
        TypeError: an option is not one of redis-py's.
    """

    is_in_memory = False
    keeps_index = True

    def __init__(
        self,
        *args: Any,
        adapter: StoreOwner | None = None,
        name: str = "",
        store_id: str | None = None,
        host: str | None = None,
        port: int = 6379,
        url: str | None = None,
        db: int = 0,
        client: Any = None,
        connection: Connection | None = None,
        ttl: int | None = None,
        lease: Lease | None = None,
        namespace: str = "",
        **options: Any,
    ) -> None:
        super().__init__(*args, adapter=adapter, name=name)
        if not is_unicode(name):
            raise ObjectStoreException(f"The name {name!r} of a store is not valid Unicode. Give it another name.")
        self._is_named = bool(name)
        self.store_id = str(uuid4()) if store_id is None else store_id
        self.namespace = check_namespace(namespace)
        self._keys = StoreKeys(self.store_id, namespace)
        if lease is not None and (lease.store_id, lease.namespace) != (self.store_id, namespace):
            of = f" of the namespace {lease.namespace!r}" if lease.namespace != namespace else ""
            raise ObjectStoreException(
                f"The lease is on store {lease.store_id!r}{of}, not on {self.store_id!r}. Take the lease on {self.store_id!r}."
            )
        if ttl is not None and ttl < 1:
            raise ObjectStoreException(f"ttl must be at least 1 second, not {ttl}.")
        self._connection = Connection.share_or_open(
            connection, host=host, port=port, url=url, db=db, client=client, **options
        )
        self._redis = self._connection.client
        with translated_errors():
            found = self._redis.hmget(self._keys.record, "generation", "ttl", "layout", "partitions")
        generation, own_ttl, layout, partitions = found
        self._partitions = partitions_of(self._redis, self._keys, partitions)
        self._ttl = ttl or int(own_ttl or DEFAULT_TTL)
        self.fencing_token = None if lease is None else lease.token
        self._writer = Writer(self._redis, self._partitions, generation or b"", self._ttl, self.fencing_token)
        self._send_queue = SendQueue(self._writer, new_pipeline(self._connection), MAX_OBJECTS * self._share)
        self._buffers: dict[str, ModelBuffer] = {}
        self._pending = 0
        self._most_pending, self._most_adds = _BATCH * self._share, _ENCODE_AFTER * self._share
        self._flush_due = _NEVER
        self._is_loading = False
        self._shard: ShardLoad | None = None
        """The shard that this process loads, of a load in shards."""
        self._is_sharing = False
        """Whether no other process adds the objects that this one adds."""
        self._writing = Lock()
        self._is_forked = False
        """Whether a parent process has opened it."""
        self._models: dict[str, ModelSchema] = {}
        self._is_outdated = generation is not None and layout != LAYOUT
        self._renewed = time.monotonic() - _RENEW_AFTER
        register(self)
        # Keeps the connection usable in `__del__`, even if both are collected in one reference cycle.
        weakref.finalize(self, _keep_alive, self._connection).atexit = False

    def __str__(self) -> str:
        return f"{self.name} ({self.store_id})"

    def __del__(self) -> None:
        if len(getattr(self, "_send_queue", ())) or any(
            len(buffer) for buffer in getattr(self, "_buffers", {}).values()
        ):
            close_logging_errors(self)

    # Lifecycle

    @synchronized
    def flush(self) -> None:
        for buffer in list(self._buffers.values()):
            buffer.mark_changed_in_place()
        self._write()
        for buffer in self._buffers.values():
            if buffer.has_changed_uids:
                self._writer.mark({"renamed": 1})
                buffer.has_changed_uids = False
        if self._writer.shard is not None and not self._is_loading:  # a new store: from now on, writes are touched
            self._write_index({})
        if self._writer.claim_until and not self._is_loading:  # a load keeps its claim until it ends
            self._writer.release()
            self._add_to_index()
        self._renew()

    @synchronized
    def discard(self) -> None:
        self._discard_all()

    @contextmanager
    def sharing(self) -> Iterator[None]:
        with self._store_lock:
            self._is_sharing = bool(self._writer.generation)
            if self._is_sharing:
                self._writer.share()
        try:
            yield
        finally:
            self._is_sharing = False

    @synchronized
    def close(self) -> None:
        self.flush()
        if self._writer.has_written and not self._is_loading:
            self._writer.remove_fields()
        unregister(self)
        self._connection.close()

    def __reduce_ex__(self, _: Any) -> Any:
        """Refuse to be copied or pickled."""
        raise TypeError(
            f"Store {self.store_id!r} is in Redis: it cannot be copied or pickled with its adapter. "
            f"Open it where it is needed, with RedisStore(store_id={self.store_id!r}, ...)."
        )

    @synchronized
    def drop(self) -> None:
        self._discard_all()
        with translated_errors():
            partitions = read_partitions(self._redis, self._keys)
            call_each(self._redis, scripts.DROP, [([keys.record], []) for keys in partitions.keys[1:]])
            scripts.DROP(self._redis, [self._keys.record], [])  # last: it names the others
            self._redis.zrem(index_of_stores(self.namespace), self.store_id)
        self._writer = Writer(self._redis, self._partitions, b"", self._ttl, self.fencing_token)
        self._send_queue = SendQueue(self._writer, new_pipeline(self._connection), MAX_OBJECTS * self._share)

    @synchronized
    def _start_load(self) -> None:
        self._require_not_needed()
        self._discard_all()
        self._writer.begin()
        self._is_loading = True
        self._writer.mark(self._facts())
        self._add_to_index()

    def _require_not_needed(self) -> str:
        """Refuse to empty the store if a saved diff needs it; return its generation, empty if it does not exist."""
        with translated_errors():
            generation = self._redis.hget(self._keys.record, "generation")
        if generation is None:
            return ""
        refuse_load(DiffCatalog(self._redis, self.namespace), self.store_id, generation.decode())
        return str(generation.decode())

    @synchronized
    def mark(self, state: StoreState, reason: str = "", *, gaps: Mapping[str, Gap] = NO_GAPS) -> None:
        if state is StoreState.FAILED:
            self._discard_all()
        else:
            self.flush()
        if not self._writer.generation:
            self._writer.acquire("")
        known = {"state": state.value, "reason": reason, "gaps": gaps_text(gaps), "hold": ""}
        self._write_index({**self._facts(), **known, "until": 0})
        self._writer.end_sharing()
        self._is_loading = False
        self._add_to_index()

    @synchronized
    def _begin_shard(self, name: str, plan: ShardPlan, report: LoadReport) -> Callable[[], None]:
        if self._loaded_by == os.getpid():
            raise StoreInUse(f"Store {self} is being loaded already, by this process. Open it again for another shard.")
        generation = self._require_not_needed()
        self._discard_all()
        self._writer.change_token()
        shard = ShardLoad(self._redis, self._partitions, self._writer, plan, name)
        shard.begin(generation, self._ttl)
        before, self._load_report = self._load_report, report
        self._shard, self._is_loading, self._loaded_by = shard, True, os.getpid()

        def leave() -> None:
            shard.stop()
            if self._shard is shard:
                self._shard, self._is_loading, self._loaded_by = None, False, None
                self._writer.change_token()
            self._load_report = before

        try:
            self._writer.mark(self._facts())
            self._add_to_index()
        except BaseException:
            leave()
            raise
        return leave

    @synchronized
    def _end_shard(self, state: ShardState, reason: str, gaps: Mapping[str, Gap]) -> None:
        shard = self._shard
        if shard is None:
            raise StoreInUse(f"Store {self} was closed or forked while a shard of it was loaded.")
        if state is ShardState.FAILED:
            self._discard_all()
        else:
            self.flush()
        facts = self._facts()  # the adapter may have been made inside of the block
        if any(buffer.has_changed_uids for buffer in self._buffers.values()):
            facts["renamed"] = "1"
        shard.end(state, reason, gaps, self._load_report, facts)
        self._discard_all()
        self._add_to_index()

    def _seal(self) -> None:
        self._write()
        models = models_of(self.adapter)
        try:
            Sealer(self._redis, self._partitions, self._ttl, self.fencing_token).seal(models)
        except LoadedTwice as error:
            self._raise(ObjectAlreadyExists, str(error), self._get(error.model, None, error.uid))
        self._discard_all()
        self._add_to_index()

    def _write_index(self, facts: Mapping[str, Any]) -> None:
        """Write facts into the record, and the index of what this process has loaded; then its writes are no longer a load."""
        of_index = {} if facts.get("state") == StoreState.FAILED.value else self._writer.write_index()
        self._writer.mark({**facts, **of_index}, ends_shard=True)

    def _prepare_to_fork(self) -> None:
        """Write pending changes and release the claim, so that the child process need not wait for it."""
        self._write()
        if self._writer.claim_until:
            self._writer.release()

    def _reset_in_child(self) -> None:
        """Become a new writer. The parent process writes the pending changes."""
        for buffer in self._buffers.values():
            buffer.drop_pending()
        self._writer.change_token()
        self._send_queue = SendQueue(self._writer, new_pipeline(self._connection), MAX_OBJECTS * self._share)
        self._pending, self._flush_due = 0, _NEVER
        self._writing = Lock()
        self._is_loading = False
        self._shard = None
        self._is_forked = True

    @property
    def _writes_at_once(self) -> bool:
        """Whether each change is written at once: a forked process may end by `os._exit`, which flushes nothing."""
        return self._is_forked and not self._is_loading

    def _replace_lock(self) -> None:
        """Replace a lock that a thread of the parent process held during the fork."""
        self._store_lock = RLock()
        self._buffers.clear()
        self._reset_in_child()

    def _facts(self) -> dict[str, str]:
        facts = {"name": self.name} if self._is_named else {}
        if self.adapter is not None:
            schema = StoreSchema(top_level=tuple(self.adapter.top_level))
            facts |= {"adapter": str(self.adapter.type), "top_level": schema.model_dump_json()}
        return facts

    def _discard_all(self) -> None:
        self._send_queue.discard()
        self._buffers.clear()
        self._models.clear()
        self._pending = 0
        self._flush_due = _NEVER

    def _add_to_index(self) -> None:
        """Add the store to the index of the stores in this Redis."""
        now = server_time(self._redis, self._keys.record)
        with translated_errors():
            self._redis.zadd(index_of_stores(self.namespace), {self.store_id: now.timestamp()})

    def _require_layout(self) -> None:
        """Refuse to read a store that another version of the library has written."""
        if self._is_outdated:
            with translated_errors():
                layout = self._redis.hget(self._keys.record, "layout")
            if layout not in (None, LAYOUT):
                raise ObjectStoreException(outdated_message(self.store_id))
            self._is_outdated = False

    def _renew(self) -> None:
        """Restart the time to live, at most once a minute or once in a tenth of it."""
        now = time.monotonic()
        if now - self._renewed < min(_RENEW_AFTER, self._ttl / 10):
            return
        self._renewed = now
        with translated_errors():
            call_each(self._redis, scripts.RENEW, [([keys.record], [self._ttl]) for keys in self._partitions.keys])

    @synchronized
    def load_version(self) -> tuple[str, str]:
        with translated_errors():
            found = self._redis.hmget(self._keys.record, "generation", "state")
        generation, state = (value.decode() if value else "" for value in found)
        return generation, state

    def record(self) -> StoreRecord:
        self._write()
        return read_record(self._redis, self._keys)

    # Reading

    @synchronized
    def _counts(self) -> dict[str, int]:
        self._write()
        self._require_layout()
        if self._shard is not None:
            return self._shard.counts()
        self._renew()
        return read_counts(self._redis, self._partitions)

    def _get(self, model: str, model_class: type[DiffSyncModel] | None, uid: str) -> DiffSyncModel | None:
        return self._fetch(model, model_class, [uid]).get(uid)

    def snapshot_above(self, model: str, below: Mapping[str, Sequence[str]]) -> dict[str, DiffSyncModel]:
        model_class = self._get_object_class_and_model(model)[0]
        return self._fetch(model, model_class, list(below), track=False, below=below)

    @synchronized
    def _fetch(
        self,
        model: str,
        model_class: type[DiffSyncModel] | None,
        uids: Sequence[str],
        *,
        track: bool = True,
        below: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, DiffSyncModel]:
        buffer = self._buffer(model, model_class)
        self._expire(buffer)
        found: dict[str, Any] = {}
        missing = []
        for uid in uids:
            obj = buffer.find(uid)
            if obj is not None:
                found[uid] = obj
            elif uid not in buffer.deletes:
                missing.append(uid)
        if not missing:
            return found
        self._await_answers()
        if self._shard is not None:
            missing = [uid for uid in missing if self._shard.has(model, uid)]
        self._require_layout()
        self._renew()
        if below is None:
            answers = self._ask_for(scripts.FETCH, model, missing)
        else:
            encode_some = partial(encode_above, buffer.model_class, below)
            answers = self._ask_for(scripts.FETCH_ABOVE, model, missing, encode_some)
        for names, uids_of, values in answers:
            for uid, value in zip(uids_of, _expand(names, values), strict=True):
                found[uid] = self._decode(buffer, uid, value, track=track)
        return {uid: found[uid] for uid in uids if uid in found}

    def _ask_for(
        self,
        script: Script,
        model: str,
        uids: Sequence[str],
        encode_some: Callable[[list[str]], list[str | bytes]] = encode_uids,
    ) -> Iterator[tuple[bytes, list[str], list[bytes]]]:
        """Yield field names, the unique ids of stored objects and the answers of a script, from all partitions at the same time."""
        waiting = self._partitions.group(uids)
        while waiting:
            batches = {partition: of_partition[:_BATCH] for partition, of_partition in waiting.items()}
            calls: list[Call] = []
            for partition, batch in batches.items():
                keys = self._partitions.keys[partition]
                calls.append(([keys.record, keys.objects(model)], [model, _BATCH_BYTES, *encode_some(batch)]))
            with translated_errors():
                answers = call_each(self._redis, script, calls)
            for (partition, batch), (names, found) in zip(batches.items(), answers, strict=True):
                waiting[partition] = waiting[partition][len(found) :]  # the answer may be for the first ones only
                stored = [(uid, value) for uid, value in zip(batch, found, strict=False) if value is not None]
                yield names, [uid for uid, _ in stored], [value for _, value in stored]
            waiting = {partition: of_partition for partition, of_partition in waiting.items() if of_partition}

    def _iterate(
        self, model: str, model_class: type[DiffSyncModel] | None, *, track: bool = True
    ) -> Iterator[DiffSyncModel]:
        streams = [self._iterate_partition(keys, model, model_class) for keys in self._partitions.keys]
        for _, uid, buffer, page in merge(*streams):
            with self._store_lock:
                obj = self._object_of_page(buffer, page, uid, track=track)
            if obj is not None:
                yield obj

    def _iterate_partition(
        self, keys: StoreKeys, model: str, model_class: type[DiffSyncModel] | None
    ) -> Iterator[tuple[bytes, str, ModelBuffer, _Page]]:
        """Yield position and unique id of each object of a partition in order, with the buffer of the model and the page that has it."""
        cursor = b""
        while True:
            buffer, cursor, objects, page = self._page(keys, model, model_class, cursor)
            try:
                for position, uid in objects:
                    yield position, uid, buffer, page
            finally:
                buffer.close_page(page)
            if not cursor:
                return

    @synchronized
    def _page(
        self, keys: StoreKeys, model: str, model_class: type[DiffSyncModel] | None, cursor: bytes
    ) -> tuple[ModelBuffer, bytes, list[tuple[bytes, str]], _Page]:
        """Return the buffer of the model, where to go on (empty at the end), position and unique id of each object, and their page.

        The page is open: other threads take the objects out of it that they write.
        """
        if not cursor:
            self._write()
        self._renew()
        buffer = self._buffer(model, model_class)
        self._expire(buffer)
        cursor, ids, names, values = self._read(keys, model, cursor, _BATCH, "values")
        page: _Page = {}
        objects = []
        for uid, value, stored in zip(map(bytes.decode, ids), _expand(names, values), values, strict=True):
            if self._shard is None or self._shard.has(model, uid):
                page[uid] = value
                objects.append((stored[:_POSITION], uid))
        buffer.open_page(page)
        return buffer, cursor, objects, page

    def _read(self, keys: StoreKeys, model: str, cursor: bytes, count: int, what: str) -> Any:
        """Return where to go on, the ids of the next objects of a partition in order, field names, and values or positions."""
        self._require_layout()
        count = max(count // len(self._partitions), _SMALLEST_PAGE)
        of_model = [keys.record, keys.objects(model), keys.pages(model), keys.order(model)]
        with translated_errors():
            return scripts.READ(self._redis, of_model, [cursor, count, _BATCH_BYTES, what, model])

    def _object_of_page(self, buffer: ModelBuffer, page: dict[str, bytes | None], uid: str, *, track: bool) -> Any:
        """Return an object of a page; None if it was removed. It is read again if it was written after the page was read."""
        obj = buffer.find(uid)
        if obj is not None:
            return obj
        if uid in buffer.deletes:
            return None
        if uid not in page:
            return self._fetch(buffer.model, None, [uid], track=track).get(uid)
        value = page.pop(uid)
        return None if value is None else self._decode(buffer, uid, value, track=track)

    def uids(self, model: str) -> Iterator[str]:
        yield from (uid.decode() for _, uid in merge(*(self._uids_of(keys, model) for keys in self._partitions.keys)))

    def _uids_of(self, keys: StoreKeys, model: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield position and unique id of each object of a partition in order; empty positions if there is one partition."""
        cursor, page = self._page_of_uids(keys, model, b"")
        yield from page
        while cursor:
            cursor, page = self._page_of_uids(keys, model, cursor)
            yield from page

    @synchronized
    def _page_of_uids(self, keys: StoreKeys, model: str, cursor: bytes) -> tuple[bytes, Iterator[tuple[bytes, bytes]]]:
        if not cursor:
            self._write()
        what = "positions" if len(self._partitions) > 1 else "ids"
        cursor, ids, _, positions = self._read(keys, model, cursor, 3 * _BATCH, what)
        shard = self._shard
        pairs = zip(positions or repeat(b""), ids, strict=False)
        return cursor, pairs if shard is None else (pair for pair in pairs if shard.has(model, pair[1].decode()))

    @synchronized
    def positions(self, model: str, uids: Sequence[str]) -> dict[str, float]:
        self._write()
        found: dict[str, float] = {}
        for _, stored, positions in self._ask_for(scripts.POSITIONS, model, uids):
            found |= {uid: int.from_bytes(position, "big") for uid, position in zip(stored, positions, strict=True)}
        return found

    def index(self) -> StoreIndex | None:
        try:
            record = self.record()
        except StoreNotFound:  # nothing has been written yet
            return EMPTY_INDEX
        if record.undigested or record.state is StoreState.FAILED or self.may_have_changed_uids():
            return None
        return RedisIndex(self._redis, self._partitions, record, partial(self.require_same_load, record))

    def may_have_changed_uids(self) -> bool:
        with translated_errors():
            return bool(self._redis.hexists(self._keys.record, "renamed"))

    @synchronized
    def get_cached(self, model: str, uid: str) -> DiffSyncModel | None:
        buffer = self._buffers.get(model)
        return None if buffer is None else buffer.find(uid)

    def _decode(self, buffer: ModelBuffer, uid: str, value: bytes, *, track: bool) -> Any:
        if track:
            return buffer.load(uid, value, self.adapter)
        obj = decode(buffer.model_class, value, uid)
        obj.__dict__["adapter"] = self.adapter
        return obj

    def _expire(self, buffer: ModelBuffer) -> None:
        buffer.expire()
        if len(buffer.dirty) >= _BATCH:
            self._write()

    def _buffer(self, model: str, model_class: Any) -> ModelBuffer:
        buffer = self._buffers.get(model)
        if buffer is None:
            declared: Any = self._get_object_class_and_model(model)[0]
            model_class = declared or (model_class and root_class(model_class)) or self._stored_class(model)
            buffer = self._buffers[model] = ModelBuffer(self, model, model_class, declared, MAX_OBJECTS * self._share)
        elif model_class is not None and buffer.declared is None:
            buffer.model_class = root_class(model_class)
        return buffer

    def _stored_class(self, model: str) -> type[Any]:
        """Return a class made from the store's schema, for a model that the adapter does not declare."""
        if model not in self._models:
            self._await_answers()
            self._models = read_models(self._redis, self._keys)
        return stored_model(self._models.get(model) or ModelSchema(name=model, identifiers=()))

    # Writing

    def _insert(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        with self._store_lock:
            buffer = self._buffers.get(model)
            if buffer is None or (buffer.declared is None and buffer.model_class is not root_class(obj.__class__)):
                buffer = self._buffer(model, type(obj))
            ensure_storable(obj, uid, buffer.declared)
            now = time.monotonic()
            if self._is_sharing and buffer.find(uid) is None:
                buffer.put(uid, obj)
                self._count_pending(buffer, now)
                return
            if not self._knows_all_uids(buffer, now):
                self._prepare_to_add(buffer, now)
                if not self._knows_all_uids(buffer, now):
                    self._insert_checked(buffer, uid, obj)
                    return
            if uid in buffer.uids:
                self._refuse_duplicate(buffer, uid, obj)
            else:
                buffer.add(uid, obj)
                self._count_pending(buffer, now)

    def _knows_all_uids(self, buffer: ModelBuffer, now: float) -> bool:
        """Whether this process is the only writer and knows all unique ids of the model."""
        writer = self._writer
        return now < writer.claim_until and buffer.uids.epoch == writer.epoch != b""

    def _prepare_to_add(self, buffer: ModelBuffer, now: float) -> None:
        """Become the only writer if there are no others, and fetch the existing unique ids if that is cheap."""
        if self._writer.is_shared:
            return
        self._await_answers()
        shard = self._writer.shard
        if shard is not None and shard.is_open and not len(buffer) and not buffer.uids.are_valid(self._writer.epoch):
            buffer.uids.load(set(shard.index.uids(buffer.model)), self._writer.epoch)
        if now >= self._writer.claim_until or not (buffer.uids.are_valid(self._writer.epoch) or buffer.checked_adds):
            is_new = not self._writer.generation
            count = self._writer.acquire(buffer.model)
            if is_new:
                self._writer.mark(self._facts())
            if count == 0 and not len(buffer) and not buffer.uids.are_valid(self._writer.epoch):
                buffer.uids.load(set(), self._writer.epoch)
        if buffer.checked_adds >= _FETCH_UIDS_AFTER and not buffer.uids.are_valid(self._writer.epoch):
            self._fetch_uids(buffer)

    def _fetch_uids(self, buffer: ModelBuffer) -> None:
        """Fetch all unique ids of a model that already has objects."""
        self._write()
        self._writer.acquire(buffer.model)
        epoch = self._writer.epoch
        present = set(self.uids(buffer.model))
        self._writer.acquire(buffer.model)
        if epoch == self._writer.epoch and not self._writer.is_shared:
            buffer.uids.load(present, epoch)

    def _insert_checked(self, buffer: ModelBuffer, uid: str, obj: DiffSyncModel) -> None:
        if buffer.find(uid) is not None:
            self._refuse_duplicate(buffer, uid, obj)
            return
        refused: Exception | None = None
        try:
            self._write()
        except ObjectAlreadyExists as error:  # an earlier add was refused; do this one all the same
            refused = error
        data = encode(obj, buffer.declared)
        batch = Batch(buffer.model, "adds")
        batch.append(uid, data, digest_of(obj), children_of(obj))
        buffer.classes.add(type(obj))
        self._set_schema(buffer, batch)
        self._send_queue.put(batch)
        if self._push():
            self._refuse_duplicate(buffer, uid, obj)
        else:
            buffer.note_added(uid, obj, data)
        if refused is not None:
            raise refused

    def _refuse_duplicate(self, buffer: ModelBuffer, uid: str, obj: DiffSyncModel) -> None:
        """Refuse an object whose unique id exists, unless it is the same object."""
        existing = self._get(buffer.model, None, uid)
        if existing is not obj:
            self._raise(ObjectAlreadyExists, f"Object {uid} already present", existing or obj)

    @synchronized
    def _put(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        buffer = self._buffer(model, type(obj))
        ensure_storable(obj, uid, buffer.declared)
        now = time.monotonic()
        if not self._knows_all_uids(buffer, now):
            self._prepare_to_add(buffer, now)
        knows_all_uids = self._knows_all_uids(buffer, now)
        if knows_all_uids and uid not in buffer.uids:
            buffer.add(uid, obj)  # keeps the order of insertion
        else:
            if buffer.adds and not knows_all_uids:
                self._write()  # keeps the order of insertion, because this object may be new too
            buffer.put(uid, obj)
        self._count_pending(buffer, now)

    @synchronized
    def _delete(self, model: str, uid: str) -> bool:
        buffer = self._buffer(model, None)
        if uid in buffer.deletes and uid not in buffer.adds and uid not in buffer.puts:
            return False
        if buffer.find(uid) is None:
            self._await_answers()
            if not self._is_stored(model, uid):
                return False
        buffer.delete(uid)
        self._count_pending(buffer, time.monotonic())
        return True

    def _is_stored(self, model: str, uid: str) -> bool:
        if self._shard is not None:
            return self._shard.has(model, uid)
        with translated_errors():
            keys = self._partitions.keys[self._partitions.of(uid)]
            return bool(self._redis.hexists(keys.objects(model), *encode_uids([uid])))

    def mark_dirty(self, obj: DiffSyncModel) -> None:
        with self._store_lock:
            buffer = self._buffers.get(obj.get_type())
            if buffer is not None:
                buffer.mark_dirty(obj)
                if len(buffer.dirty) >= _BATCH or (self._writes_at_once and buffer.dirty):
                    self._write()

    @property
    def _share(self) -> int:
        """How many times as many objects are written at once, so that the parts for the partitions of a cluster are not small."""
        return min(len(self._partitions), _MOST_AT_ONCE)

    def _count_pending(self, buffer: ModelBuffer, now: float) -> None:
        self._pending += 1
        if self._flush_due is _NEVER:
            self._flush_due = now + (_FLUSH_AFTER if self._shard is None else max(_FLUSH_AFTER, _FLUSH_SHARD_AFTER))
            register(self)  # it may have been closed
        if self._is_forked and self._writes_at_once:
            self._write()
        elif self._pending >= self._most_pending or now >= self._flush_due:
            self._write(ahead=True)
        elif len(buffer.adds) >= self._most_adds and not self._writing.locked():
            with self._writing:
                buffer.encode_adds(self._send_queue, partial(self._set_schema, buffer))

    def _write(self, *, ahead: bool = False) -> None:
        """Write the pending changes. Unlike `flush`, this does not look for in-place changes of objects.

        Args:
            ahead: do not wait for the answers. An error may be raised by a later call.

        Raises:
            ObjectAlreadyExists: another process has added objects with the same identifiers, after the claim of this one had
                ended, or before this one noticed the other writer. The objects of the other process are kept.
        """
        if self._writing.locked():  # encoding calls code of the program, which has called the store
            return
        with self._writing:
            try:
                refused = self._write_all(ahead=ahead)
            except BaseException:
                for buffer in self._buffers.values():
                    buffer.finish_move(self._send_queue, is_late=True)
                raise
        self._refuse(refused)

    def _write_all(self, *, ahead: bool) -> Refused:
        self._pending = 0
        self._flush_due = _NEVER
        refused: Refused = []
        for buffer in list(self._buffers.values()):
            buffer.expire()
            for _ in buffer.write_to(self._send_queue, partial(self._set_schema, buffer)):
                if not ahead:
                    refused += self._push()
        if ahead:
            with translated_errors():
                return refused + self._send_queue.push_ahead()
        return refused + self._push()

    def _await_answers(self) -> None:
        """Wait for the answers to batches that were sent ahead."""
        if len(self._send_queue):
            self._refuse(self._push())

    def _set_schema(self, buffer: ModelBuffer, batch: Batch) -> None:
        is_top = self.adapter is None or buffer.model in self.adapter.top_level
        model: Any = buffer.model_class
        batch.schema = _schema_text(model, frozenset(buffer.classes), is_top)

    def _push(self) -> Refused:
        is_new = not self._writer.generation
        refused = self._send_queue.push()
        if is_new and self._writer.generation:
            self._writer.mark(self._facts())
        return refused

    def _refuse(self, refused: Refused) -> None:
        for model, uid in refused:
            self._buffers[model].forget(uid)
        if refused:
            model, uid = refused[0]
            message = f"Object {uid} already present"
            if len(refused) > 1:
                message = f"{message}, and {len(refused) - 1} more; another process has added them"
            self._raise(ObjectAlreadyExists, message, self._get(model, None, uid))


def _expand(names: bytes, values: Sequence[bytes]) -> list[bytes]:
    """Return values as they were encoded, without their positions."""
    return field_names(names).expand([value[_POSITION:] for value in values])


@lru_cache(maxsize=1024)
def _schema_text(model: Any, classes: frozenset[Any], is_top: bool) -> str:
    return schema_of((model, *(classes - {model})), is_top=is_top).model_dump_json()
