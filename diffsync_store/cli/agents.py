"""Apply a diff with several processes, and the command `agents`."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.agents import Agent
from diffsync_store.cli.agents_view import agents_table, progress_of, round_json
from diffsync_store.cli.app import command, echo, echo_error, echo_lines, open_diffs
from diffsync_store.cli.applying import Applying
from diffsync_store.cli.connection import Connection, Context, open_context
from diffsync_store.cli.formatting import console, escape_json
from diffsync_store.cli.library_log import silence_library_log
from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.result import SyncResult
from diffsync_store.runs import SyncRequest

_LEASE_SECONDS = 10.0
"""How long the claim of a killed process lasts, before another one continues its work."""


@dataclass(frozen=True)
class _Start:
    """What a further process needs; it is passed through a pipe, so that no other user of the machine can read it."""

    file: Path
    url: str
    namespace: str | None
    request: SyncRequest
    by: str
    wait: int
    must_approve: bool
    of: int
    group: str


def apply_together(
    context: Context, request: SyncRequest, by: str, wait: int, *, must_approve: bool, number: int
) -> SyncResult:
    """Apply a diff with this process and further ones; other commands may join.

    Args:
        context: the project.
        request: which operations to apply.
        by: who applies them.
        wait: seconds to wait for another sync of the target.
        must_approve: refuse a diff that is not approved.
        number: number of processes.
    """
    group = f"{by} {os.getpid()} {os.urandom(4).hex()}" if number > 1 else ""
    path = context.project.path.absolute()
    start = _Start(path, Connection.url, Connection.namespace, request, by, wait, must_approve, number, group)
    agent = replace(_agent(start), leads=number > 1)
    with _more_processes(start) as terminate:
        result = Applying(context, request, by, wait, agent).run(must_approve=must_approve)
        if result.stopped:
            terminate()
    return context.diffs().open(request.diff_id).result_of_all(result, agent)


def _agent(start: _Start) -> Agent:
    of = max(start.of, 4)  # others may join
    return Agent(name=f"{start.by}:{os.getpid()}", of=of, group=start.group, lease=_LEASE_SECONDS)


@contextmanager
def _more_processes(start: _Start) -> Iterator[Callable[[], None]]:
    """Run the other processes while the body applies the diff; yield a function that ends them. An error of the body ends them too."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_run, args=(start,), name=f"agent {number}") for number in range(2, start.of + 1)]

    def terminate() -> None:
        for process in processes:
            process.terminate()

    for process in processes:
        process.start()
    try:
        yield terminate
    except BaseException:
        terminate()
        raise
    finally:
        for process in processes:
            process.join()


def _run(start: _Start) -> None:
    """Apply the diff in a further process. What it has done is in Redis; its errors are printed."""
    silence_library_log()
    Connection.url, Connection.namespace = start.url, start.namespace
    try:
        with redirect_stdout(sys.stderr), open_context(start.file) as context:
            applying = Applying(context, start.request, start.by, start.wait, _agent(start))
            applying.run(must_approve=start.must_approve, shows_progress=False)
    except typer.Exit:
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  # the process ends here
        echo_lines(error, "" if isinstance(error, EXPECTED_ERRORS) else f"{type(error).__name__}: {error}")
        sys.exit(1)


@command
def agents(
    diff_id: str, *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False
) -> None:
    """Show the processes that apply a saved diff together: state, progress, and what each works on."""
    with open_diffs() as saved_diffs:
        saved = saved_diffs.open(diff_id)
        found = saved.round()
        if found is None:
            echo_error("No agents: one process has applied this diff, or nobody.")
        elif as_json:
            echo(escape_json(json.dumps({"diff_id": diff_id} | round_json(saved, found), ensure_ascii=False)))
        else:
            console().print(progress_of(found), agents_table(saved, found), sep="\n")
