"""Open the two sides of a saved diff, and check that the diff was made from them."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from diffsync_store.adapter import Adapter
from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.exceptions import ChangeLimitExceeded
from diffsync_store.guards import Suppressions
from diffsync_store.project import BaseProject, SyncContext, SyncEntry, UserError
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import RedisStore

S = TypeVar("S", bound=SyncEntry)


@contextmanager
def open_target(context: SyncContext[Any], diff_id: str) -> Iterator[tuple[SavedDiff, Adapter]]:
    """Open a saved diff and the adapter of its target, over the store that the diff was made from.

    Raises:
        UserError: The store belongs to another adapter than the diff's target.
    """
    saved = context.diffs().open(diff_id)
    record = saved.record
    with context.open_store(record.target_store_id) as store:
        _require_same_adapter(record, store.require_load(record.target_generation), record.target_name)
        yield saved, context.project.make_adapter(record.target_name, store)


@contextmanager
def open_source(context: SyncContext[Any], record: DiffRecord) -> Iterator[RedisStore]:
    """Open the store that was the source of a diff.

    Raises:
        UserError: The store belongs to another adapter than the diff's source.
    """
    with context.open_store(record.source_store_id) as store:
        _require_same_adapter(record, store.record(), _name_of_source(record))
        yield store


def require_stores(context: SyncContext[Any], record: DiffRecord) -> tuple[StoreRecord, StoreRecord]:
    """Return the records of the two stores that a diff was made from.

    Raises:
        StoreReloaded: the target's store was loaded again since.
        UserError: a store belongs to another adapter than the diff.
    """
    with context.open_store(record.target_store_id) as store:
        target = store.require_load(record.target_generation)
    _require_same_adapter(record, target, record.target_name)
    with open_source(context, record) as store:
        return store.record(), target


def find_sync(project: BaseProject[S], record: DiffRecord) -> tuple[str, S]:
    """Return the name and the declaration of the sync that a diff belongs to.

    Raises:
        UserError: No sync of these adapters is declared, so its guards and its approval are unknown.
    """
    name, declared = project.sync_between(record.source_name, record.target_name)
    if name:
        return name, declared
    raise UserError(
        f"Diff {record.diff_id} is {record.source_name} → {record.target_name}, and {project.path} declares no sync of "
        f"these two, so its guards and its approval are unknown. Declare a sync with source: {record.source_name} and "
        f"target: {record.target_name}."
    )


def find_suppressions(
    context: SyncContext[Any], saved: SavedDiff, target: StoreRecord, allow: Sequence[str]
) -> Suppressions:
    """Return what the guards suppress of a diff.

    Raises:
        ChangeLimitExceeded: The diff changes more than the change limits allow.
        UserError: An item of `allow` has no known form.
    """
    record = saved.record
    try:
        guards = context.project.guards(record.source_name, record.target_name).allowing(allow)
    except ValueError as error:
        raise UserError(str(error)) from None
    source = None
    if record.suppressions:
        with context.open_store(record.source_store_id) as store:
            source = store.require_load(record.source_generation)
    try:
        return saved.guarded(guards, target, source)
    except ChangeLimitExceeded as error:
        allowances = [excess.allowance for excess in error.excesses]
        raise ChangeLimitExceeded(
            f"{error}\nor apply the diff with `diffsync-store apply {_options(allowances)}`, "
            f"or start the sync with the parameter allow = {allowances}",
            error.excesses,
        ) from None


def _name_of_source(record: DiffRecord) -> str:
    """Return the adapter whose store is the source of a diff: an undo is made from the store of its target alone."""
    is_undo = record.undoes and record.source_store_id == record.target_store_id
    return record.target_name if is_undo else record.source_name


def _options(allowances: Sequence[str]) -> str:
    return " ".join(f"--allow {shlex.quote(each)}" for each in allowances)


def _require_same_adapter(record: DiffRecord, store: StoreRecord, adapter: str) -> None:
    """Refuse a store of another adapter: the adapter, its guards and its approval belong together."""
    if store.name not in {"", adapter}:
        raise UserError(
            f"Diff {record.diff_id} is {record.source_name} → {record.target_name}, but the record of its store "
            f"{store.store_id} names the adapter {store.name} instead of {adapter}: somebody changed one of the two records in "
            f"Redis. Nothing was applied. Load {adapter} again, make a new diff, and find out who writes to this Redis."
        )
