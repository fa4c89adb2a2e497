"""Each problem of a file has its line, column and key, the value that was found, and a remedy."""

from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from diffsync_store import DiffSyncFlags
from diffsync_store.project import ConfigError, Project, find_problems
from tests.project.conftest import Problems
from tests.project.files import ADAPTER, ADAPTERS, PAIR, PLAIN, STORE

DECLARATIONS = "project, store, models, adapters, syncs, housekeeping, serve, notify, metrics, prefect_ui"
SYNC = (
    "source, target, description, flags, guards, approval, rules, fields, deletes, rehearse, rehearsal_timeout, windows, "
    "stale_after, diff_retention, agents, canary, apply"
)
NAME = "a name has 1 to 64 letters, digits, '.', '_' or '-', and starts with a letter or a digit"
DURATION = "expected a duration such as 30s, 2m, 1h30m or 7d, or a number of seconds"
NO_VARIABLES = (
    "is not expanded here. Variables work only in the store's url and block, an adapter's settings, serve, and the addresses of "
    "notify."
)
MALFORMED = "invalid variable. Write ${NAME} with letters, digits and _; write $${ for a literal ${."
CLASS = "my_adapters.netbox:NetBox"
TYPES = "files, python, sql, rest, netbox, nautobot, powerdns"
NO_CLASS = f"give either type, for a ready adapter, or class, for your own. Types: {TYPES}"

PROBLEMS = {
    "hello": f"1:1: expected a mapping with the keys {DECLARATIONS}; got 'hello'",
    "- store": f"1:1: expected a mapping with the keys {DECLARATIONS}; got a list",
    # the store
    "store: redis://x": '1:1: store: expected a mapping with the keys url, block, ttl, e.g. {url: "${REDIS_URL}"}',
    "store: {}": "1:1: store: give either url or block",
    "store: {url: redis://x, block: y}": "1:1: store: give either url or block",
    "store: {uri: redis://x}": "1:9: store.uri: unknown key. Did you mean 'url'? Known keys: url, block, ttl",
    "store:\n  url: $SOME_URL": "2:3: store.url: $SOME_URL is not a variable. Write ${SOME_URL}.",
    "store:\n  url: ${SOME-URL}": f"2:3: store.url: {MALFORMED}",
    "store:\n  url: redis://:${PASS": f"2:3: store.url: {MALFORMED}",
    "store:\n  url: ${NOT_SET}": "2:3: store.url: the environment variable NOT_SET is not set",
    "store:\n  url: redis://x\n  ttl: ${TTL}": f"3:3: store.ttl: ${{TTL}} {NO_VARIABLES}",
    "store:\n  url: redis://x\n  ttl: week": f"3:3: store.ttl: {DURATION}",
    "store:\n  url: [s3cr3t]": "2:3: store.url: Input should be a valid string",
    # adapters
    f"{STORE}adapters: [a]": f"2:1: adapters: expected a mapping, e.g. {{netbox: {{class: {CLASS}}}}}; got a list",
    f"{STORE}adapters: {{a: }}": (
        "2:12: adapters.a: expected a mapping with the keys type, class, settings, records, shards, description, schedule, work_pool, e.g. "
        f'{{class: {CLASS}, settings: {{url: https://netbox}}}}; got nothing'
    ),
    f"{STORE}adapters:\n  a: {{settings: {{}}}}": f"3:3: adapters.a: {NO_CLASS}",
    f"{STORE}adapters: {{a b: {{class: '{PLAIN}'}}}}": f"2:12: adapters.a b: {NAME}",
    f"{STORE}adapters: {{a: {{class: os}}}}": (
        f"2:16: adapters.a.class: write a class as module:Class, e.g. {CLASS}Adapter; got 'os'"
    ),
    f"{STORE}adapters: {{a: {{class: '${{CLASS}}'}}}}": f"2:16: adapters.a.class: ${{CLASS}} {NO_VARIABLES}",
    f"{STORE}adapters: {{a: {{class: 'os:getcwd'}}}}": "2:16: adapters.a.class: os has no adapter class getcwd",
    f"{STORE}adapters: {{a: {{class: 'no.such:Class'}}}}": (
        "2:16: adapters.a.class: cannot import no.such: No module named 'no'. Install its package, or add its folder to PYTHONPATH."
    ),
    f"{STORE}adapters: {{a: {{class: 'leaving:Adapter'}}}}": (
        "2:16: adapters.a.class: importing leaving raised SystemExit: no licence"
    ),
    f"{STORE}adapters: {{a: {{class: 'broken:Adapter'}}}}": (
        "2:16: adapters.a.class: importing broken raised ZeroDivisionError: division by zero"
    ),
    f"{ADAPTER}    work_pol: x": (
        "5:5: adapters.a.work_pol: unknown key. Did you mean 'work_pool'? Known keys: type, class, settings, records, shards, description, schedule, "
        "work_pool"
    ),
    # an adapter's settings
    f"{ADAPTER}    settings: [x]": (
        '5:5: adapters.a.settings: expected a mapping, e.g. {token: "${NETBOX_TOKEN}", url: https://netbox}'
    ),
    f"{ADAPTER}    settings:\n      label: ${{LABEL": f"6:7: adapters.a.settings.label: {MALFORMED}",
    f"{ADAPTER}    settings:\n      label:\n      - ${{NO_LABEL}}": (
        "7:9: adapters.a.settings.label.0: the environment variable NO_LABEL is not set"
    ),
    f"{ADAPTER}    settings:\n      objcts: 3": (
        "6:7: adapters.a.settings.objcts: unknown setting of PlainAdapter. Did you mean 'objects'? Known settings: label, objects"
    ),
    f"{ADAPTER}    settings:\n      name: x": (
        "6:7: adapters.a.settings.name: reserved: every adapter gets this argument from the project"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:DemandingAdapter'}}}}": (
        "2:12: adapters.a.settings: DemandingAdapter: missing a required argument: 'file'"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:SettledAdapter'}}}}": (
        "2:12: adapters.a.settings.folder: required key is missing"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:SettledAdapter', settings: {{folder: x, timeout: -1}}}}}}": (
        "2:86: adapters.a.settings.timeout: Input should be greater than 0"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:SettledAdapter', settings: {{folder: x, tokn: s3cr3t}}}}}}": (
        "2:86: adapters.a.settings.tokn: unknown key. Did you mean 'token'? Known keys: folder, timeout, token"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:OpenSettings', settings: {{folder: x, tokn: s3cr3t}}}}}}": (
        "2:84: adapters.a.settings.tokn: unknown key. Did you mean 'token'? Known keys: folder, time_limit, token"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:NamesItsSettings', settings: {{url: u, uri: x}}}}}}": (
        "2:85: adapters.a.settings.uri: unknown key. Did you mean 'url'? Known keys: url"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:ForgetfulAdapter', settings: {{url: x}}}}}}": (
        "2:77: adapters.a.settings.url: unknown setting of ForgetfulAdapter. Known settings: none"
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:PlainSettings'}}}}": (
        "2:16: adapters.a.class: PlainSettings.Settings is not a pydantic model. Derive it from pydantic.BaseModel."
    ),
    f"{STORE}adapters: {{a: {{class: '{ADAPTERS}:OddSettings'}}}}": (
        "2:12: adapters.a.settings: OddSettings.Settings raised KeyError"
    ),
    # syncs
    f"{STORE}adapters: {{a: {{class: '{PLAIN}'}}}}\nsyncs: {{s: {{source: a, target: a}}}}": (
        "3:24: syncs.s.target: source and target are the same adapter"
    ),
    f"{STORE}adapters: {{a: {{class: '{PLAIN}'}}}}\nsyncs: {{s: {{source: a, target: A}}}}": (
        "3:24: syncs.s.target: no adapter 'A' is declared. Declared: a"
    ),
    f"{PAIR}  t: {{source: a, target: b}}": (
        "7:3: syncs.t: has the same source and target as the sync s. Remove one of them."
    ),
    f"{PAIR}    description: 5": "7:5: syncs.s.description: Input should be a valid string; got 5",
    f"{PAIR}    retries: 3": f"7:5: syncs.s.retries: unknown key. Known keys: {SYNC}, ",
    f"{PAIR}    flags: CONTINUE_ON_FAILURE": (
        "7:5: syncs.s.flags: Input should be a valid list, e.g. [CONTINUE_ON_FAILURE]; got 'CONTINUE_ON_FAILURE'"
    ),
    f"{PAIR}    flags: [CONTINUE]": (
        f"7:13: syncs.s.flags.0: unknown flag. Known flags: {', '.join(DiffSyncFlags.__members__)}; got 'CONTINUE'"
    ),
    f"{PAIR}    approval: sometimes": (
        "7:5: syncs.s.approval: Input should be 'never', 'deletes' or 'always'; got 'sometimes'"
    ),
    f"{PAIR}    diff_retention: 0": "7:5: syncs.s.diff_retention: a duration must be above 0 and at most 36500d; got 0",
    f"{PAIR}    diff_retention: 7 d": f"7:5: syncs.s.diff_retention: {DURATION}; got '7 d'",
    f"{PAIR}    diff_retention: ${{DAYS}}": f"7:5: syncs.s.diff_retention: ${{DAYS}} {NO_VARIABLES}",
    f"{PAIR}    retention: 7d": (
        f"7:5: syncs.s.retention: unknown key. Did you mean 'diff_retention'? Known keys: {SYNC}, "
    ),
    f"{PAIR}    apply: {{workers: many}}": "7:13: syncs.s.apply.workers: Input should be a valid integer; got 'many'",
    f"{PAIR}    apply: {{workers: true}}": "7:13: syncs.s.apply.workers: Input should be a valid integer; got true",
    f"{PAIR}    apply: {{workers: 0}}": (
        "7:13: syncs.s.apply.workers: Input should be greater than or equal to 1; got 0"
    ),
    f"{PAIR}    apply: {{max_calls_per_second: .inf}}": (
        "7:13: syncs.s.apply.max_calls_per_second: Input should be a finite number; got inf"
    ),
    f"{PAIR}    apply: {{max_failure_ratio: 20}}": (
        "7:13: syncs.s.apply.max_failure_ratio: Input should be less than or equal to 1; got 20"
    ),
    f"{PAIR}    apply: {{backoff: -1}}": (
        "7:13: syncs.s.apply.backoff: a duration must be at least 0 and at most 36500d; got -1"
    ),
    f"{PAIR}    apply: {{deletes_last: perhaps}}": (
        "7:13: syncs.s.apply.deletes_last: Input should be a valid boolean, unable to interpret input; got 'perhaps'"
    ),
    f"{PAIR}    apply: {{bulk: 200}}": (
        "7:13: syncs.s.apply.bulk: unknown key. Known keys: workers, batch_size, max_calls_per_second, retries, backoff, "
        "max_failure_ratio, failure_ratio_after, deletes_last, lookup_first, trust_journal"
    ),
    # the rest
    f"{STORE}project: a/b": f"2:1: project: {NAME}; got 'a/b'",
    f"{STORE}housekeeping: {{stores: 1}}": (
        "2:16: housekeeping.stores: unknown key. Known keys: store_retention, diff_retention, schedule, work_pool"
    ),
    f"{STORE}sync: {{}}": (
        f"2:1: sync: unknown key. Did you mean 'syncs'? Known keys: {DECLARATIONS}"
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit('no licence')\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("content", PROBLEMS)
def test_a_problem_has_its_position_its_value_and_a_remedy(problems: Problems, content: str) -> None:
    expected = PROBLEMS[content]
    [found] = problems(content, SOME_URL="redis://x")
    found = found.replace("required keyword-only argument", "required argument")  # the wording of Python 3.12 and newer
    assert found[: len(expected)] == expected if expected.endswith(", ") else found == expected


def test_all_problems_are_reported_together(problems: Problems) -> None:
    content = """\
        store:
          uri: redis://127.0.0.1
        adapters:
          registry:
            settings: {}
          database:
            class: import os
          "a name":
            class: a:B
        syncs:
          airports:
            source: registry
            target: databse
            flags:
              - CONTINUE_ON_FAILURE
              - CONTINUE_ON_FAIL
            retries: 3
        """
    assert [line.split(": ")[:2] for line in problems(content)] == [
        ["2:3", "store.uri"],
        ["4:3", "adapters.registry"],
        ["7:5", "adapters.database.class"],
        ["8:3", "adapters.a name"],
        ["16:9", "syncs.airports.flags.1"],
        ["17:5", "syncs.airports.retries"],
        ["13:5", "syncs.airports.target"],
    ]


def test_a_guard_for_a_model_of_neither_adapter_is_a_problem(problems: Problems) -> None:
    assert problems(f"{PAIR}    guards: {{completeness: {{allow_empty: [itm]}}}}") == [
        "7:29: syncs.s.guards.completeness.allow_empty: neither a nor b has a model 'itm'. Did you mean 'item'? Known models: item"
    ]


WHOLE = f"""
project: p
store: {{url: "redis://127.0.0.1:1", ttl: 7d}}
adapters:
  a:
    class: {PLAIN}
    settings: {{label: x, objects: 3}}
    description: d
    schedule: {{cron: 0 2 * * *}}
  r: {{class: "{ADAPTERS}:SettledAdapter", settings: {{folder: f, token: t}}}}
syncs:
  s:
    source: a
    target: r
    flags: [CONTINUE_ON_FAILURE]
    approval: always
    diff_retention: 1h
    apply: {{workers: 1, max_calls_per_second: 1.0, max_failure_ratio: 0.5, backoff: 1s, deletes_last: true}}
    guards:
      completeness: {{allow_partial: [item]}}
housekeeping: {{store_retention: 1, diff_retention: 604800}}
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
    yaml = YAML(typ="safe", pure=True)
    for place in places(yaml.load(WHOLE)):
        content = {"": yaml.load(WHOLE)}
        *parents, last = ("", *place)
        reduce(getitem, parents, content)[last] = value
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(content[""], file)
        try:
            lines += map(str, find_problems(Project(path, {})))
        except ConfigError as error:
            lines += error.lines
    assert lines
    assert [line for line in lines if not line.startswith(f"{path}:")] == []
