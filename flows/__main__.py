"""The Prefect project's own command: `python -m flows`."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from prefect.client.orchestration import get_client
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from diffsync_store import ObjectStoreException
from flows.approval import decide
from flows.automations import automate
from flows.config import Config, read_config
from flows.declarations import Declarations
from flows.deployments import Change, declared, deploy
from flows.prefect_yaml import prefect_yaml
from flows.yaml_file import ConfigFault

SCHEMA = Path(__file__).parents[1] / "deployments" / "syncs.schema.json"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, soft_wrap=True)


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
    by: Annotated[str, typer.Option(help="Who decides; kept with the diff.")],
    reason: Annotated[str, typer.Option(help="Why, or the number of a change; kept with the diff.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="The other way round: it is not to be applied.")] = False,
) -> None:
    """Approve a saved diff as it is now, and resume the sync that waits for it."""
    try:
        with _read().open_diffs() as diffs:
            saved = diffs.open(diff_id)
            resumed = decide(saved, by=by, comment=reason, is_approved=not reject)
    except (ObjectStoreException, ConfigFault) as error:
        _fail([str(error)])
    console.print(f"{'Rejected' if reject else 'Approved'}: {saved.record.operations:,} operations of {diff_id}.")
    for name in resumed:
        console.print(f"Resumed: {escape(name)}")
    if not resumed:
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


def _fail(faults: list[str] | tuple[str, ...]) -> NoReturn:
    for fault in faults:
        typer.echo(fault, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="python -m flows")
