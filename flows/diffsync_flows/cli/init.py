"""`diffsync-flows init`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from diffsync_flows.cli.output import console, fail
from diffsync_flows.scaffold import project_files, write_files
from diffsync_store.project import UserError

NEXT = """
Next, with a Redis and a Prefect server running:
  cd {folder} && cp .env.example .env && set -a && . ./.env && set +a
  diffsync-flows check
  diffsync-flows deploy"""


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project; it is created if needed.")] = Path(),
) -> None:
    """Write a small project that works: syncs.yaml, adapters, prefect.yaml and .env.example. Existing files are kept."""
    place = folder.absolute()
    texts = project_files(place)
    try:
        write_files(place, texts)
    except UserError as error:
        fail([str(error)])
    for name in texts:
        console.print(f"wrote {folder / name}", markup=False)
    console.print(NEXT.format(folder=shlex.quote(str(folder))), markup=False)
