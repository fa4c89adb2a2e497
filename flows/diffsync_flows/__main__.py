"""The Prefect project's own command: `diffsync-flows`."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from diffsync_flows.approval.answers import resume_decided
from diffsync_flows.approval.pending import pending_runs, run_options
from diffsync_flows.approval.request import decide
from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config, read_config
from diffsync_flows.config.schema import Declarations
from diffsync_flows.config.yaml_source import ConfigFault
from diffsync_flows.deploy.apply import bring, find_left, put_away
from diffsync_flows.deploy.deployments import ROOT, declared
from diffsync_flows.deploy.prefect_yaml import prefect_yaml
from diffsync_flows.reporting.artifacts import review
from diffsync_flows.runtime.error_handling import error_message
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.filters import count_matching, parse_selection
from diffsync_flows.runtime.prefect_client import require_prefect, translated_api_errors
from diffsync_flows.runtime.shared_redis import other_servers, server_id
from diffsync_store import ObjectStoreException
from diffsync_store.printable import printable_lines

LEAVE_OUT = (
    'Leave these out; as patterns (*, ?, \\[abc]), or as a sync\'s form has it: \'{"action": "delete"}\'. Repeatable.'
)
NOT_IN_THE_FILE = "Not in {} any more, to be paused, or removed where it is an automation:"
NOT_PAUSED = (
    "Nothing was paused: there is no terminal to ask in. If DIFFSYNC_CONFIG names the right file, deploy again with --yes; "
    "a file that is beside another one in Prefect has a `project` of its own."
)
PAGE_WIDTH = 120
SCHEMA = Path(__file__).parents[2] / "deployments" / "syncs.schema.json"

Directory = Annotated[
    Path, typer.Option(help="Where the hosts of the workers have the flows.", show_default="this checkout")
]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, soft_wrap=True)
pages = Console(width=None if sys.stdout.isatty() else PAGE_WIDTH)


@app.command()
def check() -> None:
    """Check the YAML file (DIFFSYNC_CONFIG): every word, class and variable in it, and whether the store is there."""
    config = _read()
    try:
        check_file(config)
        config.reach()
    except ConfigFault as fault:
        _fail(fault.faults)
    _refuse_others(config)
    console.print(
        f"{config.path}: all right; adapters: {len(config.adapters)}, syncs: {len(config.syncs)}.", markup=False
    )


def _refuse_others(config: Config) -> None:
    """Where a Prefect server is named and answers, see that no other one has the same project in the same Redis."""
    if not PREFECT_API_URL.value():
        return
    try:
        found = list(other_servers(config, server_id()))
    except (httpx.HTTPError, PrefectException, ObjectStoreException):  # the file is all right without them
        return
    if found:
        _fail(found)


@app.command(name="deploy")
def deploy_command(
    *,
    directory: Directory = ROOT,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before something is paused.")] = False,
) -> None:
    """Create or update in Prefect (PREFECT_API_URL) what the YAML file declares, and pause what has left it; twice changes nothing."""
    config = _read()
    with _told(), translated_api_errors():
        workers_directory = _absolute(directory)
        require_prefect()
        left = asyncio.run(find_left(config))
        is_agreed = yes or _is_agreed(config, left.at_work)
        changes = asyncio.run(bring(config, workers_directory))
        if is_agreed:
            changes += asyncio.run(put_away(left))
    table = Table("", "", "", box=None, show_header=False)
    for change in changes:
        table.add_row(change.done, escape(change.name), escape(change.what))
    console.print(table)
    changed = sum(change.done != "unchanged" for change in changes)
    console.print(f"{changed} changed, {len(changes) - changed} as they were.")
    if not is_agreed:
        _fail([NOT_PAUSED])


def _is_agreed(config: Config, leaving: list[str]) -> bool:
    """Whether what leaves may; a person who says no ends the command before anything was changed."""
    if not leaving:
        return True
    _say(NOT_IN_THE_FILE.format(config.path), *(f"  {name}" for name in leaving))
    if not sys.stdin.isatty():
        return False
    return typer.confirm("Deploy the file, and pause these?", abort=True)


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
def prefect_yaml_command(*, directory: Directory = ROOT) -> None:
    """Print the same deployments as a prefect.yaml, for `prefect deploy`."""
    with _told():
        text = prefect_yaml(declared(_read(), _absolute(directory)))
    typer.echo(text, nl=False)


@app.command()
def approve(
    diff_id: str,
    *,
    by: Annotated[str, typer.Option(help="Who decides; kept with the diff.")],
    reason: Annotated[
        str, typer.Option("--reason", "--comment", help="Why, or the number of a change; kept with the diff.")
    ] = "",
    exclude: Annotated[list[str] | None, typer.Option(metavar="MODEL[:UNIQUE_ID]", help=LEAVE_OUT)] = None,
    reject: Annotated[bool, typer.Option("--reject", help="The other way round: it is not to be applied.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
) -> None:
    """Show a saved diff, approve it as it is shown, and resume the sync that waits for it."""
    with _told(), translated_api_errors():
        require_prefect()
        rules = tuple(map(parse_selection, exclude or ()))
        config = _read()
        project = config.declared.project
        with config.open_diffs() as diffs:
            saved = diffs.open(diff_id)
            checksum, left_out = saved.checksum(), count_matching(saved, rules)
            pages.print(Markdown(review(saved, run_options(pending_runs(saved.record, project)))))
            applied = saved.record.operations - left_out
            question = "Reject it?" if reject else f"Approve {applied:,} operations, {left_out:,} left out?"
            if not yes:
                typer.confirm(question, abort=True)
            resumed = decide(
                saved,
                project,
                by=by,
                reason=reason,
                is_approved=not reject,
                checksum=checksum,
                exclude=() if reject else rules,
            )
    told = "Rejected." if reject else f"Approved: {applied:,} operations of {diff_id}, {left_out:,} left out."
    console.print(told, markup=False)
    for name in resumed:
        console.print(f"Resumed: {escape(name)}")
    if not resumed and not reject:
        console.print("No flow run waits for it: start one with this diff_id.")


@app.command()
def resume(
    every: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="Look again after so many seconds, until it is stopped."),
    ] = None,
) -> None:
    """Resume the syncs whose diffs were approved or rejected outside of Prefect, as by `diffsync-store approve`."""
    config = _read()
    if every is None:
        with _told(), translated_api_errors():
            _resume(config)
        return
    while True:
        try:
            with translated_api_errors():
                _resume(config)
        except (UserError, ObjectStoreException, PrefectException) as error:  # it may be well the next time
            _say(error_message(error))
        time.sleep(every)


def _resume(config: Config) -> None:
    for line in resume_decided(config):
        console.print(line, markup=False)


def schema_text() -> str:
    """The JSON Schema of the YAML file, as text."""
    return json.dumps(Declarations.model_json_schema(by_alias=True), indent=2) + "\n"


def _read() -> Config:
    try:
        return read_config()
    except ConfigFault as fault:
        _fail(fault.faults)


def _absolute(directory: Path) -> str:
    if not directory.is_absolute():
        raise UserError(
            f"--directory {directory} is no absolute path, such as /opt/app: workers begin in folders of their own."
        )
    return str(directory)


@contextmanager
def _told() -> Iterator[None]:
    """What a person can mend is told in a sentence, and ends the command."""
    try:
        yield
    except (ObjectStoreException, UserError) as error:
        _fail([error_message(error)])


def _fail(faults: list[str] | tuple[str, ...]) -> NoReturn:
    _say(*faults)
    raise typer.Exit(1)


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(printable_lines(line), err=True)


def main() -> None:
    """Run the command."""
    app(prog_name="diffsync-flows")


if __name__ == "__main__":
    main()
