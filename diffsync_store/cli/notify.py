"""`diffsync-store notify`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.cli.app import EXIT_DIFFERENCES, app, echo, echo_error, project_command
from diffsync_store.cli.applying import person
from diffsync_store.cli.connection import Context, open_context
from diffsync_store.notify import Notifier, stale_syncs, trial_message
from diffsync_store.project import UserError, suggestion
from diffsync_store.runs import new_id

group = typer.Typer(no_args_is_help=True, help="Notify people: try the addresses, and find stale syncs.")
app.add_typer(group, name="notify")


@partial(project_command, group=group)
def check(
    *,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if a sync is stale.")] = False,
    file: Path | None = None,
) -> None:
    """Notify people of each sync that was not in sync for longer than its `stale_after`. Run it from cron, such as hourly."""
    with open_context(file) as context:
        if not any(each.stale_after for each in context.project.syncs.values()):
            raise UserError(
                "No sync has `stale_after`. Add it to those that somebody has to watch, e.g. stale_after: 2d."
            )
        notifier = Notifier(context, warn=echo_error)
        found = list(stale_syncs(context, link=notifier.link_to()))
        for event in found:
            names = notifier.send(event)
            notified = f" Notified: {', '.join(names)}." if names else ""
            echo(f"{event.subject}: stale. {event.reason}{notified}")
    if not found:
        echo("No sync is stale.")
    if exit_code and found:
        raise typer.Exit(EXIT_DIFFERENCES)


@partial(project_command, group=group)
def test(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="An address in `notify`; all of them by default.")] = "",
    *,
    file: Path | None = None,
) -> None:
    """Send a test message to the addresses of the YAML file. Exits with 1 if one does not accept it."""
    with open_context(file) as context:
        failed = [each for each in _names(context, name) if not _try(context, each)]
    if failed:
        raise typer.Exit(1)


def _names(context: Context, name: str) -> list[str]:
    declared = context.project.declared.notify
    if name and name not in declared:
        raise UserError(f"No address {name!r} in `notify`{suggestion(name, declared, 'Declared')}")
    if not declared:
        raise UserError("The file has no `notify`. Add an address, e.g. notify: {on-call: {url: '${SLACK_URL}'}}.")
    return [name] if name else list(declared)


def _try(context: Context, name: str) -> bool:
    """Send a test message; return whether it was accepted, or cannot be sent from here."""
    notifier = Notifier(context)
    if not notifier.can_send_to(name):
        echo(f"{name}: left out, because only flows can send to a block of Prefect")
        return True
    try:
        notifier.test(name, trial_message(name, new_id(person())))
    except Exception as error:  # noqa: BLE001  # any library that sends
        echo_error(f"{name}: {context.project.secrets.redact(str(error))}")
        return False
    echo(f"{name}: sent")
    return True
