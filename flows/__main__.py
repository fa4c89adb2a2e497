"""The Prefect project's own command: `python -m flows`."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer
from prefect.client.orchestration import get_client
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from diffsync_store import ObjectStoreException
from flows.approval import asked_by, decide, waiting
from flows.artifacts import review
from flows.automations import automate
from flows.config import Config, read_config
from flows.declarations import Declarations
from flows.deployments import Change, declared, deploy
from flows.failures import sentence
from flows.faults import Fault
from flows.prefect_yaml import prefect_yaml
from flows.selection import count_fitting, selected
from flows.yaml_file import ConfigFault

LEAVE_OUT = (
    'Leave these out; as patterns (*, ?, [abc]), or as a sync\'s form has it: \'{"action": "delete"}\'. Repeatable.'
)
NO_PREFECT = "Prefect's API cannot be reached: see that PREFECT_API_URL names it and that it runs."
PAGE_WIDTH = 120
SCHEMA = Path(__file__).parents[1] / "deployments" / "syncs.schema.json"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, soft_wrap=True)
pages = Console(width=None if sys.stdout.isatty() else PAGE_WIDTH)


@app.command()
def check() -> None:
    """Check the YAML file (DIFFSYNC_CONFIG): every word, class and variable in it, and whether the store is there."""
    config = _read()
    try:
        config.check()
        config.reach()
    except ConfigFault as fault:
        _fail(fault.faults)
    console.print(
        f"{config.path}: {len(config.adapters)} adapters, {len(config.syncs)} syncs, all right.", markup=False
    )


@app.command(name="deploy")
def deploy_command() -> None:
    """Create or update in Prefect (PREFECT_API_URL) what the YAML file declares; twice changes nothing."""
    with _told():
        changes = asyncio.run(_deploy(_read()))
    table = Table("", "", "", box=None, show_header=False)
    for change in changes:
        table.add_row(change.done, escape(change.name), escape(change.what))
    console.print(table)
    changed = sum(change.done != "unchanged" for change in changes)
    console.print(f"{changed} changed, {len(changes) - changed} as they were.")


@app.command()
def schema(
    write: Annotated[bool, typer.Option(help=f"Write it to {SCHEMA.name} beside the worked example.")] = False,
) -> None:
    """Print the JSON Schema of the YAML file, for editors."""
    text = schema_text()
    if write:
        SCHEMA.write_text(text, "utf-8")
    else:
        typer.echo(text, nl=False)


@app.command(name="prefect-yaml")
def prefect_yaml_command() -> None:
    """Print the same deployments as a prefect.yaml, for `prefect deploy`."""
    typer.echo(prefect_yaml(declared(_read())), nl=False)


@app.command()
def approve(
    diff_id: str,
    *,
    by: Annotated[str, typer.Option(help="Who decides; kept with the diff.")],
    reason: Annotated[
        str, typer.Option("--reason", "--comment", help="Why, or the number of a change; kept with the diff.")
    ] = "",
    exclude: Annotated[list[str] | None, typer.Option(metavar="MODEL[:UNIQUE_ID]", help=LEAVE_OUT)] = None,
    reject: Annotated[bool, typer.Option("--reject", help="The other way round: it is not to be applied.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
) -> None:
    """Show a saved diff, approve it as it is shown, and resume the sync that waits for it."""
    with _told():
        rules = tuple(map(selected, exclude or ()))
        with _read().open_diffs() as diffs:
            saved = diffs.open(diff_id)
            checksum, left_out = saved.checksum(), count_fitting(saved, rules)
            pages.print(Markdown(review(saved, asked_by(waiting(saved.record)))))
            applied = saved.record.operations - left_out
            question = "Reject it?" if reject else f"Approve {applied:,} operations, {left_out:,} left out?"
            if not yes:
                typer.confirm(question, abort=True)
            resumed = decide(
                saved, by=by, reason=reason, is_approved=not reject, checksum=checksum, exclude=() if reject else rules
            )
    told = "Rejected." if reject else f"Approved: {applied:,} operations of {diff_id}, {left_out:,} left out."
    console.print(told, markup=False)
    for name in resumed:
        console.print(f"Resumed: {escape(name)}")
    if not resumed and not reject:
        console.print("No flow run waits for it: start one with this diff_id.")


def schema_text() -> str:
    """The JSON Schema of the YAML file, as text."""
    return json.dumps(Declarations.model_json_schema(by_alias=True), indent=2) + "\n"


async def _deploy(config: Config) -> list[Change]:
    async with get_client() as client:
        return await deploy(client, config) + await automate(client, config)


def _read() -> Config:
    try:
        return read_config()
    except ConfigFault as fault:
        _fail(fault.faults)


@contextmanager
def _told() -> Iterator[None]:
    """What a person can mend is told in a sentence, and ends the command."""
    try:
        yield
    except (ObjectStoreException, Fault) as error:
        _fail([sentence(error)])
    except httpx.TransportError as error:
        _fail([f"{NO_PREFECT} ({error})"])


def _fail(faults: list[str] | tuple[str, ...]) -> NoReturn:
    for fault in faults:
        typer.echo(fault, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="python -m flows")
