"""The output of the commands: results to stdout, errors to stderr."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

from diffsync_flows.prefect_api import translated_api_errors
from diffsync_flows.runtime.error_handling import error_message
from diffsync_store import ObjectStoreException
from diffsync_store.printable import printable_lines
from diffsync_store.project import UserError

PAGE_WIDTH = 120
"""Width of a rendered page that is written to a file or a pipe."""

console = Console(highlight=False, soft_wrap=True)
pages = Console(width=None if sys.stdout.isatty() else PAGE_WIDTH)


@contextmanager
def reporting_errors() -> Iterator[None]:
    """End the command with one plain sentence for an error that a person can fix."""
    try:
        yield
    except (ObjectStoreException, UserError) as error:
        fail([error_message(error)])


@contextmanager
def using_prefect() -> Iterator[None]:
    """Like `reporting_errors`, for a command that calls Prefect's API."""
    with reporting_errors(), translated_api_errors():
        yield


def fail(messages: Iterable[str]) -> NoReturn:
    """Print the messages to stderr and exit with 1."""
    print_error(*messages)
    raise typer.Exit(1)


def print_error(*lines: str) -> None:
    for line in lines:
        typer.echo(printable_lines(line), err=True)
