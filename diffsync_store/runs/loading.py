"""Load adapters of a project into stores."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from diffsync_store import adapters
from diffsync_store.adapter import Adapter
from diffsync_store.adapters.python import PythonAdapter
from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.lifecycle import opened
from diffsync_store.project import SyncContext
from diffsync_store.runs.sharding import Watch, load_in_shards
from diffsync_store.store import BaseStore
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.shards.record import ShardRecord


class LoadProgress(NamedTuple):
    """How far a load is."""

    done: int
    total: int | None
    """None if unknown."""
    is_estimate: bool = False
    """Whether the total is that of the last load."""


def load(
    context: SyncContext[Any], adapter: str, store_id: str, watch: Watch = lambda _name, _store: nullcontext()
) -> StoreRecord:
    """Load an adapter's system into an empty store; its shards one after the other, if it has some.

    Raises:
        Exception: the load failed, without secrets in its message; the store is failed.
    """
    run = load_in_shards if context.project.has_shards(adapter) else _load_whole
    try:
        return run(context, adapter, store_id, watch)
    except Exception as error:
        error.add_note(f"The load of {adapter} failed.")
        raise


def _load_whole(context: SyncContext[Any], adapter: str, store_id: str, watch: Watch) -> StoreRecord:
    secrets = context.project.secrets
    with context.open_store(store_id, name=adapter) as store:
        with store.loading(redact=secrets.redact), secrets.redacted_errors():
            system = context.project.make_adapter(adapter, store)
            with opened(system), watch(adapter, store):
                system.load()
        return store.record()


def load_both(
    context: SyncContext[Any], store_ids: Mapping[str, str], watch: Watch = lambda _name, _store: nullcontext()
) -> dict[str, StoreRecord]:
    """Load several adapters: at the same time if `can_load_at_once`, else one after the other.

    Args:
        context: the project.
        store_ids: the id of the store by the name of the adapter.
        watch: reports the progress.

    Raises:
        Exception: the first load that failed. The other ones are abandoned.
    """
    if not can_load_at_once(context, store_ids):
        return {name: load(context, name, store_id, watch) for name, store_id in store_ids.items()}
    ended: SimpleQueue[tuple[str, StoreRecord | BaseException]] = SimpleQueue()

    def run(name: str, store_id: str) -> None:
        try:
            ended.put((name, load(context, name, store_id, watch)))
        except BaseException as error:  # noqa: BLE001  # it is raised where the loads were started
            ended.put((name, error))

    for name, store_id in store_ids.items():
        Thread(target=run, args=(name, store_id), name=f"load {name}", daemon=True).start()
    found: dict[str, StoreRecord] = {}
    while len(found) < len(store_ids):
        name, record = ended.get()
        if isinstance(record, BaseException):
            raise record
        found[name] = record
    return found


def can_load_at_once(context: SyncContext[Any], adapters: Iterable[str]) -> bool:
    """Return whether adapters may be loaded in threads of one process: all of them are ready adapters.

    Code of the user, such as a class or a function, may share state that is not safe in threads.
    """
    return all(_is_safe_in_threads(context.project.factory.find(name)) for name in adapters)


def _is_safe_in_threads(adapter: type[Adapter]) -> bool:
    return adapter.__module__.startswith(f"{adapters.__name__}.") and not issubclass(adapter, PythonAdapter)


def load_progress(context: SyncContext[Any], adapter: str, store: BaseStore) -> LoadProgress | None:
    """Return how far a load is, measured against the adapter's expectation or its last load; None if Redis does not answer.

    Opens the store once more, because the load uses `store` in another thread.
    """
    expected = store.expected()
    try:
        with context.open_store(str(store.store_id)) as reader:
            if context.project.has_shards(adapter):
                return progress_of_shards(reader.shards(), context.last_count(adapter))
            if expected:
                return LoadProgress(sum(reader.count(model=model) for model in expected), sum(expected.values()))
            return LoadProgress(reader.count(), context.last_count(adapter), is_estimate=True)
    except ObjectStoreException:
        return None


def progress_of_shards(shards: Sequence[ShardRecord], last: int | None = None) -> LoadProgress:
    """Return how far the shards of a load are together.

    Args:
        shards: the shards.
        last: the number of objects of the last load, for shards that do not know what to expect.
    """
    done = sum(shard.objects for shard in shards)
    if all(shard.expected or shard.is_loaded for shard in shards):
        totals = (sum(shard.expected.values()) or shard.objects for shard in shards)
        return LoadProgress(done, max(done, sum(totals)))
    return LoadProgress(done, last, is_estimate=True)
