import csv
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from airports.demo import check
from airports.demo.prefect_stack import ROOT, PrefectStack, prefect_stack
from airports.demo.runs import Run, children, finish, start_run
from diffsync_flows.config.config import read_config
from diffsync_flows.reporting.events import SYNC_ENDED
from diffsync_flows.runtime.context import SyncContext
from diffsync_store import StoredAdapter
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from tests.airports.database import SqlAdapter
from tests.airports.registry import AirportsAdapter
from tests.conftest import demand
from tests.flows.registry import airport, write_registry
from tests.servers import RedisServer, wait_until

MANY = 1200
SCREENSHOTS = ROOT / "build" / "screenshots"
RUN_SECONDS = 300
"""Timeout of a run: a reconcile starts five processes, each of which can take 15 seconds on a busy machine."""
PAGE_SECONDS = 120
"""Timeout for the content of a page."""
PASSWORD = "correct-horse"
CONFIG = """
metrics: {textfile_directory: METRICS}
store:
  url: ${REDIS_URL}
models:
  site: {identifiers: {name: str}}
  device:
    identifiers: {name: str}
    attributes: {site: str, units: int}
    references: {site: site}
adapters:
  sheets:
    type: files
    settings: {folder: sheets}
    records:
      site: {from: sites.csv}
      device: {from: devices.csv, fields: {units: height}}
  tables:
    type: sql
    settings: {url: "sqlite:///tables.db"}
    records:
      site: {from: sites}
      device: {from: devices, fields: {site: site.name}, references: {site: site_id}}
  books:
    type: files
    settings: {folder: undone}
    records:
      site: {from: sites.csv}
      device: {from: devices.csv, fields: {units: height}}
  shelves:
    type: sql
    settings: {url: "sqlite:///undone.db"}
    records:
      site: {from: sites}
      device: {from: devices, fields: {site: site.name}, references: {site: site_id}}
  crates:
    type: files
    settings: {folder: crates}
    records:
      site: {from: sites.csv}
      device: {from: devices.csv, fields: {units: height}}
  vault:
    type: sql
    settings: {url: "sqlite:///stock.db"}
    records: {device: {from: devices, fields: {site: site.name}, references: {site: site_id}}, site: {from: sites}}
  stock:
    type: sql
    settings: {url: "sqlite:///stock.db"}
    records:
      site: {from: sites}
      device: {from: devices, fields: {site: site.name}, references: {site: site_id}}
  plugin-source:
    class: tests.written_for_diffsync.dcim:Inventory
    settings: {path: "${FOLDER}/plugin-source.json"}
  plugin-target:
    class: tests.written_for_diffsync.dcim:System
    settings: {path: "${FOLDER}/plugin-target.json"}
  regions:
    class: tests.flows.systems:RegionsAdapter
    settings: {folder: "${FOLDER}/regions", label: "${PASSWORD}"}
    shards: auto
  listed:
    class: tests.flows.systems:RegionsAdapter
    settings: {folder: "${FOLDER}/listed"}
    shards: [eu, us]
  registry:
    class: tests.airports.registry:AirportsAdapter
    settings: {folder: "${FOLDER}/after"}
  database:
    class: tests.airports.database:SqlAdapter
    settings: {url: "sqlite:///${FOLDER}/airports.db"}
  joint:
    class: tests.airports.database:SqlAdapter
    settings: {url: "sqlite:///${FOLDER}/joint.db"}
  inventory:
    class: tests.airports.database:SqlAdapter
    settings: {url: "sqlite:///${FOLDER}/inventory.db"}
  picky:
    class: tests.airports.database:SqlAdapter
    settings: {url: "sqlite:///${FOLDER}/picky.db"}
  slow:
    class: tests.flows.systems:SlowAdapter
    settings: {file: "${FOLDER}/slow"}
  flaky:
    class: tests.flows.systems:FlakyAdapter
    settings: {file: "${FOLDER}/flaky"}
  served:
    class: tests.flows.systems:ServedAdapter
    settings: {file: "${FOLDER}/served"}
  rejecting:
    class: tests.flows.systems:RejectingAdapter
    settings: {label: "${PASSWORD}"}
  truncated:
    class: tests.flows.systems:RejectingAdapter
  kept:
    class: tests.flows.systems:KeptAdapter
    settings: {file: "${FOLDER}/kept"}
  five:
    schedule: {interval: 86400, active: false}
    class: tests.flows.systems:PlainAdapter
    settings: {objects: 5}
  refusing:
    class: tests.flows.systems:RefusingAdapter
    settings: {url: "https://me:${PASSWORD}@example.invalid", file: "${FOLDER}/let-in"}
  many:
    class: tests.flows.systems:PlainAdapter
    settings: {objects: 40}
  seven:
    class: tests.flows.systems:PlainAdapter
    settings: {objects: 7}
  reviewed:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/reviewed"}
  unset:
    class: tests.flows.systems:PlainAdapter
    settings: {label: "${NOT_SET_ANYWHERE}"}
  gone:
    class: tests.flows.no_such_module:Adapter
  late:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/late"}
  cleared:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/cleared"}
  counted:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/counted"}
  terminal:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/terminal"}
  waited-for:
    class: tests.flows.systems:PlainAdapter
    work_pool: nobody
  waited-for-too:
    class: tests.flows.systems:PlainAdapter
    work_pool: nobody
  asked:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/asked"}
  on-page:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/on-page"}
  lazy:
    class: tests.flows.systems:LazyAdapter
  chained:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/chained"}
  overtaken:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/overtaken"}
  decided:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/decided"}
  ruled:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/ruled"}
  repeated:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/repeated"}
  eased:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/eased"}
  killed:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/killed"}
  cancelled:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/cancelled"}
  held-source:
    class: tests.flows.systems:HeldAdapter
    settings: {file: "${FOLDER}/held-source", objects: 40}
  held-target:
    class: tests.flows.systems:HeldAdapter
    settings: {file: "${FOLDER}/held-target"}
  stopped-target:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/stopped-target"}
  asked-jointly:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/asked-jointly"}
  refusing-jointly:
    class: tests.flows.systems:RefusingAdapter
    settings: {url: "https://me:${PASSWORD}@example.invalid", file: "${FOLDER}/let-in-jointly"}
  flaky-jointly:
    class: tests.flows.systems:FlakyAdapter
    settings: {file: "${FOLDER}/flaky-jointly"}
  divided:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/divided"}
  divided-killed:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/divided-killed"}
  divided-cancelled:
    class: tests.flows.systems:CountingAdapter
    settings: {file: "${FOLDER}/divided-cancelled"}
syncs:
  divided: {source: many, target: divided, agents: 3}
  divided-killed: {source: many, target: divided-killed, agents: 3}
  divided-cancelled: {source: many, target: divided-cancelled, agents: 2}
  devices: {source: sheets, target: tables}
  undone: {source: books, target: shelves}
  rehearsed:
    {source: crates, target: stock, approval: deletes, rehearse: true, steps: together, work_pools: {reconcile: diffsync-load}}
  strict: {source: crates, target: vault, rehearse: true}
  plugin: {source: plugin-source, target: plugin-target, guards: {change_limits: {per_model: {delete: {percent: 90, floor: 1}}}}}
  reviewed: {source: seven, target: reviewed, approval: always}
  asked: {source: seven, target: asked, approval: always}
  terminal: {source: seven, target: terminal, approval: always}
  on-page: {source: seven, target: on-page, approval: always}
  queued: {source: waited-for, target: waited-for-too, overlap: enqueue}
  queued-too: {source: seven, target: waited-for-too, overlap: enqueue}
  skipped: {source: waited-for-too, target: waited-for, overlap: skip}
  skipped-too: {source: seven, target: waited-for, overlap: skip}
  overtaken: {source: seven, target: overtaken}
  decided: {source: seven, target: decided, approval: always}
  ruled:
    source: seven
    target: ruled
    agents: 2
    rules: [{where: {name: "item [0-3]"}, then: apply}, {then: review, approvers: 2, name: others}]
  repeated: {source: seven, target: repeated, approval: always}
  repeated-too: {source: five, target: repeated}
  eased: {source: seven, target: eased, approval: deletes}
  late: {source: seven, target: late, approval: always, approval_timeout: 3}
  cleared: {source: five, target: cleared}
  counted: {source: five, target: counted}
  chained: {source: seven, target: chained, chain: {diff_after_load: true, sync_after_diff: true}}
  killed: {source: many, target: killed}
  cancelled: {source: many, target: cancelled}
  airports: {source: registry, target: database}
  inventory: {source: registry, target: inventory, approval: deletes}
  refused: {source: refusing, target: flaky}
  picky: {source: registry, target: picky}
  busy: {source: seven, target: five}
  regions: {source: regions, target: five, guards: {change_limits: {per_model: {delete: {absolute: 100}}}}}
  lazy: {source: five, target: lazy}
  joint: {source: registry, target: joint, steps: together, work_pools: {reconcile: diffsync-load}}
  stopped: {source: many, target: stopped-target, steps: together, work_pools: {reconcile: diffsync-load}}
  held: {source: held-source, target: held-target, steps: together, work_pools: {reconcile: diffsync-load}}
  asked-jointly: {source: seven, target: asked-jointly, approval: always, steps: together, work_pools: {reconcile: diffsync-load}}
  refused-jointly: {source: refusing-jointly, target: flaky-jointly, steps: together, work_pools: {reconcile: diffsync-load}}
  truncated: {source: truncated, target: kept, approval: always, guards: {change_limits: {per_model: {delete: {absolute: 100}}}}}
  lacking: {source: rejecting, target: five, guards: {change_limits: {per_model: {delete: {absolute: 1}}}}}
"""


@dataclass
class Project:
    """A Prefect server with a worker for each pool, the example's adapters over a small registry, and its own Redis."""

    stack: PrefectStack
    folder: Path
    redis: RedisServer

    @property
    def database(self) -> Path:
        return self.folder / "airports.db"

    def run(self, deployment: str, **parameters: Any) -> Run:
        return finish(self.stack, start_run(self.stack, deployment, **parameters), seconds=RUN_SECONDS)

    def load(self, adapters: Mapping[str, str]) -> None:
        """Load several adapters, given by store id, at the same time."""
        started = [start_run(self.stack, f"load/{name}", store_id=store_id) for store_id, name in adapters.items()]
        for run in started:
            ended = finish(self.stack, run, seconds=RUN_SECONDS)
            assert ended.state == "Completed", ended.message

    def compare(self, sync: str, diff_id: str) -> str:
        """Load both sides of a sync and save their diff in this process, which is faster than flow runs; return the diff id."""
        with (
            mock.patch.dict(os.environ, self.stack.variables["load"]),
            SyncContext(read_config()) as context,
            ExitStack() as opened,
        ):
            declared = context.project.sync(sync)

            def loaded(name: str, side: str) -> StoredAdapter:
                store = opened.enter_context(context.open_store(f"{diff_id}-{side}", name=name))
                with store.loading():
                    context.project.make_adapter(name, store).load()
                return StoredAdapter(store)

            source, target = loaded(declared.source, "source"), loaded(declared.target, "target")
            flags, guards, rules = declared.combined_flags, declared.guards, declared.operation_rules
            return context.diffs().compare(source, target, diff_id, flags=flags, guards=guards, operation_rules=rules)

    def run_with(self, environment: Mapping[str, str], deployment: str, **parameters: Any) -> Run:
        """Run a deployment in a process with more environment variables than its worker."""
        return finish(self.stack, self.start_with(environment, deployment, **parameters), seconds=RUN_SECONDS)

    def start_with(self, environment: Mapping[str, str], deployment: str, **parameters: Any) -> str:
        """Start such a run; return its id."""
        found = self.stack.get(f"/deployments/name/{deployment}")
        run = self.stack.post(
            f"/deployments/{found['id']}/create_flow_run",
            parameters=parameters,
            state={"type": "SCHEDULED"},
            job_variables={"env": dict(environment)},
        )
        return str(run["id"])

    def deployments(self) -> list[dict[str, Any]]:
        """Return all deployments of the server."""
        found: list[dict[str, Any]] = []
        while page := self.stack.post("/deployments/filter", sort="CREATED_DESC", offset=len(found)):
            found += page
        return found

    def children(self, run: Run) -> list[Run]:
        return children(self.stack, run.id)

    def runs(self, tag: str, flow: str) -> list[dict[str, Any]]:
        """Return the runs of a flow with a tag, the newest first."""
        found: list[dict[str, Any]] = self.stack.post(
            "/flow_runs/filter",
            flows={"name": {"any_": [flow]}},
            flow_runs={"tags": {"all_": [tag]}},
            sort="START_TIME_DESC",
        )
        return found

    def end_runs(self) -> None:
        """End all runs that tests started and that have not ended; scheduled runs stay."""
        states = ["PAUSED", "SCHEDULED", "PENDING", "RUNNING"]
        left = self.stack.post("/flow_runs/filter", flow_runs={"state": {"type": {"any_": states}}})
        for run in left:
            if not run["auto_scheduled"]:
                state = "CANCELLING" if run["state_type"] == "RUNNING" else "CANCELLED"
                self.stack.post(f"/flow_runs/{run['id']}/set_state", state={"type": state}, force=True)

    def store(self, store_id: str, name: str = "") -> RedisStore:
        return RedisStore(name=name, store_id=store_id, url=self.redis.url)

    @contextmanager
    def diffs(self) -> Iterator[RedisDiffs]:
        with closing(RedisDiffs(url=self.redis.url)) as diffs:
            yield diffs

    def _log(self, run: Run | str) -> list[dict[str, Any]]:
        """Return the lines that Prefect has by now. A test never reads them at once: a process sends them after the state of its run."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"logs": {"flow_run_id": {"any_": [id_of(run)]}}, "sort": "TIMESTAMP_ASC"}
        while page := self.stack.post("/logs/filter", **asked, offset=len(found)):
            found += page
        return found

    def expect_log(self, run: Run | str, *texts: str) -> None:
        """Wait until the log of a run has these texts; the run may go on."""

        def log() -> str:
            return "\n".join(line["message"] for line in self._log(run))

        wait_until(lambda: all(text in log() for text in texts), 240, f"the log has {texts}")

    def whole_log(self, run: Run | str) -> str:
        """Return the log of a run that has ended, once Prefect has the last line of each process that was not killed."""
        states = [state["name"] for state in self.stack.get(f"/flow_run_states/?flow_run_id={id_of(run)}")]
        processes = states.count("Running") - states.count("Crashed")
        assert processes > 0, states

        def last_lines() -> int:
            lines = [line["message"] for line in self._log(run) if line["name"] == "prefect.flow_runs"]
            return sum(line.startswith("Finished in state ") for line in lines)

        wait_until(lambda: last_lines() >= processes, 240, f"the log has the last lines of {processes} processes")
        return "\n".join(line["message"] for line in self._log(run))

    def artifacts(self, run: Run | str) -> dict[str, dict[str, Any]]:
        """Return the artifacts of a run by key, without the id of the run at its end."""
        found = self.stack.post("/artifacts/filter", artifacts={"flow_run_id": {"any_": [id_of(run)]}})
        return {str(artifact["key"]).removesuffix(f"-{id_of(run)[-12:]}"): artifact for artifact in found}

    def numbers(self, run: str) -> str:
        """Return the metrics file of a deployment."""
        return (self.folder / "metrics" / f"diffsync-{run}.prom").read_text("utf-8")

    def expect_outcomes(self, diff_id: str, *states: str) -> None:
        """Wait for the events of a diff's syncs, with these states in order."""
        chosen = {"event": {"name": [SYNC_ENDED]}, "resource": {"id": [f"diffsync.diff.{diff_id}"]}, "order": "ASC"}

        def are_emitted() -> bool:
            found = self.stack.post("/events/filter", filter=chosen)["events"]
            return tuple(event["payload"]["state"] for event in found) == states

        wait_until(are_emitted, 240, f"events with the states {states}")


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory, diffsync_dir: Path) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    write_registry(folder / "before", [airport(f"A{number:04}", name=f"<b>{number}</b> | a") for number in range(MANY)])
    write_registry(folder / "after", list(changed(folder / "before")))
    config = folder / "syncs.yaml"
    metrics = folder / "metrics"
    metrics.mkdir()
    config.write_text(CONFIG.replace("METRICS", str(metrics)), "utf-8")
    with demand(lambda: RedisServer("valkey")) as redis:
        common = {"DIFFSYNC_CONFIG": str(config), "REDIS_URL": redis.url}
        systems = {"FOLDER": str(folder), "PASSWORD": PASSWORD, "PYTHONPATH": str(diffsync_dir)}
        variables = {"load": common | systems, "diff": common, "sync": common | systems, "reconcile": common}
        with prefect_stack(folder / "prefect", variables) as stack:
            yield Project(stack, folder, redis)


@pytest.fixture(autouse=True)
def end_left_runs(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the runs that a failed test leaves, so that no request, work pool or target is in use for the next tests."""
    project: Project | None = request.getfixturevalue("project") if "project" in request.fixturenames else None
    yield
    if project is not None:
        project.end_runs()


@pytest.fixture(autouse=True)
def empty_systems(request: pytest.FixtureRequest) -> None:
    """Empty the systems that are a file, so that each test finds them as if it ran alone."""
    if "project" in request.fixturenames:
        project: Project = request.getfixturevalue("project")
        for name in re.findall(r'file: "\$\{FOLDER\}/([\w-]+)"', CONFIG):
            (project.folder / name).unlink(missing_ok=True)


def id_of(run: Run | str) -> str:
    return run if isinstance(run, str) else run.id


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Folder for screenshots of pages."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS


@pytest.fixture
def page(project: Project, chromium: Path) -> Iterator[Page]:
    """A browser page of the Prefect server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = browser.new_page(base_url=project.stack.address, viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PAGE_SECONDS * 1000)
        expect.set_options(timeout=PAGE_SECONDS * 1000)
        yield page
        browser.close()


def changed(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a registry after ten moves, ten deletes, one create and a rename of all others."""
    with (folder / "airports.csv").open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            if number < 10:
                yield {**row, "subd": "Aargau" if number < 5 else ""}
            elif number >= 20:
                yield {**row, "name": "New [name](http://example.invalid) of *it*"}
    yield airport("NEW1", country="AA")


@dataclass
class History:
    """A database with one release of a registry, reconciled twice with another release."""

    project: Project
    first: Run
    again: Run
    answers: dict[str, int]
    """Answers of the comparison after the first reconcile."""
    contents: list[str]
    """Fingerprints of the database: at the start and after each reconcile."""

    def step(self, run: Run, pool: str) -> Run:
        return next(step for step in self.project.children(run) if step.pool == f"diffsync-{pool}")


@pytest.fixture(scope="package")
def history(project: Project) -> History:
    fill(project, project.database)
    contents = [check.fingerprint(project.database)]
    first = project.run("reconcile/airports")
    answers = check.compare(project.database, project.folder / "after" / "airports.csv")
    contents.append(check.fingerprint(project.database))
    again = project.run("reconcile/airports")
    contents.append(check.fingerprint(project.database))
    return History(project, first, again, answers, contents)


def fill(project: Project, file: Path) -> None:
    """Load the release before the changes into a database."""
    database = SqlAdapter(url=f"sqlite:///{file}")
    registry = AirportsAdapter(folder=project.folder / "before")
    registry.load()
    database.open()
    database.sync_from(registry)
    database.close()
