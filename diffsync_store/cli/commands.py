"""The commands. Exit codes: 0 fine, 1 an error, 2 wrong usage, 3 differences (`diff --exit-code`)."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from diffsync_store.cli.output import console, json_line, shown, since, size, span, table
from diffsync_store.cli.targets import leases_held, told_unheld, told_unknown
from diffsync_store.enum import OperationState
from diffsync_store.exceptions import DiffNotFound, ObjectStoreException, StoreNotFound, StoreUnavailable
from diffsync_store.operation import Chosen, Operation
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis_client import address_in
from diffsync_store.store.redis_diffs import DiffRecord, RedisDiffs, SavedDiff
from diffsync_store.store.redis_lease import RedisLeases, in_a_command, target_lease
from diffsync_store.store.redis_stores import RedisStores
from diffsync_store.store.retention import drop_diff, drop_store
from diffsync_store.stored import StoredAdapter

ACTIONS = ("create", "update", "delete")
HAS_CHANGES = 3

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
    """The URL that was given, until a command needs it."""

    url = ""


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
) -> None:
    if url_file is not None:
        try:
            url = url_file.read_text("utf-8").strip()
        except OSError as error:
            raise typer.BadParameter(f"{url_file} cannot be read: {error.strerror}") from None
    _Redis.url = url


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
            typer.echo(shown(f"{error}{_what_to_do(error)}").plain, err=True)
            raise typer.Exit(1) from None
        except BrokenPipeError:  # the reader of a pipe has seen enough
            sys.stderr.close()
            raise typer.Exit(0) from None

    app.command()(run)
    return function


def _what_to_do(error: Exception) -> str:
    """What somebody at a terminal can do who has met the error, where it does not say so itself."""
    if isinstance(error, StoreUnavailable):
        return (
            f" It is {address_in(_Redis.url)}: see that it runs and that {socket.gethostname()} reaches it, or name another "
            "one in DIFFSYNC_STORE_URL, with --url or with --url-file."
        )
    if isinstance(error, StoreNotFound | DiffNotFound):
        return " `diffsync-store stores` lists the stores that are there, `diffsync-store diffs` the saved diffs."
    return ""


@contextmanager
def _diffs() -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(url=_Redis.url)) as diffs:
        yield diffs


@_command
def stores(
    limit: Annotated[int, typer.Option(min=1, help="Most of them.")] = 50,
    adapter: Annotated[str, typer.Option(help="Those of this adapter only.")] = "",
) -> None:
    """List the stores, the one that was written last first."""
    with closing(RedisStores(url=_Redis.url)) as found:
        records = [record for record in found.list() if not adapter or record.name == adapter]
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
                _outcome(found, record),
                since(record.created),
            )
            for record in records[:limit]
        ]
    console().print(table(("diff_id", "", *ACTIONS, "", "made"), rows))
    _rest(len(records), limit)


def _rest(total: int, limit: int) -> None:
    if total > limit:
        typer.echo(f"{limit} of {total}; --limit {total} shows all.")


def _outcome(found: RedisDiffs, record: DiffRecord) -> str:
    journal = found.saved(record).journal()
    if journal.application() is not None:
        return "applied"
    if not journal.is_empty():
        return "applied in part"
    approval = journal.approval()
    return "" if approval is None else "rejected" if approval.is_rejected else "approved"


@_command
def show(name: Annotated[str, typer.Argument(metavar="STORE_ID|DIFF_ID")]) -> None:
    """Show what a store or a saved diff says of itself."""
    with _diffs() as found, _named_store_or_diff(name):
        try:
            saved = found.open(name)
        except DiffNotFound:
            _show_store(name)
        else:
            _show_diff(saved)


@contextmanager
def _named_store_or_diff(name: str) -> Iterator[None]:
    try:
        yield
    except StoreNotFound:
        raise StoreNotFound(
            f"There is neither a store nor a saved diff {name!r}: it was never made, was dropped, or expired."
        ) from None


def _show_store(store_id: str) -> None:
    with closing(RedisStore(store_id=store_id, url=_Redis.url)) as store:
        record = store.record()
    lines = [
        ("store", record.store_id),
        ("adapter", f"{record.name} ({record.adapter})"),
        ("state", f"{record.state.value}{f': {record.reason}' if record.reason else ''}"),
        ("begun", f"{record.created:%Y-%m-%d %H:%M:%S} UTC"),
        ("written", f"{record.updated:%Y-%m-%d %H:%M:%S} UTC by {record.writer}"),
    ]
    console().print(table(("", ""), lines), table(("model", "objects"), record.counts.items()), sep="\n\n")
    for model, gap in record.gaps.items():
        for reason in gap.reasons:
            console().print(shown(f"missing of {model}: {reason}"))


def _show_diff(saved: SavedDiff) -> None:
    record, journal = saved.record, saved.journal()
    lines = [
        ("diff", record.diff_id),
        (
            "from, to",
            f"{record.source_name} ({record.source_store_id}) → {record.target_name} ({record.target_store_id})",
        ),
        ("made", f"{record.created:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    if approval := journal.approval():
        verb = "rejected" if approval.is_rejected else "approved"
        lines.append((verb, f"by {approval.by} at {approval.at:%Y-%m-%d %H:%M:%S} UTC: {approval.reason}"))
        lines.extend(("left out", str(excluded)) for excluded in approval.excluded)
    if applied := journal.application():
        lines.append(("applied", f"by {applied.by} at {applied.at:%Y-%m-%d %H:%M:%S} UTC"))
    rows = [(model, *(counts.get(action, 0) for action in ACTIONS)) for model, counts in record.by_model.items()]
    console().print(table(("", ""), lines), table(("model", *ACTIONS), rows), sep="\n\n")
    for hold in record.holds:
        console().print(shown(str(hold)))


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
            closing(RedisStore(store_id=source, url=_Redis.url)) as of_source,
            closing(RedisStore(store_id=target, url=_Redis.url)) as of_target,
        ):
            name = found.compare(StoredAdapter(of_source), StoredAdapter(of_target))
        saved = found.open(name)
        _print_changes(saved.operations(limit=50))
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
    chosen = Chosen(model, action, unique_id)
    with _diffs() as found:
        saved = found.open(diff_id)
        found_now = list(saved.operations(start, limit + 1, chosen=chosen, state=state))
    page = found_now[:limit]
    if as_json:
        for operation in page:
            typer.echo(json_line(operation.model_dump_json()))
        return
    _print_changes(iter(page))
    if len(found_now) > limit:
        of = "" if state or chosen != Chosen() else f" of {saved.record.operations:,}"
        typer.echo(f"{start} to {start + limit - 1}{of}; --start {start + limit} shows the next.")


def _print_changes(operations: Iterator[Operation]) -> None:
    rows = []
    for operation in operations:
        found = operation.changes()
        old, new = found.get("-", {}), found.get("+", {})
        told = ", ".join(
            f"{name}: " + " → ".join(json.dumps(side[name], ensure_ascii=False) for side in (old, new) if name in side)
            for name in {**old, **new}
        )
        rows.append((operation.action, operation.model, operation.unique_id or operation.name, told))
    console().print(table(("", "model", "unique id", "changes"), rows))


@_command
def history(model: str, unique_id: str) -> None:
    """Show what the saved diffs that are still there have done to one object, the newest first."""
    with _diffs() as found:
        rows = []
        for record, operation, entry in found.history(model, unique_id):
            made = f"{record.created:%Y-%m-%d %H:%M}"
            old_new = json.dumps(operation.changes(), ensure_ascii=False)
            rows.append((made, record.diff_id, operation.action, entry.state.value, entry.reason, old_new))
    console().print(table(("made", "diff_id", "", "state", "reason", "changes"), rows))


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
            drop_store(_Redis.url, name, force=force)
        else:
            drop_diff(saved, force=force)
    typer.echo(f"Dropped {name}.")


@_command
def lease(target: Target = "", store: OfStore = False) -> None:
    """Show who has the lease of a target, and since when; without a name, everything that is held."""
    if not target:
        rows = [(name, told) for name, told in leases_held(_Redis.url)]
        console().print(table(("target", "held by"), rows) if rows else "Nothing is held.")
        return
    with closing(RedisLeases(url=_Redis.url)) as leases:
        name = _lease_name(target, store)
        holder = leases.holder(name)
    typer.echo(shown(holder or told_unheld(_Redis.url, in_a_command(name))).plain)


@_command
def hold(
    target: Target,
    reason: Annotated[str, typer.Option(help="What for, for others to read.")],
    by: Annotated[str, typer.Option(help="Who.")] = "",
    store: OfStore = False,
) -> None:
    """Keep every sync from a target until `unlock`, as for maintenance."""
    if not store and (doubt := told_unknown(_Redis.url, in_a_command(target_lease(target)))):
        typer.echo(shown(doubt).plain, err=True)
    name = _lease_name(target, store)
    with closing(RedisLeases(url=_Redis.url)) as leases:
        held = leases.hold(name, reason, owner=by)
    typer.echo(shown(f"Held by {held}. `diffsync-store unlock {in_a_command(name)}` ends it.").plain)


@_command
def unlock(
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    store: OfStore = False,
) -> None:
    """End a hold, or the lease of a process that will not end it."""
    name = _lease_name(target, store)
    with closing(RedisLeases(url=_Redis.url)) as leases:
        holder = leases.holder(name)
        if holder is None:
            typer.echo(shown(told_unheld(_Redis.url, in_a_command(name))).plain)
            return
        typer.echo(shown(holder).plain)
        if not yes:
            typer.confirm("See that this process changes the target no more. End its lease?", abort=True)
        leases.break_lease(name)
    typer.echo("Ended.")


def _lease_name(target: str, is_store: bool) -> str:
    return target if is_store else target_lease(target)


@_command
def approve(
    diff_id: str,
    by: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why, or the number of a change.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="The other way round: it is not to be applied.")] = False,
) -> None:
    """Approve a saved diff as it is now; a flow run that waits for it is resumed by `python -m flows approve`."""
    with _diffs() as found:
        saved = found.open(diff_id)
        _ = saved.reject(by=by, reason=reason) if reject else saved.approve(by=by, reason=reason)
    typer.echo(f"{'Rejected' if reject else 'Approved'}: {saved.record.operations:,} operations.")


@_command
def settle(
    diff_id: str,
    operation_id: Annotated[str, typer.Argument(help="As `changes --state sent --json` shows it.")],
    is_done: Annotated[bool, typer.Option("--done/--not-done", help="What a look at the target has shown.")],
) -> None:
    """Say what became of an operation that was sent, and of which nobody can tell whether it was done."""
    with _diffs() as found:
        found.open(diff_id).settle(operation_id, is_done=is_done)
    typer.echo(f"{operation_id} is {'done' if is_done else 'pending'}.")
