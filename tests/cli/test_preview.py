"""`diffsync-store preview` and `check`."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from tests.cli.conftest import DEVICES, SITES, CommandLine

pytestmark = pytest.mark.slow

OWN = """
from diffsync_store import Adapter, DiffSyncModel


class Item(DiffSyncModel):
    _modelname = "item"
    _identifiers = ("name",)
    _attributes = ("token",)
    name: str
    token: str = "s3cret-token"


class Endless(Adapter):
    item = Item
    top_level = ["item"]

    def load(self):
        print("a line of the adapter")
        number = 0
        try:
            while True:
                number += 1
                with self.rejecting("item", number):
                    self.add(Item(name=f"item {number}"))
        finally:
            print(f"closed after {number}")


def items():
    try:
        for number in range(1000000):
            yield {"name": f"item {number}", "size": "big" if number == 1 else number, "list": [{"id": 1}, {"id": "x"}]}
    finally:
        print(f"closed after {number}")
"""
FILE = """
models:
  item: {identifiers: {name: str}, attributes: {size: int}, children: [part]}
  part: {identifiers: {item: str, id: int}, references: {item: item}}
adapters:
  own: {class: "own:Endless"}
  function:
    type: python
    settings: {module: own}
    records: {item: {from: items}, part: {from: "list[]"}}
"""


@pytest.fixture
def own(tmp_path: Path) -> CommandLine:
    (tmp_path / "own.py").write_text(OWN, "utf-8")
    (tmp_path / "syncs.yaml").write_text(textwrap.dedent(FILE), "utf-8")
    return CommandLine(tmp_path, {"PYTHONPATH": str(tmp_path)})


def test_a_preview_shows_the_record_its_object_and_why_it_is_rejected(project: CommandLine) -> None:
    (project.folder / "data/sites.csv").write_text(f"{SITES}bad,,,secret-4\n", "utf-8")
    output = project.run("preview", "files", "site").stdout
    assert 'raw: {"name": "ams", "region": "eu", "note": "old", "password": "***"' in output
    assert '    region: "eu"\n' in output
    assert "site bad  rejected\n    ValidationError: region: Field required\n" in output
    assert "\x1b" not in output
    assert "secret-" not in output
    assert not (project.folder / ".diffsync-store").exists()


def test_a_preview_is_one_json_document(project: CommandLine) -> None:
    document = json.loads(project.run("preview", "files", "--limit", "1", "--json").stdout)
    assert document["version"] == 1
    assert document["adapter"] == "files"
    site, device = document["records"]
    assert (site["model"], site["unique_id"], device["model"]) == ("site", "ams", "device")
    assert site["fields"] == {"name": "ams", "region": "eu", "note": "old", "password": "***"}
    assert (site["reject"], site["left_out"], site["raw"]["name"]) == (None, False, "ams")


def test_a_preview_stops_reading_after_the_first_records(own: CommandLine) -> None:
    done = own.run("preview", "function", "item", "--limit", "2", "--json")
    assert [each["unique_id"] for each in json.loads(done.stdout)["records"]] == ["item 0", "item 1"]
    assert "size" in json.loads(done.stdout)["records"][1]["reject"]
    assert done.stderr == "closed after 1\n"


def test_a_preview_shows_records_of_a_list_inside_another_record(own: CommandLine) -> None:
    done = own.run("preview", "function", "part", "--limit", "3", "--json")
    first, second, third = json.loads(done.stdout)["records"]
    assert (first["unique_id"], third["unique_id"]) == ("item 0__1", "item 2__1")
    assert second["reject"].startswith("ValidationError: id")
    assert done.stderr == "closed after 2\n"


def test_an_adapter_of_own_python_loads_only_what_is_shown(own: CommandLine) -> None:
    done = own.run("preview", "own", "--limit", "3")
    assert done.stdout.count("item item ") == 3
    assert "s3cret-token" not in done.stdout
    assert done.stderr == "a line of the adapter\nclosed after 3\n"


def test_an_unknown_model_has_a_suggestion(project: CommandLine) -> None:
    error = project.run("preview", "files", "devcie", code=1).stderr
    assert error == "files has no model 'devcie'. Did you mean 'device'? Models: site, device.\n"


def test_check_reports_each_problem_with_its_line(project: CommandLine) -> None:
    assert project.run("check").stdout == "syncs.yaml: OK (adapters: 2, syncs: 1)\n"
    file = project.folder / "syncs.yaml"
    file.write_text(file.read_text("utf-8").replace("target: database", "target: databse"), "utf-8")
    error = project.run("check", code=1).stderr
    assert error.startswith("syncs.yaml:21:30:")
    assert "no adapter 'databse' is declared" in error
    document = json.loads(project.run("check", "--json", code=1).stdout)
    [problem] = document["problems"]
    assert (problem["line"], problem["location"]) == (21, ["syncs", "inventory", "target"])


def test_check_connects_to_each_system(project: CommandLine) -> None:
    output = project.run("check", "--connect").stdout
    assert "store: OK\nfiles: OK (read site, device)\ndatabase: OK (read site)\n" in output
    project.database.unlink()
    (project.folder / "data/devices.csv").write_text(DEVICES, "utf-8")
    document = json.loads(project.run("check", "--connect", "--json", code=1).stdout)
    assert {each["name"]: bool(each["problem"]) for each in document["connections"]} == {
        "store": False,
        "files": False,
        "database": True,
    }


def test_no_command_shows_a_secret_of_the_settings(own: CommandLine) -> None:
    secret = "s3cr3t-of-settings"
    (own.folder / "own.py").write_text(
        "from diffsync_store import Adapter\n"
        "class Leaky(Adapter):\n"
        "    def __init__(self, *args, token, **kwargs):\n"
        "        super().__init__(*args, **kwargs)\n"
        "        self.token = token\n"
        "    def open(self):\n"
        "        raise RuntimeError(f'refused {self.token}')\n"
    )
    (own.folder / "syncs.yaml").write_text(
        "adapters:\n"
        "  a: {class: 'own:Leaky', settings: {token: '${TOKEN}'}}\n"
        "  b: {class: 'own:Leaky', settings: {token: '${TOKEN}'}}\n"
        "syncs: {s: {source: a, target: b}}\n"
    )
    leaky = CommandLine(own.folder, {**own.variables, "TOKEN": secret})
    for words in (("plan", "s"), ("apply", "s", "--yes"), ("check", "--connect"), ("check", "--connect", "--json")):
        done = leaky.run(*words, code=1)
        assert "refused ***" in done.stdout + done.stderr
        assert secret not in done.stdout + done.stderr
