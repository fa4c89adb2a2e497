"""The Typer application: the connection to Redis, and commands whose errors are one line."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from diffsync_store.cli.catalog import known_diffs, known_stores
from diffsync_store.cli.formatting import one_line
from diffsync_store.cli.suggestions import suggestion
from diffsync_store.cli.version import Version
from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.exceptions import DiffNotFound, ObjectStoreException, StoreNotFound, StoreUnavailable
from diffsync_store.store.redis.connection.client import address_in

C = TypeVar("C", bound=Callable[..., Any])
Limit = Annotated[int, typer.Option(min=1, help="Maximum rows to show.")]
StoreOrDiff = Annotated[str, typer.Argument(metavar="STORE_ID|DIFF_ID")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Inspect and manage the stores and saved diffs in Redis. Exit codes: 0 success, 1 error, 2 wrong usage, "
    "3 differences (`diff --exit-code`).",
)


class _Redis:
    """The options that select the Redis and the namespace."""

    url = ""
    namespace = ""


def redis_options() -> dict[str, Any]:
    """Return the URL and the namespace as keyword arguments of stores, diffs and leases."""
    return {"url": _Redis.url, "namespace": _Redis.namespace}


@app.callback()
def _select_redis(
    url: Annotated[
        str,
        typer.Option(
            envvar="DIFFSYNC_STORE_URL",
            show_default=False,
            help="URL of the Redis: redis://user@host:6379/0. Other users of the machine can read a password in a command "
            "line: set the variable, or use --url-file.",
        ),
    ] = "",
    url_file: Annotated[Path | None, typer.Option(help="File with the URL.")] = None,
    namespace: Annotated[
        str,
        typer.Option(
            envvar="DIFFSYNC_STORE_NAMESPACE",
            show_default=False,
            help="Namespace of the stores and diffs: the `project` of the YAML file. Omit it for the project `diffsync`.",
        ),
    ] = "",
    _: Version = False,
) -> None:
    if url_file is not None:
        try:
            url = url_file.read_text("utf-8").strip()
        except OSError as error:
            raise typer.BadParameter(f"{url_file} cannot be read: {error.strerror}") from None
    _Redis.url, _Redis.namespace = url, namespace


def command(function: C) -> C:
    """Register a command that prints an error of the library as one line and exits with 1."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not _Redis.url:
            echo_error("No Redis URL. Set DIFFSYNC_STORE_URL, or use --url or --url-file.")
            raise typer.Exit(2)
        try:
            return function(*args, **kwargs)
        except (ObjectStoreException, ValueError) as error:
            echo_error(f"{error}{_remedy(error, kwargs.values())}")
            raise typer.Exit(1) from None
        except BrokenPipeError:  # the reader of the pipe has ended
            sys.stderr.close()
            raise typer.Exit(0) from None

    app.command()(run)
    return function


def _remedy(error: Exception, arguments: Iterable[Any]) -> str:
    """Return advice to append to the message of an error; empty if the message has it."""
    if isinstance(error, StoreUnavailable):
        return (
            f" The URL is {address_in(_Redis.url)}: check that Redis runs and that {socket.gethostname()} can reach it, or set "
            "another URL in DIFFSYNC_STORE_URL, --url or --url-file."
        )
    if isinstance(error, StoreNotFound | DiffNotFound):
        words = [word for word in arguments if isinstance(word, str) and word]
        hint = suggestion(words, [*known_stores(**redis_options()), *known_diffs(**redis_options())])
        namespace = (
            "" if _Redis.namespace else " For the stores of another project, use `diffsync-store --namespace PROJECT`."
        )
        return f"{hint} `diffsync-store stores` lists the stores, `diffsync-store diffs` the saved diffs.{namespace}"
    return ""


def echo(message: Any) -> None:
    """Print a message with control characters escaped."""
    typer.echo(one_line(message))


def echo_error(message: Any) -> None:
    """Print a message to standard error with control characters escaped."""
    typer.echo(one_line(message), err=True)


def echo_omitted(total: int, limit: int) -> None:
    """Print how many rows of a table were omitted, if any."""
    if total > limit:
        echo(f"{limit} of {total} rows. Show all with --limit {total}.")


@contextmanager
def open_diffs() -> Iterator[RedisDiffs]:
    """Open the saved diffs of the selected Redis."""
    with closing(RedisDiffs(**redis_options())) as diffs:
        yield diffs
