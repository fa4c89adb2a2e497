"""`diffsync-flows check` reports each problem of the keys that Prefect adds, and of the store."""

import asyncio
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner, Result

from diffsync_flows.cli import app
from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config
from diffsync_store.project import ConfigError
from tests.project.files import ADAPTER, PAIR, PLAIN, STORE
from tests.servers import RedisServer


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "syncs.yaml"
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(path))
    return path


def check(path: Path, content: str) -> Result:
    path.write_text(content, "utf-8")
    return CliRunner().invoke(app, ["check"])


SCHEDULE = (
    'expected a mapping with the keys cron, interval, timezone, active, e.g. {cron: "30 2 * * 1-5", timezone: '
    "Europe/Zurich}; got"
)
NO_CRON = "is not a cron line. Give five fields, e.g. 30 2 * * 1-5, or @daily."
WORK_POOL = "Prefect does not accept this as the name of a work pool. Use letters, and none of / % & > <"

PROBLEMS = {
    "hello": "1:1: expected a mapping with the keys project, store, models, adapters, syncs, housekeeping, serve, notify, metrics, prefect_ui; got 'hello'",
    "": '1:1: store: required key is missing, e.g. {url: "${REDIS_URL}"}',
    f"{STORE}models: {{a: {{identifiers: {{x: strr}}}}}}": (
        "2:28: models.a.identifiers.x.type: There is no type 'strr'. Did you mean 'str'? Use one of str, int, float, number, "
        "decimal, bool, date, time, datetime, duration, uuid, ip, interface, network, mac, json, `list[TYPE]`, or `TYPE?` for null; "
        "got 'strr'."
    ),
    f"{STORE}models: {{a: {{identifiers: {{x: str}}}}}}\nadapters: {{f: {{type: files, settings: {{folder: .}}, records: {{b: {{}}}}}}}}": (
        "3:62: adapters.f.records.b: no model 'b' is declared. Declared: a"
    ),
    "store: {uri: redis://x}": "1:9: store.uri: unknown key. Did you mean 'url'? Known keys: url, block, ttl",
    f"{STORE}project: prefect": (
        "2:1: project: Prefect reserves names that start with 'prefect'. Use another name for the work pool; got 'prefect'."
    ),
    f"{ADAPTER}    work_pool: a/b": f"5:5: adapters.a.work_pool: {WORK_POOL}; got 'a/b'",
    f"{ADAPTER}    work_pool: Prefect-load": (
        "5:5: adapters.a.work_pool: Prefect reserves names that start with 'prefect'. Use another name for the work pool; got "
        "'Prefect-load'."
    ),
    f"{ADAPTER}    work_pol: x": (
        "5:5: adapters.a.work_pol: unknown key. Did you mean 'work_pool'? Known keys: type, class, settings, records, shards, description, schedule, "
        "work_pool"
    ),
    f"{PAIR}    schedule: nightly": f"7:5: syncs.s.schedule: {SCHEDULE} 'nightly'",
    f"{PAIR}    schedule: {{}}": "7:5: syncs.s.schedule: give either cron or interval",
    f"{PAIR}    schedule: {{cron: 0 2 * * *, interval: 60}}": "7:5: syncs.s.schedule: give either cron or interval",
    f"{PAIR}    schedule: {{cron: 5}}": "7:16: syncs.s.schedule.cron: Input should be a valid string; got 5",
    f"{PAIR}    schedule: {{cron: 0 0 2 * * *}}": f"7:5: syncs.s.schedule: '0 0 2 * * *' {NO_CRON}",
    f"{PAIR}    schedule: {{cron: 30 25 * * *}}": f"7:5: syncs.s.schedule: '30 25 * * *' {NO_CRON}",
    f"{PAIR}    schedule: {{cron: 0 0 30 2 *}}": (
        "7:5: syncs.s.schedule: '0 0 30 2 *' never occurs: none of its months has such a day"
    ),
    f"{PAIR}    schedule: {{cron: '0 0 31 apr,jun,9 *'}}": (
        "7:5: syncs.s.schedule: '0 0 31 apr,jun,9 *' never occurs: none of its months has such a day"
    ),
    f"{PAIR}    schedule: {{interval: 0}}": (
        "7:16: syncs.s.schedule.interval: a duration must be above 0 and at most 36500d; got 0"
    ),
    f"{PAIR}    schedule: {{interval: nightly}}": (
        "7:16: syncs.s.schedule.interval: expected a duration such as 30s, 2m, 1h30m or 7d, or a number of seconds; got 'nightly'"
    ),
    f"{PAIR}    schedule: {{cron: '@daily', timezone: localtime}}": (
        "7:32: syncs.s.schedule.timezone: unknown time zone. Give an IANA name such as UTC or Europe/Zurich; got 'localtime'"
    ),
    f"{PAIR}    overlap: queue": "7:5: syncs.s.overlap: Input should be 'enqueue' or 'skip'; got 'queue'",
    f"{PAIR}    chain: true": (
        "7:5: syncs.s.chain: expected a mapping with the keys diff_after_load, sync_after_diff, e.g. {diff_after_load: true, "
        "sync_after_diff: true}; got true"
    ),
    f"{PAIR}    chain: {{diff_after_load: perhaps}}": (
        "7:13: syncs.s.chain.diff_after_load: Input should be a valid boolean, unable to interpret input; got 'perhaps'"
    ),
    f"{PAIR}    work_pools: {{diff: a%b}}": f"7:18: syncs.s.work_pools.diff: {WORK_POOL}; got 'a%b'",
    f"{PAIR}    steps: one-process": "7:5: syncs.s.steps: Input should be 'separate' or 'together'; got 'one-process'",
    f"{PAIR}    steps: together\n    work_pools: {{diff: x, sync: y}}": (
        "7:5: syncs.s.steps: the steps cannot share a worker, because their work pools differ: syncs.s.work_pools.diff is x, "
        "syncs.s.work_pools.sync is y. Name the same work pool in all of these keys, or set steps: separate."
    ),
    f"{ADAPTER}    work_pool: x\n  b:\n    class: '{PLAIN}'\nsyncs: {{s: {{source: a, target: b, steps: together}}}}": (
        "8:35: syncs.s.steps: the steps cannot share a worker, because their work pools differ: adapters.a.work_pool is x, "
        "adapters.b.work_pool is diffsync-load. Name the same work pool in all of these keys, or set steps: separate."
    ),
    f"{PAIR}    approval: always\n    approval_timeout: 8d": (
        "8:5: syncs.s.approval_timeout: 8d is longer than store.ttl, 7d: the diff would expire before its approval. Lower "
        "approval_timeout or raise store.ttl."
    ),
    f"{PAIR}    approval: deletes\n    diff_retention: 90m": (
        "4:3: syncs.s.approval_timeout: 7d is longer than syncs.s.diff_retention, 1h30m: the diff would expire before its "
        "approval. Lower approval_timeout or raise syncs.s.diff_retention."
    ),
    f"{STORE}housekeeping: {{diff_retention: 0}}": (
        "2:16: housekeeping.diff_retention: a duration must be above 0 and at most 36500d; got 0"
    ),
    f"{STORE}metrics: {{textfile_directory: /no/such}}": (
        "2:11: metrics.textfile_directory: no directory '/no/such' on HOST. Create it on every host that runs workers."
    ),
    f"{STORE}metrics: {{pushgateway: 'redis://x'}}": (
        "2:11: metrics.pushgateway: give the URL of the Pushgateway, e.g. http://pushgateway:9091; got 'redis://x'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("content", PROBLEMS)
def test_a_problem_is_named_by_line_and_column(path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "HOST")
    done = check(path, content)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.splitlines() == [f"{path}:{PROBLEMS[content]}"]


WHOLE = f"""
project: p
store: {{url: "redis://127.0.0.1:1", ttl: 604800}}
adapters:
  a:
    class: {PLAIN}
    schedule: {{cron: 0 2 * * *, timezone: UTC, active: true}}
    work_pool: w
  b: {{class: "{PLAIN}"}}
syncs:
  s:
    source: a
    target: b
    schedule: {{interval: 60}}
    approval: always
    approval_timeout: 60
    diff_retention: 1h
    overlap: skip
    chain: {{diff_after_load: true}}
    work_pools: {{diff: x}}
housekeeping: {{store_retention: 1, diff_retention: 7d, schedule: {{cron: 1 1 * * *}}, work_pool: x}}
metrics: {{textfile_directory: /tmp, pushgateway: "http://x"}}
"""
ODD: list[Any] = [None, {"a": {"b": [None]}}, 10**400]


def places(part: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield from places(value, (*at, key))


@pytest.mark.slow
@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_any_value_of_a_key_is_either_read_or_a_problem(path: Path, value: Any) -> None:
    lines: list[str] = []
    for place in places(yaml.safe_load(WHOLE)):
        content = {"": yaml.safe_load(WHOLE)}
        *parents, last = ("", *place)
        reduce(getitem, parents, content)[last] = value
        path.write_text(yaml.safe_dump(content[""]), "utf-8")
        try:
            check_file(Config(path))
        except ConfigError as error:
            lines += error.lines
    assert lines
    assert [line for line in lines if not line.startswith(f"{path}:")] == []


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "0 0 29 2 1", "0 0 30 2,3 *", "0 0 l 2 *", "59 23 31 12 7", "@yearly"])
def test_a_valid_rare_day_is_accepted(path: Path, cron: str) -> None:
    path.write_text(f"{PAIR}    schedule: {{cron: '{cron}', timezone: Europe/Zurich}}", "utf-8")
    check_file(Config(path))


async def read_it(path: Path) -> None:
    check_file(Config(path))


def test_a_schedule_can_be_checked_in_an_event_loop(path: Path) -> None:
    path.write_text(f"{PAIR}    schedule: {{cron: '0 0 28 2 *'}}", "utf-8")
    asyncio.run(read_it(path))


def test_a_store_that_does_not_answer_is_a_problem_of_the_check(path: Path) -> None:
    error = check(path, "store:\n  url: redis://:hunter22@127.0.0.1:1").stderr
    assert error.startswith(f"{path}:1:1: store: Redis store is unavailable. Check that redis://:***@127.0.0.1:1 runs")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "message"),
    [("http://127.0.0.1:1/api", "Cannot reach Prefect's API"), (None, "No Prefect server is configured")],
)
def test_a_block_needs_a_prefect_server(path: Path, url: str | None, message: str) -> None:
    with temporary_settings({PREFECT_API_URL: url}):
        done = check(path, "store:\n  block: shared")
    assert done.exit_code == 1
    assert done.stderr.startswith(
        f"{path}:2:3: store.block: cannot read the block 'shared' of the type 'DiffSync store': "
    )
    assert message in done.stderr


def test_check_accepts_a_valid_file(path: Path) -> None:
    with RedisServer("valkey") as server:
        done = check(path, PAIR.replace("redis://127.0.0.1:1", server.url) + "    schedule: {cron: '@daily'}\n")
    assert (done.exit_code, done.stdout) == (0, f"{path}: OK (2 adapters, 1 sync)\n")
