"""Commands for the leases of targets: `lease`, `lock` and `unlock`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Annotated

import typer

from diffsync_store.cli.app import command, echo, echo_error
from diffsync_store.cli.asking import confirm
from diffsync_store.cli.catalog import known_stores, known_targets
from diffsync_store.cli.connection import redis_options
from diffsync_store.cli.formatting import console, table
from diffsync_store.cli.suggestions import suggestion
from diffsync_store.store.redis.leases import Holder, RedisLeases, target_lease
from diffsync_store.store.redis.leases.names import lease_arguments

Target = Annotated[str, typer.Argument(help="Name of the target's adapter.")]
OfStore = Annotated[bool, typer.Option("--store", help="TARGET is the store_id of a store with its own lease.")]


@command
def lease(target: Target = "", store: OfStore = False) -> None:
    """Show who holds the lease of a target, and since when. Without a name, list all leases."""
    if not target:
        rows = list(_current_leases())
        console().print(table(("target", "holder"), rows) if rows else "No target has a lease.")
        return
    name = _lease_name(target, store)
    with closing(RedisLeases(**redis_options())) as leases:
        holder = leases.holder(name)
    echo(holder or _no_lease(lease_arguments(name)))


@command
def lock(
    target: Target,
    reason: Annotated[str, typer.Option(help="Reason, shown to others.")],
    by: Annotated[str, typer.Option(help="Who locks it. Default: the host and the process.")] = "",
    store: OfStore = False,
    force: Annotated[bool, typer.Option("--force", help="Lock a target that no store or saved diff names.")] = False,
) -> None:
    """Lock a target for maintenance: no sync changes it until `unlock`."""
    name = _lease_name(target, store)
    warning = _unknown_target(target if store else lease_arguments(name), is_store=store)
    if warning and not force:
        echo_error(f"{warning} Nothing was locked. If the name is right, add --force.")
        raise typer.Exit(1)
    with closing(RedisLeases(**redis_options())) as leases:
        holder = leases.lock(name, reason, owner=by)
    echo(f"Locked by {holder}. Unlock it with `diffsync-store unlock {lease_arguments(name)}`.")


@command
def unlock(
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    store: OfStore = False,
) -> None:
    """Remove a maintenance lock, or the lease of a process that does not release it."""
    name = _lease_name(target, store)
    with closing(RedisLeases(**redis_options())) as leases:
        holder = leases.holder(name)
        if holder is None:
            echo(_no_lease(lease_arguments(name)))
            return
        echo(holder)
        if not yes:
            confirm("Make sure that this process no longer changes the target. Remove its lease?")
        leases.break_lease(name)
    echo("Unlocked.")


def _lease_name(target: str, is_store: bool) -> str:
    """Return the name of the lease of a store, or of an adapter. `target` may also be the name of an adapter's lease."""
    if is_store:
        return target
    known = known_targets(**redis_options()) if "-" in target else []
    named = [adapter for adapter in known if target in {adapter, target_lease(adapter)}]
    return target_lease(target if target in named or not named else named[0])


def _current_leases() -> Iterator[tuple[str, Holder]]:
    """Yield the leases of known targets and stores, by the name that the commands take."""
    redis = redis_options()
    names = [*map(target_lease, known_targets(**redis)), *known_stores(**redis)]
    with closing(RedisLeases(**redis)) as leases:
        for name, holder in leases.holders(names):
            yield lease_arguments(name), holder


def _no_lease(target: str) -> str:
    current = [name for name, _ in _current_leases()]
    leases = f"Current leases: {', '.join(current)}." if current else "No known target has a lease."
    return f"Nobody holds the lease of {target}.{suggestion([target], current)} {leases}"


def _unknown_target(target: str, *, is_store: bool) -> str:
    """Return a warning that no store or saved diff has this name; empty if one has."""
    known = known_stores(**redis_options()) if is_store else known_targets(**redis_options())
    if target in known:
        return ""
    hint = suggestion([target], known)
    if is_store:
        return f"No store {target!r}.{hint} `diffsync-store stores` lists the stores."
    names = f"Known adapters: {', '.join(known)}." if known else "No store has been loaded yet."
    return f"No store or saved diff belongs to an adapter {target!r}.{hint} {names}"
