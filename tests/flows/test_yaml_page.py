"""docs/reference/yaml.md has a table for each part of the schema, and its examples are right."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config
from tests.project.files import PAIR
from tools.yaml_page import PAGE, tables, with_tables

TEXT = PAGE.read_text("utf-8")
MODELS = """
from diffsync_store import Adapter, DiffSyncModel

class Vlan(DiffSyncModel):
    _modelname = "vlan"
    _identifiers = ("number",)
    number: int

class Port(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("name",)
    name: str

class Switches(Adapter):
    vlan, port, top_level = Vlan, Port, ["vlan", "port"]
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_tables_are_those_of_the_schema() -> None:
    """`python -m tools.yaml_page` writes them."""
    assert with_tables(TEXT) == TEXT


def test_each_part_of_the_schema_has_a_table() -> None:
    assert set(re.findall(r"<!-- keys of (\w+) -->", TEXT)) == set(tables())


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            result[key] = merged([result.get(key, {}), value]) if isinstance(value, dict) else value
    return result


def test_the_examples_together_are_a_file_without_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, netbox = blocks("python")
    package = tmp_path / "my_adapters"
    package.mkdir()
    (package / "netbox.py").write_text(netbox)
    (package / "switches.py").write_text(MODELS)
    monkeypatch.syspath_prepend(tmp_path)
    yaml = YAML(typ="safe", pure=True)
    file = tmp_path / "syncs.yaml"
    with file.open("w", encoding="utf-8") as text:
        yaml.dump(merged([yaml.load(block) for block in blocks("yaml")]), text)
    addresses = dict.fromkeys(("SLACK_URL", "MAIL_URL", "PIPELINE_URL"), "https://hooks.example.com/1")
    check_file(Config(file, {"REDIS_PASSWORD": "hunter22", "NETBOX_TOKEN": "s3cr3t", **addresses}))
    for name in [name for name in sys.modules if name.split(".")[0] == "my_adapters"]:
        del sys.modules[name]


def test_the_file_is_read_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "syncs.yaml").write_text(PAIR.replace("  s:", "  nightly:") + "project: branches\n")
    exec(blocks("python")[0], {})
    assert capsys.readouterr().out == "a branches\n"
