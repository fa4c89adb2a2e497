"""All commands in one application."""

from importlib.metadata import version
from typing import Annotated

import typer

from diffsync_flows.cli.approve import approve
from diffsync_flows.cli.check import check
from diffsync_flows.cli.deploy import deploy
from diffsync_flows.cli.export import prefect_yaml, schema
from diffsync_flows.cli.init import init
from diffsync_flows.cli.resume import resume

HELP = "Deploy the syncs of a YAML file to Prefect, and approve their diffs. Exit codes: 0 success, 1 error, 2 wrong usage."

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
for command in (init, check, deploy, approve, resume, schema):
    app.command()(command)
app.command(name="prefect-yaml")(prefect_yaml)


def _print_version(is_given: bool) -> None:
    if is_given:
        typer.echo(f"diffsync-flows {version('diffsync-store')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""
