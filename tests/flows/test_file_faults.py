"""`diffsync-flows check` names each fault of a file by file, line and place, with what was found and what mends it."""

import asyncio
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from diffsync_flows.cli import app
from diffsync_flows.config.adapter_arguments import accepted
from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config
from diffsync_flows.config.schema import LONGEST
from diffsync_flows.config.yaml_source import ConfigFault, YamlFile
from diffsync_store import Adapter
from tests.flows.systems import CountingAdapter, PlainAdapter
from tests.servers import RedisServer

STORE = "store: {url: 'redis://127.0.0.1:1'}\n"
PLAIN = "tests.flows.systems:PlainAdapter"
ADAPTER = f"{STORE}adapters:\n  a:\n    class: {PLAIN}\n"
PAIR = f"{STORE}adapters: {{a: {{class: '{PLAIN}'}}, b: {{class: '{PLAIN}'}}}}\nsyncs:\n  s:\n    source: a\n    target: b\n"
HERE = "tests.flows.test_file_faults"


class OddSettings(Adapter):
    class Settings(BaseModel):
        anything: object = None

        def __init__(self, **data: object) -> None:
            raise KeyError("s3cr3t")


class PlainSettings(Adapter):
    class Settings:
        """No pydantic model."""


class TakesAnything(Adapter):
    def __init__(self, **options: object) -> None:
        self.depth = options.pop("depth", 1)
        super().__init__(**options)  # type: ignore[arg-type]  # what is left is for the class below


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "syncs.yaml"
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(path))
    monkeypatch.setenv("SOME_URL", "redis://127.0.0.1:1")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit('no licence')\n", "utf-8")
    return path


def check(path: Path, content: str) -> Result:
    path.write_text(content, "utf-8")
    return CliRunner().invoke(app, ["check"])


TIMES = "above 0 and of at most " + str(LONGEST)
MAPPING_OF_ALL = "a mapping of project, store, adapters, syncs, housekeeping, metrics is expected"
SCHEDULE = (
    "a mapping of cron, interval, timezone, active is expected, such as "
    "{cron: 30 2 * * 1-5, timezone: Europe/Zurich}; found "
)
MALFORMED = "a ${ that begins no variable: ${NAME} has letters, digits and _ in its name; $${ stands for ${ as it is"
NO_VARIABLES = "no variables are taken here, only in the store's url and block, and in settings"
QUOTE_SIGN = 'a text that begins with one of * & @ ` % is put into quotes, such as "*/5 * * * *"'

LAUGHS = "".join(
    [
        f"{ADAPTER}    settings:\n",
        "      - &a0 [x, x, x, x, x, x, x, x, x]\n",
        *(f"      - &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)),
    ]
)
"""Nine levels of aliases: half a kilobyte that stands for 3,486,784,401 values."""
MERGES = "".join(
    [
        f"{ADAPTER}    settings:\n",
        "      a0: &a0 {x: 1}\n",
        *(f"      a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 10)),
    ]
)

FAULTS = {
    # what is not YAML, or more than this file takes of it
    "hello": f"1: {MAPPING_OF_ALL}; found 'hello'",
    "- store": f"1: {MAPPING_OF_ALL}; a list was found",
    "store:\n\turl: x": "2: not YAML: found character '\\t' that cannot start any token; YAML indents by spaces, never by tabs",
    "store: {url: ${SOME_URL}}": (
        "1: not YAML: expected ',' or '}', but got '{'; between braces or brackets a variable is put into quotes: "
        '{url: "${REDIS_URL}"}'
    ),
    f"{PAIR}    schedule:\n      cron: */5 * * * *": (
        f"8: not YAML: expected alphabetic or numeric character, but found '/'; {QUOTE_SIGN}"
    ),
    f"{ADAPTER}    description: loads: all": (
        "5: not YAML: mapping values are not allowed here; a text with ': ' in it is put into quotes, and keys side by side "
        "are indented alike"
    ),
    "store: [redis, x": "1: not YAML: expected ',' or ']', but got '<stream end>'; a bracket or a brace is not closed, or a comma is missing",
    "store: 'redis": "1: not YAML: found unexpected end of stream; a quote is not closed",
    "store: {}\n---\nadapters: {}": "2: not YAML: but found another document; --- begins a second document; the file has one",
    "store: *x": (
        "1: not YAML: found undefined alias 'x'; *name repeats what &name marks above it; a text that begins with * is put "
        "into quotes"
    ),
    f"{ADAPTER}    description: !!python/name:os.system x": (
        "5: adapters.a.description: takes no tag !!python/name:os.system: write the value alone, a class as the text "
        "module:Class"
    ),
    f"{ADAPTER}    settings: !secret {{a: 1}}": (
        "5: adapters.a.settings: takes no tag !secret: write the value alone, a class as the text module:Class"
    ),
    f"{ADAPTER}    description: 2026-13-45": (
        "5: adapters.a.description: '2026-13-45' is no timestamp; a text is put into quotes"
    ),
    LAUGHS: "6: adapters.a.settings.4.0.2.0.6.7: its aliases (*name, <<) repeat more than 10,000 values: write out what is meant",
    MERGES: "7: adapters.a.settings.a5: its aliases (*name, <<) repeat more than 10,000 values: write out what is meant",
    "a: 1\nb: x\0y": "2: not YAML: the character '\\x00' may not stand in it",
    f"{PAIR.replace('source: a', 'source: no')}": (
        "5: syncs.s.source: a text is expected, such as netbox; found no, which is false for YAML: a text is put into quotes"
    ),
    f"{PAIR}    description: 1:30": (
        "7: syncs.s.description: YAML takes it for another number than it looks like, such as 1:30 for 90: write the number, or "
        "a text in quotes"
    ),
    f"{PAIR}    retention: 010": (
        "7: syncs.s.retention: YAML takes it for another number than it looks like, such as 010 for 8: write the number, or a "
        "text in quotes"
    ),
    f"{PAIR}    description: 2026-11-27": "7: syncs.s.description: a text is expected; found 2026-11-27",
    f"{ADAPTER}    settings: {{label: 12:34:56}}": (
        "5: adapters.a.settings.label: YAML takes it for another number than it looks like: write the number, or a text in quotes"
    ),
    f"{PAIR}    apply: {{workers: yes}}": (
        "7: syncs.s.apply.workers: a whole number above 0 is expected; found yes, which is true for YAML: a text is put into quotes"
    ),
    f"{PAIR}    apply: {{max_calls_per_second: .inf}}": "7: syncs.s.apply.max_calls_per_second: a number above 0 is expected; found inf",
    f"{PAIR}    schedule: {{cron: 0 0 30 2 *}}": (
        "7: syncs.s.schedule: '0 0 30 2 *' never comes: none of its months has such a day"
    ),
    f"{PAIR}    schedule: {{cron: '0 0 31 apr,jun,9 *'}}": (
        "7: syncs.s.schedule: '0 0 31 apr,jun,9 *' never comes: none of its months has such a day"
    ),
    f"{PAIR}    schedule: {{interval: 0}}": f"7: syncs.s.schedule.interval: a whole number {TIMES} is expected; found 0",
    f"{PAIR}    schedule: {{cron: '@daily', timezone: localtime}}": (
        "7: syncs.s.schedule.timezone: no such time zone; give an IANA name such as UTC or Europe/Zurich"
    ),
    f"{STORE}syncs: &a [*a]": "2: syncs.0: is an alias of what it stands in itself, and would never end",
    f"{STORE}syncs: {'[' * 2000}": "its lists and mappings are nested too deeply",
    f"{STORE}? [a, b]\n: x": "2: a key is one word; a list or a mapping was found in its place",
    f"{STORE}housekeeping:\n  <<: 3": "3: housekeeping: << takes a mapping, such as *common of a mapping &common",
    "store: {url: a}\nstore: {url: b}": "2: store: stands twice in the file",
    # the store
    "": "1: store: is missing, such as {url: '${REDIS_URL}'}",
    "store: redis://x": "1: store: a mapping of url, block, ttl is expected, such as {url: '${REDIS_URL}'}",
    "store: {url: redis://x, block: y}": "1: store: give a url, or the name of a block, and not both",
    "store: {uri: redis://x}": "1: store.uri: no such key; 'url' may be meant; there are url, block, ttl",
    "store:\n  url: $SOME_URL": (
        "2: store.url: $SOME_URL would be taken as it is written: a variable is written ${SOME_URL}"
    ),
    "store:\n  url: ${SOME-URL}": f"2: store.url: {MALFORMED}",
    "store:\n  url: redis://:${PASS": f"2: store.url: {MALFORMED}",
    "store:\n  url: ${NOT_SET_ANYWHERE}": "2: store.url: the environment has no variable NOT_SET_ANYWHERE",
    "store:\n  url: redis://x\n  ttl: ${TTL}": f"3: store.ttl: ${{TTL}}: {NO_VARIABLES}",
    "store:\n  url: redis://x\n  ttl: week": f"3: store.ttl: a whole number {TIMES} is expected",
    # adapters
    f"{STORE}adapters: [a]": (
        "2: adapters: a mapping of names is expected, such as {netbox: {class: 'my_adapters.netbox:NetBox'}}; a list was found"
    ),
    f"{STORE}adapters: {{a: }}": (
        "2: adapters.a: a mapping of class, settings, description, schedule, work_pool is expected, such as {class: "
        "'my_adapters.netbox:NetBox', settings: {url: 'https://netbox'}}; nothing was found"
    ),
    f"{STORE}adapters:\n  a: {{settings: {{}}}}": "3: adapters.a.class: is missing, such as my_adapters.netbox:NetBoxAdapter",
    f"{STORE}adapters: {{a b: {{class: '{PLAIN}'}}}}": (
        "2: adapters.a b: a name has 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit"
    ),
    f"{STORE}adapters: {{a: {{class: os}}}}": (
        "2: adapters.a.class: a class is given as module:Class, such as my_adapters.netbox:NetBoxAdapter"
    ),
    f"{STORE}adapters: {{a: {{class: 'leaving:Adapter'}}}}": (
        "2: adapters.a.class: leaving raises while it is imported: SystemExit: no licence"
    ),
    f"{STORE}adapters: {{a: {{class: '{HERE}:PlainSettings'}}}}": (
        "2: adapters.a.class: PlainSettings.Settings is no pydantic model"
    ),
    f"{STORE}adapters: {{a: {{class: '{HERE}:OddSettings'}}}}": (
        "2: adapters.a.settings: OddSettings.Settings raises KeyError"
    ),
    f"{ADAPTER}    settings:\n      objcts: 3": (
        "6: adapters.a.settings.objcts: PlainAdapter takes no such setting; 'objects' may be meant; there are label, objects"
    ),
    f"{ADAPTER}    settings:\n      name: x": (
        "6: adapters.a.settings.name: is given by the flows to every adapter, and is no setting"
    ),
    f"{ADAPTER}    settings: [x]": "5: adapters.a.settings: a mapping of names is expected, such as {token: '${NETBOX_TOKEN}', url: 'https://netbox'}; a list was found",
    f"{ADAPTER}    settings:\n      label: ${{LABEL": f"6: adapters.a.settings.label: {MALFORMED}",
    f"{ADAPTER}    work_pool: a/b": (
        "5: adapters.a.work_pool: 'a/b' is no name of a work pool: it has letters, and none of / % & > <"
    ),
    f"{ADAPTER}    work_pool: Prefect-load": (
        "5: adapters.a.work_pool: 'Prefect-load' is no name of a work pool: Prefect keeps those that begin with 'prefect' for "
        "itself"
    ),
    # syncs
    f"{PAIR}    schedule: '30 2 * * *'": f"7: syncs.s.schedule: {SCHEDULE}'30 2 * * *'",
    f"{PAIR}    schedule: {{cron: 0 0 2 * * *}}": (
        "7: syncs.s.schedule: '0 0 2 * * *' is no cron line: it has five fields, such as 30 2 * * 1-5, or is @daily"
    ),
    f"{PAIR}    schedule: {{cron: 5}}": "7: syncs.s.schedule.cron: a text is expected; found 5",
    f"{PAIR}    schedule: {{interval: 99999999999999}}": (
        f"7: syncs.s.schedule.interval: a whole number {TIMES} is expected; found 99999999999999"
    ),
    f"{PAIR}    chain: true": (
        "7: syncs.s.chain: a mapping of diff_after_load, sync_after_diff is expected, such as {diff_after_load: true, "
        "sync_after_diff: true}; found True"
    ),
    f"{PAIR}    retention: ${{DAYS}}": f"7: syncs.s.retention: ${{DAYS}}: {NO_VARIABLES}",
    f"{PAIR}    approval: sometimes": (
        "7: syncs.s.approval: 'never', 'deletes' or 'always' is expected; found 'sometimes'"
    ),
    f"{PAIR}    guards: {{change_limits: {{per_model: {{delete: {{percent: 500}}}}}}}}": (
        "7: syncs.s.guards.change_limits.per_model.delete: 500 percent can never be reached: use at most 100 percent"
    ),
    f"{PAIR}    guards: {{change_limits: {{models: {{item: {{delete: {{}}}}}}}}}}": (
        "7: syncs.s.guards.change_limits.models.item.delete: limits nothing: give percent, absolute or both, such as {percent: 5}"
    ),
    f"{PAIR}    guards: [deletes]": (
        "7: syncs.s.guards: a mapping of completeness, change_limits is expected, such as {change_limits: {per_model: {delete: {percent: 5}}}}; "
        "a list was found"
    ),
    f"{PAIR}    approval: always\n    approval_timeout: 700000": (
        "8: syncs.s.approval_timeout: 700000 seconds are longer than what waits for the approval is kept, 604800 seconds by "
        "store.ttl: lower the one or raise the other"
    ),
    f"{PAIR}    approval: deletes\n    retention: 3600": (
        "4: syncs.s.approval_timeout: 604800 seconds are longer than what waits for the approval is kept, 3600 seconds by "
        "syncs.s.retention: lower the one or raise the other"
    ),
    # the rest
    f"{STORE}metrics: {{textfile: /no/such}}": "2: metrics.textfile: '/no/such' is no folder on HOST: make it, as on every host of a worker",
    f"{STORE}metrics: {{pushgateway: 'redis://x'}}": (
        "2: metrics.pushgateway: a Pushgateway is given by its URL, such as http://pushgateway:9091"
    ),
    f"{STORE}project: a/b": "2: project: a name has 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit",
    f"{STORE}housekeeping: {{stores: 0}}": f"2: housekeeping.stores: a whole number {TIMES} is expected; found 0",
}  # fmt: skip


@pytest.mark.parametrize("content", FAULTS)
def test_a_fault_is_told_by_its_line_in_words_that_mend_it(
    path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "HOST")
    done = check(path, content)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    expected = FAULTS[content]
    place = f"{path}:" if expected[0].isdigit() else f"{path}: "
    assert done.stderr.splitlines() == [f"{place}{expected}"]


WHOLE = f"""
project: p
store: {{url: "redis://127.0.0.1:1", ttl: 604800}}
adapters:
  a:
    class: {PLAIN}
    settings: {{label: x, objects: 3}}
    description: d
    schedule: {{cron: 0 2 * * *, timezone: UTC, active: true}}
    work_pool: w
  r: {{class: "tests.flows.systems:RefusingAdapter", settings: {{url: u, file: f}}}}
syncs:
  s:
    source: a
    target: r
    schedule: {{interval: 60}}
    flags: [CONTINUE_ON_FAILURE]
    approval: always
    approval_timeout: 60
    retention: 3600
    apply: {{workers: 1, max_calls_per_second: 1.0, max_failure_ratio: 0.5}}
    chain: {{diff_after_load: true}}
    work_pools: {{diff: x}}
    guards:
      completeness: {{allow_partial: [item]}}
      change_limits: {{sync: {{delete: {{percent: 5, absolute: 1}}}}, models: {{item: {{update: {{absolute: 1}}}}}}}}
housekeeping: {{stores: 1, diffs: 604800, schedule: {{cron: 1 1 * * *}}}}
metrics: {{textfile: /tmp, pushgateway: "http://x"}}
"""
ODD: list[Any] = [None, {"a": {"b": [None]}}, 10**400]


def places(part: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield from places(value, (*at, key))


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_whatever_stands_in_a_place_is_read_or_is_a_fault(path: Path, value: Any) -> None:
    told: list[str] = []
    for place in places(yaml.safe_load(WHOLE)):
        content = {"": yaml.safe_load(WHOLE)}
        *parents, last = ("", *place)
        reduce(getitem, parents, content)[last] = value
        path.write_text(yaml.safe_dump(content[""]), "utf-8")
        try:
            check_file(Config(path))
        except ConfigFault as fault:
            told += fault.faults
    assert told
    assert [line for line in told if not line.startswith(str(path))] == []
    assert [line for line in told if "Input should be" in line] == []


def test_a_file_that_cannot_be_read_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(path.parent))
    done = CliRunner().invoke(app, ["check"])
    assert done.stderr == f"{path.parent}: cannot be read: Is a directory; DIFFSYNC_CONFIG names the file to read\n"


def test_a_file_that_is_no_text_is_told(path: Path) -> None:
    path.write_bytes(b"store: \xff")
    assert CliRunner().invoke(app, ["check"]).stderr.startswith(f"{path}: not YAML, which is text in UTF-8: ")


def test_a_file_that_is_too_large_is_not_read(path: Path) -> None:
    assert check(path, f"{PAIR}# {'x' * 2**20}").stderr == (
        f"{path}: is larger than 1,048,576 bytes; DIFFSYNC_CONFIG names the file to read\n"
    )


def test_a_file_may_have_a_byte_order_mark_and_lines_of_another_system(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + PAIR.replace("\n", "\r\n").encode())
    check_file(Config(path))


def test_what_is_repeated_a_thousand_times_is_read(path: Path) -> None:
    common = "store: {url: 'redis://127.0.0.1:1'}\nadapters:\n  a0: &a {class: 'tests.flows.systems:PlainAdapter'}\n"
    path.write_text(common + "".join(f"  a{number}: *a\n" for number in range(1, 1000)), "utf-8")
    assert len(Config(path).adapters) == 1000


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "0 0 29 2 1", "0 0 30 2,3 *", "0 0 l 2 *", "59 23 31 12 7", "@yearly"])
def test_a_day_that_comes_seldom_is_right(path: Path, cron: str) -> None:
    path.write_text(f"{PAIR}    schedule: {{cron: '{cron}', timezone: Europe/Zurich}}", "utf-8")
    check_file(Config(path))


async def read_it(path: Path) -> None:
    check_file(Config(path))


def test_a_schedule_is_checked_also_where_an_event_loop_runs(path: Path) -> None:
    path.write_text(f"{PAIR}    schedule: {{cron: '0 0 28 2 *'}}", "utf-8")
    asyncio.run(read_it(path))


def test_a_store_that_does_not_answer_is_told_with_its_address_and_what_to_do(path: Path) -> None:
    told = check(path, "store:\n  url: redis://:hunter22@127.0.0.1:1").stderr
    assert told.startswith(
        f"{path}:1: store: Redis store is unavailable. It is redis://:***@127.0.0.1:1: see that it runs, "
    )


def test_the_address_of_a_store_without_a_password_is_told_too(path: Path) -> None:
    assert "It is redis://127.0.0.1:1: see that" in check(path, "store:\n  url: redis://127.0.0.1:1").stderr


def test_an_option_of_a_url_that_is_none_is_told(path: Path) -> None:
    told = check(path, "store:\n  url: redis://:hunter22@127.0.0.1:1?tiemout=3").stderr
    assert told.startswith(f"{path}:1: store: The Redis URL is not valid: ")
    assert "'tiemout'" in told
    assert "hunter22" not in told


def test_a_url_that_is_none_is_told_with_what_it_begins_with(path: Path) -> None:
    assert (
        "store: The Redis URL is not valid: it must begin with redis://"
        in check(path, "store: {url: 'http://x'}").stderr
    )


@pytest.mark.parametrize(
    ("url", "told"), [("http://127.0.0.1:1/api", "cannot be reached"), (None, "No Prefect server is named")]
)
def test_a_block_is_told_to_need_prefect(path: Path, url: str | None, told: str) -> None:
    with temporary_settings({PREFECT_API_URL: url}):
        done = check(path, "store:\n  block: shared")
    assert done.exit_code == 1
    assert done.stderr.startswith(
        f"{path}:2: store.block: no block 'shared' of the type 'DiffSync store' can be read: "
    )
    assert told in done.stderr


def test_a_file_without_a_fault_is_told_to_be_all_right(path: Path) -> None:
    with RedisServer("valkey") as server:
        done = check(path, PAIR.replace("redis://127.0.0.1:1", server.url) + "    schedule: {cron: '@daily'}\n")
    assert (done.exit_code, done.stdout) == (0, f"{path}: OK (2 adapters, 1 sync)\n")


def test_what_several_places_have_in_common_is_merged(path: Path) -> None:
    path.write_text(
        dedent("""\
            common: &common {a: 1, b: 1}
            more: &more {b: 2, c: 2}
            one: {<<: *common, a: 0}
            two: {<<: [*common, *more]}
            """),
        "utf-8",
    )
    file = YamlFile(path)
    assert file.data["one"] == {"a": 0, "b": 1}
    assert file.data["two"] == {"a": 1, "b": 1, "c": 2}
    assert file.fault(("two", "c"), "is wrong") == f"{path}:2: two.c: is wrong"


def test_what_a_class_takes_is_told_by_it_and_by_those_that_it_passes_the_rest_on_to() -> None:
    assert accepted(PlainAdapter) == ["label", "objects"]
    assert accepted(CountingAdapter) == ["file", "label", "objects"]
    assert accepted(TakesAnything) is None
