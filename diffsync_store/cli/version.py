"""The option `--version`."""

from importlib.metadata import version
from typing import Annotated

import typer


def _print(context: typer.Context, is_given: bool) -> None:
    if is_given:
        typer.echo(f"{context.info_name} {version('diffsync-store')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print, is_eager=True, help="Print the version and exit.")]
