"""Commands for stores, and those that take a store or a saved diff: `stores`, `show`, `diff`, `drop`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from diffsync_store.cli.app import (
    EXIT_DIFFERENCES,
    Limit,
    StoreOrDiff,
    command,
    echo,
    echo_error,
    echo_omitted,
    open_diffs,
)
from diffsync_store.cli.asking import confirm
from diffsync_store.cli.connection import redis_options
from diffsync_store.cli.formatting import console, format_age, format_duration, format_size, table
from diffsync_store.cli.render import (
    ACTIONS,
    show_changes,
    show_diff,
    show_store,
    store_json,
)
from diffsync_store.cli.suggestions import suggestion
from diffsync_store.enum import StoreState
from diffsync_store.exceptions import DiffNotFound, StoreNotFound
from diffsync_store.retention import drop_diff, drop_store
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.catalog import RedisStores
from diffsync_store.store.redis.store import RedisStore
from diffsync_store.stored_adapter import StoredAdapter

_PREVIEW = 50


@command
def stores(
    limit: Limit = 50,
    adapter: Annotated[str, typer.Option(help="Show only the stores of this adapter.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List the stores, the last written first."""
    with closing(RedisStores(**redis_options())) as catalog:
        all_records = list(catalog.list())
        records = [record for record in all_records if not adapter or record.name == adapter]
        if as_json:
            for record in records[:limit]:
                echo(store_json(record, catalog.expires_in(record.store_id)))
            return
        rows = [
            (
                record.store_id,
                record.name,
                _state(record),
                sum(record.counts.values()),
                format_age(record.updated),
                format_duration(catalog.expires_in(record.store_id)),
                format_size(catalog.memory(record)),
            )
            for record in records[:limit]
        ]
    if not rows:
        hint = suggestion([adapter], (record.name for record in all_records)) if adapter else ""
        echo_error(f"No stores{f' of {adapter}' if adapter else ''}.{hint}")
        return
    console().print(table(("store_id", "adapter", "state", "objects", "updated", "expires in", "memory"), rows))
    echo_omitted(len(records), limit)


def _state(record: StoreRecord) -> str:
    """Return the state of a store, and while it is loaded in shards how many are loaded."""
    if not record.shards or record.state is not StoreState.LOADING:
        return record.state.value
    return f"{record.state.value}, {sum(shard.is_loaded for shard in record.shards)} of {len(record.shards)} shards"


@command
def show(
    name: StoreOrDiff,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the details of a store, with its shards, or of a saved diff."""
    with open_diffs() as saved_diffs, _store_or_diff(name):
        try:
            saved = saved_diffs.open(name)
        except DiffNotFound:
            with closing(RedisStores(**redis_options())) as catalog:
                record, expires_in = catalog.record(name), catalog.expires_in(name)
                if as_json:
                    echo(store_json(record, expires_in))
                else:
                    show_store(record, expires_in)
            return
        if as_json:
            echo(saved.record.model_dump_json())
        else:
            show_diff(saved, saved_diffs.expires_in(name))


@contextmanager
def _store_or_diff(name: str) -> Iterator[None]:
    try:
        yield
    except StoreNotFound:
        raise StoreNotFound(
            f"No store or saved diff {name!r}: it never existed, was dropped, or has expired."
        ) from None


@command
def diff(
    source: Annotated[str, typer.Argument(help="store_id of the source.")],
    target: Annotated[str, typer.Argument(help="store_id of the target.")],
    save: Annotated[bool, typer.Option("--save", help="Save the diff and print its diff_id.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if there are differences.")] = False,
) -> None:
    """Compare two stores."""
    with open_diffs() as saved_diffs:
        with (
            closing(RedisStore(store_id=source, **redis_options())) as source_store,
            closing(RedisStore(store_id=target, **redis_options())) as target_store,
        ):
            diff_id = saved_diffs.compare(StoredAdapter(source_store), StoredAdapter(target_store))
        saved = saved_diffs.open(diff_id)
        if saved.record.operations:
            show_changes(saved.operations(limit=_PREVIEW))
        if saved.record.operations > _PREVIEW:
            echo(f"These are the first {_PREVIEW}. Save the diff with --save to see all with `diffsync-store changes`.")
        echo(", ".join(f"{saved.record.summary.get(action, 0):,} {action}" for action in ACTIONS))
        if save:
            echo(f"diff_id: {diff_id}")
        else:
            saved.drop()
    if exit_code and saved.record.operations:
        raise typer.Exit(EXIT_DIFFERENCES)


@command
def drop(
    name: StoreOrDiff,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Drop it even if it is in use.")] = False,
) -> None:
    """Drop a store or a saved diff that is not in use."""
    if not yes:
        confirm(f"Drop {name}?")
    with open_diffs() as saved_diffs, _store_or_diff(name):
        try:
            saved = saved_diffs.open(name)
        except DiffNotFound:
            drop_store(name, force=force, **redis_options())
        else:
            drop_diff(saved, force=force)
    echo(f"Dropped {name}.")
