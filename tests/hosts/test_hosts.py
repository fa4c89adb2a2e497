"""A reconcile over five hosts that share only a network; one host is cut off while it changes the target.

Stores and diffs are exchanged through Redis only. The two systems are files that their workers' hosts can read: the
registry, and a database that records each change to its rows.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from airports.demo import check
from airports.demo.runs import finish, start_run
from diffsync_store import OperationState
from diffsync_store.diffs import RedisDiffs
from tests.airports.database import SqlAdapter
from tests.airports.registry import AirportsAdapter
from tests.conftest import demand
from tests.flows.registry import airport, write_registry
from tests.hosts.network import Host, Network
from tests.hosts.prefect import HostedPrefect, HostedRedis, hosted_prefect
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(900)]

AIRPORTS = 300
PASSWORD = "five-hosts-one-secret"
CONFIG = """
store:
  url: ${REDIS_URL}
adapters:
  registry:
    class: tests.airports.registry:AirportsAdapter
    settings: {folder: "${FOLDER}/after"}
  database:
    class: tests.hosts.systems:GatedDatabase
    settings: {url: "sqlite:///${FOLDER}/airports.db", gate: "${FOLDER}/gate"}
syncs:
  airports: {source: registry, target: database}
"""
COUNTING = """
CREATE TABLE written (action TEXT, row TEXT);
CREATE TRIGGER created AFTER INSERT ON airport BEGIN INSERT INTO written VALUES ('create', new.icao); END;
CREATE TRIGGER updated AFTER UPDATE ON airport BEGIN INSERT INTO written VALUES ('update', new.icao); END;
CREATE TRIGGER deleted AFTER DELETE ON airport BEGIN INSERT INTO written VALUES ('delete', old.icao); END;
"""


@dataclass
class Site:
    """The hosts by name, and the servers and workers on them."""

    network: Network
    hosts: dict[str, Host]
    stack: HostedPrefect
    redis: HostedRedis
    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "airports.db"

    def step(self, run_id: str, pool: str) -> str:
        """Return the id of the run that a reconcile started in a work pool."""
        found = self.stack.post("/flow_runs/filter", flow_runs={"parent_flow_run_id": {"any_": [run_id]}})
        return next(str(run["id"]) for run in found if run["work_pool_name"] == f"diffsync-{pool}")

    def parameter(self, run_id: str, name: str) -> str:
        return str(self.stack.get(f"/flow_runs/{run_id}")["parameters"][name])

    def written(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return sorted(connection.execute("SELECT action, row FROM written"))


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Iterator[Site]:
    rows = [airport(f"A{number:04}", country="CH" if number % 2 else "LI") for number in range(AIRPORTS)]
    write_registry(tmp_path / "before", rows)
    write_registry(tmp_path / "after", [row | {"name": "Renamed"} for row in rows[10:]] + [airport("NEW1")])
    fill(tmp_path)
    config = tmp_path / "syncs.yaml"
    config.write_text(CONFIG, "utf-8")
    with ExitStack() as running:
        running.enter_context(network)
        hosts = {name: network.host(name) for name in ("server", "redis", "load", "diff", "sync")}
        running.enter_context(hosts["server"].entered())  # the host of the test itself
        redis = running.enter_context(demand(lambda: HostedRedis(hosts["redis"], PASSWORD)))
        common = {"DIFFSYNC_CONFIG": str(config), "REDIS_URL": redis.url}
        systems = {"FOLDER": str(tmp_path)}
        variables = {"load": common | systems, "diff": common, "sync": common | systems, "reconcile": common}
        places = {"load": hosts["load"], "diff": hosts["diff"], "reconcile": hosts["diff"], "sync": hosts["sync"]}
        stack = running.enter_context(hosted_prefect(hosts["server"], places, tmp_path / "prefect", variables))
        yield Site(network, hosts, stack, redis, tmp_path)


def fill(folder: Path) -> None:
    registry = AirportsAdapter(folder=folder / "before")
    registry.load()
    database = SqlAdapter(url=f"sqlite:///{folder}/airports.db")
    database.open()
    database.sync_from(registry)
    database.close()
    with closing(sqlite3.connect(folder / "airports.db")) as connection:
        connection.executescript(COUNTING)


def test_cutting_off_a_host_during_a_sync_neither_loses_nor_repeats_an_operation(site: Site) -> None:
    reconcile = start_run(site.stack, "reconcile/airports")
    gate = site.folder / "gate"
    wait_until(gate.exists, 240, "the sync is in the middle")
    first = site.step(reconcile, "sync")
    diff_id = site.parameter(first, "diff_id")
    site.hosts["sync"].cut_off()
    before = len(site.written())
    gate.with_suffix(".open").touch()
    wait_until(lambda: len(site.written()) > before, 240, "the operation in progress reaches the target")

    spare = site.network.host("spare")
    worker = site.stack.start_worker_on(spare, "sync")
    worker.wait_until(lambda: site.stack.is_online("sync", "sync-spare"), 240)
    ended = finish(
        site.stack, reconcile, seconds=300
    )  # the run is marked as crashed, restarted, and waits for its own lease
    assert (ended.state, ended.message) == ("Completed", "")
    finished = check.fingerprint(site.database)
    assert check.is_equal(check.compare(site.database, site.folder / "after" / "airports.csv"))
    assert_each_operation_was_applied_once(site, diff_id)

    site.hosts["sync"].join()
    process = Path("/proc") / gate.read_text("utf-8")
    wait_until(lambda: not process.exists(), 240, "the process that was cut off has ended")
    assert check.fingerprint(site.database) == finished
    late = finish(site.stack, first, seconds=300)
    assert (late.state, late.message) == ("Completed", "")


def assert_each_operation_was_applied_once(site: Site, diff_id: str) -> None:
    with closing(RedisDiffs(url=site.redis.url)) as diffs:
        saved = diffs.open(diff_id)
        asked = sorted(
            (str(operation.action), operation.identifiers["icao"])
            for operation in saved.operations()
            if operation.model == "airport"
        )
        states = {entry.state for _, entry in saved.outcomes()}
    assert len(asked) == AIRPORTS + 1
    assert site.written() == asked
    assert states == {OperationState.DONE}
