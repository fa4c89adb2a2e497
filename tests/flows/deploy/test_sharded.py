"""The deployments of an adapter with shards. Nothing is contacted."""

import importlib
from pathlib import Path

import pytest
import yaml

from diffsync_flows.config.config import Config
from diffsync_flows.deploy.deployment import Deployment, declared_deployments
from diffsync_flows.deploy.prefect_yaml import prefect_yaml_text

FILE = """
store: {url: "redis://127.0.0.1:1"}
adapters:
  whole: {class: "tests.flows.systems:PlainAdapter"}
  cut: {class: "tests.flows.systems:RegionsAdapter", shards: auto, work_pool: near, schedule: {cron: "0 2 * * *"}, description: d}
"""


@pytest.fixture
def declared(tmp_path: Path) -> dict[str, Deployment]:
    (tmp_path / "syncs.yaml").write_text(FILE)
    return {each.full_name: each for each in declared_deployments(Config(tmp_path / "syncs.yaml", {}))}


def test_each_adapter_with_shards_has_a_deployment_for_one_of_them(declared: dict[str, Deployment]) -> None:
    assert list(declared) == ["load/whole", "load/cut", "load-shard/cut", "housekeeping/housekeeping"]
    load, shard = declared["load/cut"], declared["load-shard/cut"]
    assert (shard.work_pool, shard.parameters, shard.schedule, shard.overlap) == ("near", {"adapter": "cut"}, None, "")
    assert shard.tags == load.tags
    assert load.schedule is not None
    assert shard.description == "Load one shard of cut. Started by load/cut.\n\nd"


def test_the_export_names_the_flow_of_a_shard(declared: dict[str, Deployment]) -> None:
    exported = yaml.safe_load(prefect_yaml_text(declared.values(), "syncs.yaml"))["deployments"]
    [entry] = [each for each in exported if each["entrypoint"] == "diffsync_flows.load_shard.load_shard"]
    assert (entry["name"], entry["work_pool"]["name"]) == ("cut", "near")
    module, _, name = entry["entrypoint"].rpartition(".")
    assert getattr(importlib.import_module(module), name).name == "load-shard"
    schema = declared["load-shard/cut"].content()["parameter_openapi_schema"]
    assert set(schema["properties"]) == {"adapter", "store_id", "shard", "shards", "load"}
