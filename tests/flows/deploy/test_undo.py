"""The deployment of an undo. Nothing is contacted."""

from pathlib import Path

import pytest
import yaml

from diffsync_flows.config.config import Config
from diffsync_flows.deploy.deployment import Deployment, declared_deployments
from diffsync_flows.deploy.prefect_yaml import prefect_yaml_text

FILE = """
store: {url: "redis://127.0.0.1:1"}
adapters:
  plain: {class: "tests.flows.systems:PlainAdapter"}
  near: {class: "tests.flows.systems:PlainAdapter", work_pool: site-a}
syncs:
  outward: {source: plain, target: near, description: Owned by Ann., work_pools: {sync: writers}, schedule: {interval: 3600}}
  inward: {source: near, target: plain}
"""


@pytest.fixture
def declared(tmp_path: Path) -> dict[str, Deployment]:
    (tmp_path / "syncs.yaml").write_text(FILE)
    return {each.full_name: each for each in declared_deployments(Config(tmp_path / "syncs.yaml", {}))}


def test_each_sync_has_an_undo_on_the_workers_that_load_its_target(declared: dict[str, Deployment]) -> None:
    outward, inward = declared["undo/outward"], declared["undo/inward"]
    assert (outward.work_pool, inward.work_pool) == ("site-a", "diffsync-load")
    assert (outward.parameters, outward.schedule, outward.overlap) == ({"sync_name": "outward"}, None, "")
    assert outward.description == (
        "Save a diff that takes back what the syncs of a saved diff have changed in near, plain → near.\n\nOwned by Ann."
    )


def test_the_form_and_the_export_have_the_undo(declared: dict[str, Deployment]) -> None:
    schema = declared["undo/inward"].content()["parameter_openapi_schema"]
    assert (list(schema["properties"]), schema["required"]) == (
        ["diff_id", "undo_id", "allow", "sync_name"],
        ["diff_id"],
    )
    exported = yaml.safe_load(prefect_yaml_text(declared.values(), "syncs.yaml"))["deployments"]
    pools = {
        each["name"]: each["work_pool"]["name"] for each in exported if each["entrypoint"] == "diffsync_flows.undo.undo"
    }
    assert pools == {"outward": "site-a", "inward": "diffsync-load"}
