"""`diffsync-flows deploy`."""

import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from diffsync_flows.cli.config_file import DEFAULT_FILE, File, open_config
from diffsync_flows.cli.output import console, fail, print_error, using_prefect
from diffsync_flows.deploy.apply import apply, find_undeclared, retire
from diffsync_flows.deploy.change import CREATED, UNCHANGED, WORK_POOL, Change
from diffsync_flows.prefect_api import require_prefect
from diffsync_store.cli.asking import confirm

UNDECLARED = "{} no longer declares these. Deployments are paused, automations are removed:"
NOT_RETIRED = (
    "Nothing was paused or removed, because there is no terminal to ask in. If this is the right file, run the command "
    "again with --yes. To keep two files in one Prefect, give each its own `project`."
)


def deploy(
    *,
    file: File = DEFAULT_FILE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Create or update in Prefect what the YAML file declares, and pause what it no longer declares."""
    config = open_config(file)
    with using_prefect():
        require_prefect()
        undeclared = asyncio.run(find_undeclared(config))
        is_confirmed = yes or _confirm(file, undeclared.active)
        changes = asyncio.run(apply(config))
        if is_confirmed:
            changes += asyncio.run(retire(undeclared))
    _print(changes)
    _print_workers(file, [each.name for each in changes if (each.kind, each.action) == (WORK_POOL, CREATED)])
    if not is_confirmed:
        fail([NOT_RETIRED])


def _confirm(file: Path, active: Sequence[str]) -> bool:
    """Ask for confirmation before anything is changed; the answer no ends the command."""
    if not active:
        return True
    print_error(UNDECLARED.format(file), *(f"  {name}" for name in active))
    if not sys.stdin.isatty():
        return False
    confirm("Deploy the file, and pause or remove these?")
    return True


def _print(changes: Sequence[Change]) -> None:
    width = max(len(change.full_name) for change in changes)
    for change in changes:
        line = f"{change.action:<9}  {change.full_name:<{width}}  {change.detail}"
        console.print(line.rstrip(), markup=False)
    unchanged = sum(change.action == UNCHANGED for change in changes)
    console.print(f"{len(changes) - unchanged} changed, {unchanged} unchanged.")


def _print_workers(file: Path, pools: Sequence[str]) -> None:
    """Print how to start workers for new work pools, with the environment that they need."""
    if not pools:
        return
    console.print("\nStart a worker for each new work pool, with the variables of the file in its environment:")
    lines = [f"export DIFFSYNC_CONFIG={shlex.quote(str(file.absolute()))}"]
    for line in [*lines, *(f"prefect worker start --pool {shlex.quote(pool)}" for pool in pools)]:
        console.print(f"  {line}", markup=False)
