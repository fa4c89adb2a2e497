"""`diffsync-flows resume`."""

import time
from typing import Annotated

import typer
from prefect.exceptions import PrefectException

from diffsync_flows.approval.answers import resume_decided
from diffsync_flows.cli.config_file import DEFAULT_FILE, File, open_config
from diffsync_flows.cli.output import console, print_error, using_prefect
from diffsync_flows.config.config import Config
from diffsync_flows.prefect_api import translated_api_errors
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import error_message
from diffsync_store import ObjectStoreException
from diffsync_store.project import UserError


def resume(
    *,
    file: File = DEFAULT_FILE,
    every: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="Repeat after this many seconds, until interrupted."),
    ] = None,
) -> None:
    """Resume the syncs whose diffs were decided outside of Prefect, for example with `diffsync-store approve`."""
    config = open_config(file)
    if every is not None:
        _repeat(config, every)
    with using_prefect():
        _resume(config)


def _repeat(config: Config, seconds: float) -> None:
    while True:
        try:
            with translated_api_errors():
                _resume(config)
        except (UserError, ObjectStoreException, PrefectException) as error:  # it may succeed the next time
            print_error(error_message(error))
        time.sleep(seconds)


def _resume(config: Config) -> None:
    with SyncContext(config) as context:
        lines = resume_decided(context)
    for line in lines:
        console.print(line, markup=False)
