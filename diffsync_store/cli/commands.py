"""The commands. Exit codes: 0 fine, 1 an error, 2 wrong usage, 3 differences (`diff --exit-code`)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from diffsync_store.cli.formatting import console, json_line, shown, since, size, span, table
from diffsync_store.cli.leases import (
    known_diffs,
    known_stores,
    lease_of_target,
    leases_held,
    told_unheld,
    told_unknown,
)
from diffsync_store.cli.render import (
    ACTIONS,
    json_of,
    json_of_operation,
    outcome_of,
    show_changes,
    show_diff,
    show_past,
    show_store,
    told_without_past,
)
from diffsync_store.cli.suggestions import meant
from diffsync_store.cli.version import Version
from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.enum import OperationState
from diffsync_store.exceptions import DiffNotFound, ObjectStoreException, StoreNotFound, StoreUnavailable
from diffsync_store.operation import OperationFilter
from diffsync_store.retention import drop_diff, drop_store
from diffsync_store.store.redis.catalog import RedisStores
from diffsync_store.store.redis.connection.client import address_in
from diffsync_store.store.redis.leases import RedisLeases, in_a_command
from diffsync_store.store.redis.store import RedisStore
from diffsync_store.stored_adapter import StoredAdapter

HAS_CHANGES = 3
_FIRST = 50
_GOES_ON = (
    "It goes on by itself where `diffsync-flows resume --every 10` runs; else run `diffsync-flows resume` once, with the project's "
    "YAML file and PREFECT_API_URL."
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Look into the stores and saved diffs of a Redis. Exit codes: 0 fine, 1 an error, 2 wrong usage, "
    "3 differences (diff --exit-code).",
)
C = TypeVar("C", bound=Callable[..., Any])
Target = Annotated[str, typer.Argument(help="Name of the target's adapter.")]
OfStore = Annotated[
    bool, typer.Option("--store", help="TARGET is the store_id of a store that has a lease of its own.")
]


class _Redis:
    """The URL and the namespace that were given, until a command needs them."""

    url = ""
    namespace = ""

    @classmethod
    def where(cls) -> dict[str, Any]:
        """As arguments of what reads and writes there."""
        return {"url": cls.url, "namespace": cls.namespace}


@app.callback()
def _connect(
    url: Annotated[
        str,
        typer.Option(
            envvar="DIFFSYNC_STORE_URL",
            show_default=False,
            help="redis://user@host:6379/0. Everybody on the machine can see a password that stands in a command: "
            "give it in the variable, or in a file.",
        ),
    ] = "",
    url_file: Annotated[Path | None, typer.Option(help="A file that holds the URL.")] = None,
    namespace: Annotated[
        str,
        typer.Option(
            envvar="DIFFSYNC_STORE_NAMESPACE",
            show_default=False,
            help="Namespace of the stores and diffs: the `project` of the flows' file, unless that is `diffsync`.",
        ),
    ] = "",
    _: Version = False,
) -> None:
    if url_file is not None:
        try:
            url = url_file.read_text("utf-8").strip()
        except OSError as error:
            raise typer.BadParameter(f"{url_file} cannot be read: {error.strerror}") from None
    _Redis.url, _Redis.namespace = url, namespace


def _command(function: C) -> C:
    """A command whose errors are one line."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not _Redis.url:
            typer.echo("Which Redis? Set DIFFSYNC_STORE_URL, or give --url or --url-file.", err=True)
            raise typer.Exit(2)
        try:
            return function(*args, **kwargs)
        except (ObjectStoreException, ValueError) as error:
            typer.echo(shown(f"{error}{_what_to_do(error, kwargs.values())}").plain, err=True)
            raise typer.Exit(1) from None
        except BrokenPipeError:  # the reader of a pipe has seen enough
            sys.stderr.close()
            raise typer.Exit(0) from None

    app.command()(run)
    return function


def _what_to_do(error: Exception, given: Iterable[Any]) -> str:
    """What somebody at a terminal can do who has met the error, where it does not say so itself.

    Args:
        error: what was met.
        given: the command's arguments.
    """
    if isinstance(error, StoreUnavailable):
        return (
            f" It is {address_in(_Redis.url)}: see that it runs and that {socket.gethostname()} reaches it, or name another "
            "one in DIFFSYNC_STORE_URL, with --url or with --url-file."
        )
    if isinstance(error, StoreNotFound | DiffNotFound):
        words = [word for word in given if isinstance(word, str) and word]
        guess = meant(words, [*known_stores(_Redis.where()), *known_diffs(_Redis.where())]).removeprefix(";")
        lists = " `diffsync-store stores` lists the stores that are there, `diffsync-store diffs` the saved diffs."
        lists += "" if _Redis.namespace else " Those of a project of its own: `diffsync-store --namespace PROJECT`."
        return f"{guess}.{lists}" if guess else lists
    return ""


@contextmanager
def _diffs() -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(**_Redis.where())) as diffs:
        yield diffs


@_command
def stores(
    limit: Annotated[int, typer.Option(min=1, help="Most of them.")] = 50,
    adapter: Annotated[str, typer.Option(help="Those of this adapter only.")] = "",
) -> None:
    """List the stores, the one that was written last first."""
    with closing(RedisStores(**_Redis.where())) as found:
        every = list(found.list())
        records = [record for record in every if not adapter or record.name == adapter]
        rows = [
            (
                record.store_id,
                record.name,
                record.state.value,
                sum(record.counts.values()),
                since(record.updated),
                span(found.expires_in(record.store_id)),
                size(found.memory(record)),
            )
            for record in records[:limit]
        ]
    if not rows:
        guess = meant([adapter], (record.name for record in every)) if adapter else ""
        typer.echo(shown(f"There is no store{f' of {adapter}' if adapter else ''}{guess}.").plain, err=True)
        return
    console().print(table(("store_id", "adapter", "state", "objects", "written", "expires in", "memory"), rows))
    _rest(len(records), limit)


@_command
def diffs(
    limit: Annotated[int, typer.Option(min=1, help="Most of them.")] = 50,
) -> None:
    """List the saved diffs, the newest first."""
    with _diffs() as found:
        records = list(found.list())
        rows = [
            (
                record.diff_id,
                f"{record.source_name} → {record.target_name}",
                *(record.summary.get(action, 0) for action in ACTIONS),
                outcome_of(found.saved(record)),
                since(record.created),
            )
            for record in records[:limit]
        ]
    if not rows:
        typer.echo("There is no saved diff.", err=True)
        return
    console().print(table(("diff_id", "source → target", *ACTIONS, "became", "made"), rows))
    _rest(len(records), limit)


def _rest(total: int, limit: int) -> None:
    if total > limit:
        typer.echo(f"{limit} of {total}; --limit {total} shows all.")


@_command
def show(name: Annotated[str, typer.Argument(metavar="STORE_ID|DIFF_ID")]) -> None:
    """Show what a store or a saved diff says of itself."""
    with _diffs() as found, _named_store_or_diff(name):
        try:
            saved = found.open(name)
        except DiffNotFound:
            _show_store(name)
        else:
            show_diff(saved, found.expires_in(name))


@contextmanager
def _named_store_or_diff(name: str) -> Iterator[None]:
    try:
        yield
    except StoreNotFound:
        raise StoreNotFound(
            f"There is neither a store nor a saved diff {name!r}: it was never made, was dropped, or expired."
        ) from None


def _show_store(store_id: str) -> None:
    with closing(RedisStores(**_Redis.where())) as found:
        show_store(found.record(store_id), found.expires_in(store_id))


@_command
def diff(
    source: Annotated[str, typer.Argument(help="store_id of the side that is right.")],
    target: Annotated[str, typer.Argument(help="store_id of the side that would be changed.")],
    save: Annotated[bool, typer.Option("--save", help="Keep it, and print its diff_id.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 3 where something differs.")] = False,
) -> None:
    """Compare two stores."""
    with _diffs() as found:
        with (
            closing(RedisStore(store_id=source, **_Redis.where())) as of_source,
            closing(RedisStore(store_id=target, **_Redis.where())) as of_target,
        ):
            name = found.compare(StoredAdapter(of_source), StoredAdapter(of_target))
        saved = found.open(name)
        if saved.record.operations:
            show_changes(saved.operations(limit=_FIRST))
        if saved.record.operations > _FIRST:
            typer.echo(f"The first {_FIRST}; --save keeps the diff, and `diffsync-store changes` pages through it.")
        typer.echo(", ".join(f"{saved.record.summary.get(action, 0):,} {action}" for action in ACTIONS))
        if save:
            typer.echo(f"diff_id: {name}")
        else:
            saved.drop()
    if exit_code and saved.record.operations:
        raise typer.Exit(HAS_CHANGES)


@_command
def changes(
    diff_id: str,
    *,
    start: Annotated[int, typer.Option(min=0, help="The first to show, from 0.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="Most of them.")] = 50,
    model: Annotated[str, typer.Option(help="Of this model only.")] = "",
    action: Annotated[Literal["", "create", "update", "delete"], typer.Option(help="Of this kind only.")] = "",
    unique_id: Annotated[str, typer.Option("--id", help="Of the object with this unique id only; needs --model.")] = "",
    state: Annotated[OperationState | None, typer.Option(help="Of which this has become only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Page through the operations of a saved diff."""
    if unique_id and not model:
        raise typer.BadParameter("--id needs --model: objects of two models may have the same id")
    chosen = OperationFilter(model, action, unique_id)
    with _diffs() as found:
        saved = found.open(diff_id)
        found_now = list(saved.operations(start, limit + 1, chosen=chosen, state=state))
    page = found_now[:limit]
    if as_json:
        for operation in page:
            typer.echo(json_line(json_of_operation(operation)))
        return
    if not page:
        typer.echo(f"Nothing of the {saved.record.operations:,} operations fits.", err=True)
        return
    show_changes(page)
    if len(found_now) > limit:
        of = "" if state or chosen != OperationFilter() else f" of {saved.record.operations:,}"
        typer.echo(f"{start} to {start + limit - 1}{of}; --start {start + limit} shows the next.")


@_command
def history(
    model: Annotated[str, typer.Argument(help="Name of the model, as `show` and `changes` have it.")],
    unique_id: Annotated[str, typer.Argument(help="Of the object, as `changes` shows it.")],
    *,
    limit: Annotated[int, typer.Option(min=1, help="Most of them.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Show what became of one object over the runs: in the saved diffs that are still there, the newest first."""
    with _diffs() as found:
        past = list(islice(found.history(model, unique_id), limit))
        hint = "" if past else told_without_past(found.list(), model, unique_id)
    if hint:
        typer.echo(shown(hint).plain, err=True)
    elif as_json:
        for one in past:
            typer.echo(json_line(json_of(one)))
    else:
        show_past(past)


@_command
def drop(
    name: Annotated[str, typer.Argument(metavar="STORE_ID|DIFF_ID")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what is in use.")] = False,
) -> None:
    """Drop a store or a saved diff; refuses what is in use."""
    if not yes:
        typer.confirm(f"Drop {name}?", abort=True)
    with _diffs() as found, _named_store_or_diff(name):
        try:
            saved = found.open(name)
        except DiffNotFound:
            drop_store(name, force=force, **_Redis.where())
        else:
            drop_diff(saved, force=force)
    typer.echo(f"Dropped {name}.")


@_command
def lease(target: Target = "", store: OfStore = False) -> None:
    """Show who holds the lease of a target, and since when. Without a name, list all leases."""
    if not target:
        rows = [(name, told) for name, told in leases_held(_Redis.where())]
        console().print(table(("target", "holder"), rows) if rows else "No target has a lease.")
        return
    with closing(RedisLeases(**_Redis.where())) as leases:
        name = _lease_name(target, store)
        holder = leases.holder(name)
    typer.echo(shown(holder or told_unheld(_Redis.where(), in_a_command(name))).plain)


@_command
def lock(
    target: Target,
    reason: Annotated[str, typer.Option(help="Reason, shown to others.")],
    by: Annotated[str, typer.Option(help="Who locks it; the host and process by default.")] = "",
    store: OfStore = False,
    force: Annotated[bool, typer.Option("--force", help="Lock a target that no store or saved diff names.")] = False,
) -> None:
    """Lock a target for maintenance: no sync changes it until `unlock`."""
    name = _lease_name(target, store)
    doubt = told_unknown(_Redis.where(), target if store else in_a_command(name), is_store=store)
    if doubt and not force:
        typer.echo(shown(f"{doubt} Nothing was locked. If the name is right, add --force.").plain, err=True)
        raise typer.Exit(1)
    with closing(RedisLeases(**_Redis.where())) as leases:
        holder = leases.lock(name, reason, owner=by)
    typer.echo(shown(f"Locked by {holder}. Unlock it with `diffsync-store unlock {in_a_command(name)}`.").plain)


@_command
def unlock(
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    store: OfStore = False,
) -> None:
    """Remove a maintenance lock, or the lease of a process that does not release it."""
    name = _lease_name(target, store)
    with closing(RedisLeases(**_Redis.where())) as leases:
        holder = leases.holder(name)
        if holder is None:
            typer.echo(shown(told_unheld(_Redis.where(), in_a_command(name))).plain)
            return
        typer.echo(shown(holder).plain)
        if not yes:
            typer.confirm("Make sure that this process no longer changes the target. Remove its lease?", abort=True)
        leases.break_lease(name)
    typer.echo("Unlocked.")


def _lease_name(target: str, is_store: bool) -> str:
    return target if is_store else lease_of_target(_Redis.where(), target)


@_command
def approve(
    diff_id: str,
    by: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why, or the number of a change.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="The other way round: it is not to be applied.")] = False,
) -> None:
    """Approve a saved diff as it is now. A flow run that waits for it goes on by `diffsync-flows resume`."""
    with _diffs() as found:
        saved = found.open(diff_id)
        _ = saved.reject(by=by, reason=reason) if reject else saved.approve(by=by, reason=reason)
        waiting = [*saved.journal().questions().values()]
    typer.echo(f"{'Rejected' if reject else 'Approved'}: {saved.record.operations:,} operations.")
    for question in waiting:
        link = f" ({question.link})" if question.link else ""
        typer.echo(shown(f"Waiting for it: {question.by}{link}. {_GOES_ON}").plain)


@_command
def resolve(
    diff_id: str,
    operation_id: Annotated[str, typer.Argument(help="As `changes --state sent --json` shows it.")],
    is_done: Annotated[bool, typer.Option("--done/--not-done", help="What a look at the target has shown.")],
) -> None:
    """Say what became of an operation that was sent, and of which nobody can tell whether it was done."""
    with _diffs() as found:
        found.open(diff_id).resolve(operation_id, is_done=is_done)
    typer.echo(f"{operation_id} is {'done' if is_done else 'pending'}.")
