"""Measure the adapter of databases beside bare SQLAlchemy: `python -m benchmarks.sql [rows] [--on postgresql ...]`.

Each step runs in a process of its own and prints its rows per second and the peak of its memory:

- read: the bare loop over all rows; the adapter without a store; a load into a RedisStore, as a worker does it;
- write: creates, updates and deletes of a tenth of the rows in batches of 200, bare `executemany` and the adapter.
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from diffsync_store import DiffSyncModel
from diffsync_store.adapters.mapped import Change
from diffsync_store.adapters.sql import SqlAdapter
from diffsync_store.store.redis import RedisStore
from tests.servers import MariaDbServer, PostgresServer, RedisServer

DIALECTS = ("sqlite", "postgresql", "mariadb")
SERVERS: dict[str, type[PostgresServer | MariaDbServer]] = {"postgresql": PostgresServer, "mariadb": MariaDbServer}
BATCH = 200
MODELS = {
    "site": {"identifiers": {"name": "str"}},
    "device": {
        "identifiers": {"name": "str"},
        "attributes": {"site": "str?", "serial": "str?", "units": "int?", "weight": "number?", "note": "str?"},
        "references": {"site": "site"},
    },
}
RECORDS = {
    "site": {"from": "sites", "lookup_only": True},
    "device": {"from": "devices", "fields": {"site": "site.name"}},
}
NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i FROM n) AS n",
    "postgresql": "generate_series(1, {rows}) AS n(i)",
    "mariadb": "(SELECT seq AS i FROM seq_1_to_{rows}) AS n",
}
TEXT = {"sqlite": "'{}' || i", "postgresql": "'{}' || i", "mariadb": "concat('{}', i)"}


STATEMENTS = (
    "CREATE TABLE sites (id {key} PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE)",
    "CREATE TABLE devices (id {key} PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, site_id INTEGER REFERENCES sites (id), serial VARCHAR(50), units INTEGER, weight DOUBLE PRECISION, note VARCHAR(200))",
    "INSERT INTO sites (name) SELECT {site} FROM {n} WHERE i <= 1000",
    "INSERT INTO devices (name, site_id, serial, units, weight, note) SELECT {device}, 1 + i % 1000, {serial}, i % 40, i / 8.0, 'A note about this device' FROM {n}",
)


class WithoutStore(SqlAdapter):
    """Keeps nothing, so that the adapter alone is measured."""

    def add(self, obj: DiffSyncModel) -> None:
        pass


def fill(url: str, rows: int) -> None:
    engine = sa.create_engine(url)
    name = engine.dialect.name
    key = {"postgresql": "SERIAL", "mariadb": "INTEGER AUTO_INCREMENT"}.get(name, "INTEGER")
    texts = {each: TEXT[name].format(f"{each} ") for each in ("site", "device", "serial")}
    with engine.begin() as connection:
        for statement in STATEMENTS:
            connection.execute(sa.text(statement.format(key=key, n=NUMBERS[name].format(rows=rows), **texts)))
    engine.dispose()


def bare_read(url: str, _redis: str) -> int:
    engine = sa.create_engine(url)
    statement = sa.text(
        "SELECT d.name, s.name, serial, units, weight, note FROM devices d LEFT JOIN sites s ON s.id = d.site_id"
    )
    with engine.connect() as connection:
        return sum(1 for _ in connection.execution_options(yield_per=1000).execute(statement))


def adapter_read(url: str, _redis: str) -> int:
    adapter = WithoutStore({"url": url}, MODELS, RECORDS)
    adapter.load()
    return adapter.store.expected()["device"]


def worker_load(url: str, redis: str) -> int:
    with RedisStore(name="database", store_id="benchmark", url=redis) as store:
        adapter = SqlAdapter({"url": url}, MODELS, RECORDS, internal_storage_engine=store)
        with store.loading():
            adapter.load()
        return store.count()


READS: dict[str, Callable[[str, str], int]] = {
    "bare loop": bare_read,
    "adapter": adapter_read,
    "load into Redis": worker_load,
}


def new_rows(count: int) -> list[dict[str, Any]]:
    fields = {"serial": "S", "units": 1, "weight": 1.5, "note": "new"}
    return [{"name": f"new {number}", "site": f"site {1 + number % 1000}", **fields} for number in range(count)]


def bare_write(url: str, count: int) -> dict[str, float]:
    engine = sa.create_engine(url)
    devices = sa.Table("devices", sa.MetaData(), autoload_with=engine)
    devices.c.id.nullable = False  # SQLite says otherwise
    fields = ("name", "serial", "units", "weight", "note")
    rows = [
        {**{name: row[name] for name in fields}, "site_id": 1 + number % 1000}
        for number, row in enumerate(new_rows(count))
    ]
    insert = devices.insert().returning(devices.c.id, sort_by_parameter_order=True)
    change = devices.update().where(devices.c.id == sa.bindparam("key")).values(note=sa.bindparam("text"))
    keys: list[int] = []
    seconds = {}

    def run(name: str, work: Callable[[sa.Connection, Sequence[Any]], Any], items: Sequence[Any]) -> None:
        started = time.perf_counter()
        for part in parts(items):
            with engine.begin() as connection:
                work(connection, part)
        seconds[name] = time.perf_counter() - started

    run("create", lambda connection, part: keys.extend(connection.execute(insert, part).scalars()), rows)
    run(
        "update", lambda connection, part: connection.execute(change, [{"key": key, "text": "x"} for key in part]), keys
    )
    run("delete", lambda connection, part: connection.execute(devices.delete().where(devices.c.id.in_(part))), keys)
    return seconds


def adapter_write(url: str, count: int) -> dict[str, float]:
    adapter = SqlAdapter({"url": url}, MODELS, RECORDS)
    adapter.open()
    mapper = adapter.mappers["device"]
    sites = {obj["name"]: obj["$key"] for obj in adapter.read(adapter.mappers["site"])}
    payloads = []
    for row in new_rows(count):
        payload = mapper.payload_of(row)
        adapter.put_reference(mapper, payload, "site", sites[row["site"]])
        payloads.append(payload)
    seconds: dict[str, float] = {}
    keys: list[Any] = []
    started = time.perf_counter()
    for part in parts(payloads):
        keys += adapter.send_creates(mapper, part)
    seconds["create"] = time.perf_counter() - started
    started = time.perf_counter()
    for part in parts(keys):
        adapter.send_updates(mapper, [Change(key, {"note": "x"}, {}) for key in part])
    seconds["update"] = time.perf_counter() - started
    started = time.perf_counter()
    for part in parts(keys):
        adapter.send_deletes(mapper, [Change(key, {}, {}) for key in part])
    seconds["delete"] = time.perf_counter() - started
    adapter.close()
    return seconds


def parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def in_process(step: str, *arguments: str) -> dict[str, Any]:
    """Run a step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sql", "--step", step, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_step(step: str, arguments: Sequence[str]) -> dict[str, Any]:
    started = time.perf_counter()
    if step in READS:
        rows = READS[step](arguments[0], arguments[1])
        found: dict[str, Any] = {"rows": rows, "seconds": time.perf_counter() - started}
    else:
        found = (bare_write if step == "bare write" else adapter_write)(arguments[0], int(arguments[1]))
    return {**found, "cpu": time.process_time(), "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measure(url: str, redis: str, rows: int) -> None:
    fill(url, rows)
    name = sa.make_url(url).get_backend_name()
    for step in READS:
        found = in_process(step, url, redis)
        rate = found["rows"] / found["seconds"]
        print(
            f"{name}, {step}: {found['rows']:,} rows, {rate:,.0f} rows/s, {found['cpu']:.0f} s of CPU, peak {found['rss']:.0f} MB"
        )
    count = str(rows // 10)
    bare, ours = in_process("bare write", url, count), in_process("adapter write", url, count)
    for action in ("create", "update", "delete"):
        rates = [int(count) / each[action] for each in (bare, ours)]
        print(
            f"{name}, {action}: bare {rates[0]:,.0f} rows/s, adapter {rates[1]:,.0f} rows/s, ratio {rates[0] / rates[1]:.2f}"
        )


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sql")
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--on", choices=DIALECTS, nargs="*", default=DIALECTS)
    parser.add_argument("--step", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(run_step(options.step[0], options.step[1:])))
        return
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for dialect in options.on:
            redis = stack.enter_context(RedisServer("valkey"))
            if dialect == "sqlite":
                url = f"sqlite:///{Path(folder)}/benchmark.db"
            else:
                server = SERVERS[dialect]()
                stack.enter_context(server)
                url = server.new_database()
            measure(url, redis.url, options.rows)


if __name__ == "__main__":
    main()
