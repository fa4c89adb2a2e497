"""The Typer application: the options of all commands, and commands whose errors are one line."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from diffsync_store.cli.catalog import known_diffs, known_stores
from diffsync_store.cli.connection import Connection, NoStore, redis_options, using_store
from diffsync_store.cli.formatting import one_line
from diffsync_store.cli.library_log import silence_library_log
from diffsync_store.cli.suggestions import suggestion
from diffsync_store.cli.version import Version
from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.exceptions import (
    DiffNotFound,
    DiffUnreadable,
    ObjectStoreException,
    StoreNotFound,
    StoreUnavailable,
)
from diffsync_store.printable import printable_lines, system_error, with_notes
from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.store.redis.connection.client import address_in

EXIT_DIFFERENCES = 3
C = TypeVar("C", bound=Callable[..., Any])
Limit = Annotated[int, typer.Option(min=1, help="Maximum rows to show.")]
StoreOrDiff = Annotated[str, typer.Argument(metavar="STORE_ID|DIFF_ID")]

File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        metavar="PATH",
        envvar="DIFFSYNC_CONFIG",
        show_default=False,
        help="YAML file of the project; by default syncs.yaml in the current folder.",
    ),
]

Traceback = Annotated[bool, typer.Option("--traceback", help="Show where an error was raised.")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Plan and apply the syncs of a YAML file; inspect and manage stores and saved diffs. Exit codes: 0 success, "
    "1 error or failed operations, 2 wrong usage, 3 differences (`--exit-code`).",
)


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
        url = _url_in(url_file)
    Connection.url, Connection.namespace = url, namespace or None


def _url_in(file: Path) -> str:
    """Return the URL in the file of `--url-file`.

    Raises:
        BadParameter: there is none.
    """
    try:
        url = file.read_text("utf-8").strip()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not a text in UTF-8") from None
    if not url:
        raise typer.BadParameter(f"{file} is empty; write the URL of the Redis into it")
    return url


def command(function: C) -> C:
    """Register a command on the stores and diffs of a Redis. It prints an error of the library as one line and exits with 1."""

    def run(*args: Any, file: Path | None, **kwargs: Any) -> Any:
        try:
            with using_store(file):
                try:
                    return function(*args, **kwargs)
                except ObjectStoreException as error:
                    add_remedy(error, kwargs.values())
                    raise
        except NoStore as error:
            echo_error(error)
            raise typer.Exit(2) from None

    return register(function, run)


def project_command(function: C, *, cls: type[TyperCommand] | None = None, group: typer.Typer | None = None) -> C:
    """Register a command that uses the YAML file, in a group of commands if one is given. It takes `file` too."""

    def run(*args: Any, traceback: bool, **kwargs: Any) -> Any:
        silence_library_log()
        try:
            return function(*args, **kwargs)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            echo_error("Interrupted. Nothing was changed.")
            raise typer.Exit(1) from None
        except Exception as error:
            if traceback:
                raise
            if isinstance(error, EXPECTED_ERRORS):
                echo_lines(error)
            else:
                echo_lines(error, f"{type(error).__name__}: {error}")
                echo_error("Use --traceback to see where it was raised.")
            raise typer.Exit(1) from None

    return register(function, run, cls=cls, traceback=Traceback, group=group)


def register(
    function: C,
    run: Callable[..., Any],
    *,
    cls: type[TyperCommand] | None = None,
    traceback: Any = None,
    group: typer.Typer | None = None,
) -> C:
    """Register a command that takes the YAML file too, and prints an expected error as one line.

    Args:
        function: has the name, the help and the options.
        run: is called with these options, `file`, and `traceback`.
        cls: the class of the command.
        traceback: the type of the option `traceback`, if there is one.
        group: the group of the command; by default it has none.
    """

    @wraps(function)
    def reporting(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except (*EXPECTED_ERRORS, ValueError) as error:
            if kwargs.get("traceback"):
                raise
            echo_lines(error)
            raise typer.Exit(1) from None
        except BrokenPipeError:  # the reader of the pipe has ended
            sys.stderr.close()
            raise typer.Exit(0) from None
        except OSError as error:
            if kwargs.get("traceback"):
                raise
            echo_error(system_error(error))
            raise typer.Exit(1) from None

    own = [each for each in signature(function, eval_str=True).parameters.values() if each.name != "file"]
    more = [Parameter("file", Parameter.KEYWORD_ONLY, default=None, annotation=File)]
    if traceback is not None:
        more.append(Parameter("traceback", Parameter.KEYWORD_ONLY, default=False, annotation=traceback))
    parameters = [*own, *more]
    reporting.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    reporting.__annotations__ = {each.name: each.annotation for each in parameters}
    (group or app).command(cls=cls)(reporting)
    return function


def add_remedy(error: ObjectStoreException, arguments: Iterable[Any]) -> None:
    """Add advice to an error, unless its message has it."""
    if isinstance(error, StoreUnavailable):
        why = Connection.why_unavailable
        error.add_note(
            why()
            if why is not None
            else f"The URL is {address_in(Connection.url)}: check that Redis runs and that {socket.gethostname()} can reach it, or set "
            "another URL in DIFFSYNC_STORE_URL, --url or --url-file."
        )
    elif isinstance(error, StoreNotFound | DiffNotFound) and not isinstance(error, DiffUnreadable):
        words = [word for word in arguments if isinstance(word, str) and word]
        hint = suggestion(words, [*known_stores(**redis_options()), *known_diffs(**redis_options())])
        namespace = (
            ""
            if Connection.namespace
            else " For the stores of another project, use `diffsync-store --namespace PROJECT`."
        )
        error.add_note(
            f"{hint.strip()} `diffsync-store stores` lists the stores, `diffsync-store diffs` the saved diffs.{namespace}".strip()
        )


def echo(message: Any) -> None:
    """Print a message with control characters escaped."""
    typer.echo(one_line(message))


def echo_error(message: Any) -> None:
    """Print a message to standard error with control characters escaped."""
    typer.echo(one_line(message), err=True)


def echo_lines(error: Exception, message: str = "") -> None:
    """Print an error, with its notes, to standard error: a line for each problem of a file."""
    typer.echo(printable_lines(with_notes(error, message)), err=True)


def echo_omitted(total: int, limit: int) -> None:
    """Print how many rows of a table were omitted, if any."""
    if total > limit:
        echo(f"{limit} of {total} rows. Show all with --limit {total}.")


@contextmanager
def open_diffs() -> Iterator[RedisDiffs]:
    """Open the saved diffs of the selected Redis."""
    with closing(RedisDiffs(**redis_options())) as diffs:
        yield diffs
