"""Adapters that are written for diffsync, unchanged: `class:` names a class of that package.

The programs run in processes of their own, because the library behaves differently once diffsync is imported.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, demand
from tests.http_service import HttpService
from tests.servers import MissingPart

Python = Callable[..., str]

SOURCE: dict[str, Any] = {
    "sites": [{"name": "zrh", "region": "CH"}],
    "devices": [
        {"name": "sw1", "site": "zrh", "serial": "A", "tags": [{"name": "x"}], "interfaces": {"e0": 1500, "e1": 9000}},
        {"name": "sw2", "site": "brn", "interfaces": {"e0": None}},
    ],
}
TARGET: dict[str, Any] = {
    "sites": [{"name": "zrh", "region": "DE"}, {"name": "old"}],
    "devices": [
        {"name": "sw1", "site": "zrh", "serial": "B", "interfaces": {"e0": 1400, "e9": 1}},
        {"name": "sw9", "site": "old", "interfaces": {"e0": 1}},
        {"name": "sw8", "site": "zrh", "is_pinned": True},
    ],
}
DCIM = "tests.written_for_diffsync.dcim"
FILE = f"""
store: {{url: "${{REDIS_URL}}"}}
adapters:
  inventory: {{class: "{DCIM}:Inventory", settings: {{path: source.json}}}}
  system: {{class: "{DCIM}:System", settings: {{path: target.json}}}}
  plain: {{class: "{DCIM}:Plain", settings: {{path: plain.json}}}}
syncs:
  dcim: {{source: inventory, target: system}}
"""
LOCAL = """
import json, sys
from pathlib import Path
from diffsync_store import LocalStore
from diffsync_store.project import Project, find_problems

project = Project(Path("syncs.yaml"), {"REDIS_URL": "redis://127.0.0.1:1"})
assert not list(find_problems(project))


def pair():
    made = [project.make_adapter(name, LocalStore(name=name)) for name in ("inventory", "system")]
    for adapter in made:
        adapter.load()
    return made


source, target = pair()
found = [target.diff_from(source).summary()]
target.sync_from(source)
source, target = pair()
found.append(target.diff_from(source).summary())
assert type(source).__mro__[-2].__module__ == "diffsync"
print(json.dumps(found))
"""
PLAIN = """
from pathlib import Path
from diffsync_store import LocalStore
from diffsync_store.project import Project

store = LocalStore(name="plain")
adapter = Project(Path("syncs.yaml"), {"REDIS_URL": "x"}).make_adapter("plain", store)
adapter.load()
assert adapter.store is store and store.adapter is adapter
print(adapter.name, store.count(model="device"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source.json").write_text(json.dumps(SOURCE), "utf-8")
    (tmp_path / "target.json").write_text(json.dumps(TARGET), "utf-8")
    (tmp_path / "syncs.yaml").write_text(FILE, "utf-8")
    return tmp_path


@pytest.fixture
def python(folder: Path, diffsync_dir: Path) -> Python:
    """Run Python with diffsync importable, and return what it prints."""

    def run(*arguments: str, code: int = 0, **environment: str) -> str:
        path = os.pathsep.join([str(diffsync_dir), str(ROOT)])
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


def test_a_sync_in_one_process_needs_no_store_in_redis(python: Python, folder: Path) -> None:
    first, again = json.loads(python("-c", LOCAL).splitlines()[-1])
    assert first == {"create": 4, "update": 3, "delete": 4, "no-change": 0, "skip": 1}
    assert again == {"create": 0, "update": 0, "delete": 0, "no-change": 7, "skip": 1}
    assert names(folder) == ["sw1", "sw8", "sw2"]


def test_plan_and_apply_work_in_processes_of_their_own(python: Python, folder: Path, redis_url: str) -> None:
    """The store, the saved diff and the sync know the models and flags of diffsync."""

    def command(*arguments: str) -> Any:
        return json.loads(python("-m", "diffsync_store.cli", *arguments, "--json", REDIS_URL=redis_url))

    planned = command("plan", "dcim", "--out")
    assert planned["summary"]["create"] == 4
    assert names(folder) == ["sw1", "sw9", "sw8"]
    applied = command("apply", planned["diff_id"], "--yes")
    counts = {"created": 4, "updated": 3, "deleted": 4, "skipped": 0, "blocked": 0, "failed": 0}
    assert applied["counts"] == counts
    assert names(folder) == ["sw1", "sw8", "sw2"]
    [sw1, *_] = json.loads((folder / "target.json").read_text("utf-8"))["devices"]
    assert sw1 == {**SOURCE["devices"][0], "site": "zrh"}
    assert command("plan", "dcim")["summary"]["create"] == 0


def test_what_the_system_refuses_is_listed_and_the_rest_is_applied(
    python: Python, folder: Path, redis_url: str
) -> None:
    """A plugin's adapter raises diffsync's exceptions, or returns None to skip a record."""
    new = [{"name": "sw3", "site": "zrh", "serial": "refused", "interfaces": {"e0": 1}}]
    new += [{"name": "sw4", "site": "zrh", "serial": "skipped"}]
    (folder / "source.json").write_text(json.dumps({**SOURCE, "devices": SOURCE["devices"] + new}), "utf-8")
    shown = python("-m", "diffsync_store.cli", "apply", "dcim", "--yes", "--json", code=1, REDIS_URL=redis_url)
    applied = json.loads(shown)
    counts = {"created": 4, "updated": 3, "deleted": 4, "skipped": 1, "blocked": 1, "failed": 1}
    assert applied["counts"] == counts
    assert [reject["reason"] for reject in applied["rejects"]] == [
        "ObjectNotCreated: sw3 is refused",
        "device sw3 above it was not done.",
    ]
    assert names(folder) == ["sw1", "sw8", "sw2"]


@pytest.mark.slow
def test_a_killed_sync_goes_on_where_it_was(python: Python, folder: Path, redis_url: str) -> None:
    (folder / "syncs.yaml").write_text(FILE.replace(":System", ":Dying"), "utf-8")
    command = "-m", "diffsync_store.cli"
    diff_id = json.loads(python(*command, "plan", "dcim", "--out", "--json", REDIS_URL=redis_url))["diff_id"]
    apply = *command, "apply", diff_id, "--yes", "--json"
    python(*apply, code=-signal.SIGKILL, REDIS_URL=redis_url)
    assert names(folder) == ["sw1", "sw9", "sw8", "sw2"]
    resumed = json.loads(python(*apply, REDIS_URL=redis_url))
    assert resumed["counts"]["created"] + resumed["counts"]["done_before"] >= 4
    assert resumed["rejects"] == []
    assert names(folder) == ["sw1", "sw8", "sw2"]
    again = json.loads(python(*command, "plan", "dcim", "--json", REDIS_URL=redis_url))
    assert again["summary"]["create"] == again["summary"]["update"] == again["summary"]["delete"] == 0


def test_a_class_need_not_accept_a_name_and_a_store(python: Python, folder: Path) -> None:
    data = {"device": {"sw1": {"name": "sw1", "site_name": "zrh"}}}
    (folder / "plain.json").write_text(json.dumps(data), "utf-8")
    (folder / "syncs.yaml").write_text(FILE.replace("path: plain.json", f"path: {folder}/plain.json"), "utf-8")
    assert python("-c", PLAIN).split() == ["plain", "1"]


INFRAHUB = """
store: {url: "${REDIS_URL}"}
adapters:
  rest:
    class: tests.written_for_diffsync.infrahub:RestSource
    settings: {url: "${API}", token: "${API_TOKEN}"}
  file:
    class: tests.written_for_diffsync.infrahub:FileTarget
    settings: {path: target.json}
syncs:
  infrahub: {source: rest, target: file}
"""
ANSWERS = {
    "sites": [{"id": 1, "name": "zrh"}, {"id": 2, "name": "brn"}],
    "devices": [
        {"id": 7, "name": "sw1", "role": "Leaf", "status": "active", "site": {"id": 2}},
        {"id": 8, "name": "sw2", "role": "Leaf", "status": "planned", "site": {"id": 1}},
    ],
}


def test_adapters_of_infrahub_sync_are_planned_and_applied(
    python: Python, folder: Path, redis_url: str, diffsync_dir: Path
) -> None:
    """They look references up in the store by a field that is not compared."""
    demand(lambda: infrahub_sync(diffsync_dir))
    (folder / "syncs.yaml").write_text(INFRAHUB, "utf-8")
    (folder / "target.json").unlink()
    with HttpService(
        lambda path: json.dumps({path.rsplit("/")[-1]: ANSWERS[path.rsplit("/")[-1]]}).encode()
    ) as service:
        environment = {"REDIS_URL": redis_url, "API": service.url, "API_TOKEN": "hunter22", "NO_PROXY": "127.0.0.1"}

        def command(*arguments: str) -> Any:
            return json.loads(python("-m", "diffsync_store.cli", *arguments, "--json", **environment))

        applied = command("apply", "infrahub", "--yes")
        assert applied["counts"]["created"] == 3
        assert command("plan", "infrahub")["summary"]["create"] == 0
    assert json.loads((folder / "target.json").read_text("utf-8")) == {
        "LocationSite": {"zrh": {"name": "zrh", "region": "emea"}, "brn": {"name": "brn", "region": "emea"}},
        "InfraDevice": {"sw1": {"name": "sw1", "role": "leaf", "location": "brn"}},
    }


def infrahub_sync(folder: Path) -> Path:
    if not (folder / "infrahub_sync").is_dir():
        raise MissingPart("infrahub-sync 2.0.1", "make diffsync")
    return folder


def names(folder: Path) -> list[str]:
    return [device["name"] for device in json.loads((folder / "target.json").read_text("utf-8"))["devices"]]
