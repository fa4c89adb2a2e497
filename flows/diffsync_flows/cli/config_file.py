"""The option `--file`, which every command that needs the YAML file has."""

from pathlib import Path
from typing import Annotated

import typer

from diffsync_flows.cli.output import fail
from diffsync_flows.config.config import DEFAULT_CONFIG, Config
from diffsync_store.project import ConfigError

DEFAULT_FILE = Path(DEFAULT_CONFIG)
File = Annotated[
    Path, typer.Option("--file", "-f", metavar="PATH", envvar="DIFFSYNC_CONFIG", help="YAML file to read.")
]


def open_config(file: Path) -> Config:
    """Read the file, or exit with a line for each error in it."""
    try:
        return Config(file)
    except ConfigError as error:
        fail(error.lines)
