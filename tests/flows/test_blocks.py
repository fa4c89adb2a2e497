"""The store's URL in a Prefect block."""

import json
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from diffsync_flows.blocks import DiffsyncStore
from tests.flows.conftest import Project

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


BY_BLOCK = """
store: {block: shared}
adapters:
  five: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 5}}
  seven: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 7}}
syncs:
  busy: {source: seven, target: five}
"""


def test_the_url_of_the_store_can_be_in_a_block_and_its_password_appears_nowhere(
    project: Project, tmp_path: Path
) -> None:
    secret = "hunter-of-blocks"
    with project.redis.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", f">{secret}", "~*", "&*", "+@all")
    config = tmp_path / "syncs.yaml"
    config.write_text(BY_BLOCK, "utf-8")
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        DiffsyncStore(url=SecretStr(project.redis.url.replace("://", f"://ann:{secret}@"))).save("shared")
    environment = {"DIFFSYNC_CONFIG": str(config), "REDIS_URL": "redis://127.0.0.1:1"}
    run = project.run_with(environment, "load/five", store_id="by-block")
    assert run.state == "Completed", run.message
    with project.store("by-block") as store:
        assert store.record().counts == {"item": 5}
    reconciled = project.run_with(environment, "reconcile/busy", sync_name="busy", dry_run=True)
    assert reconciled.state == "Completed", reconciled.message
    log = project.whole_log(run)
    assert "by-block" in log
    shown = [log, project.artifacts(run), project.stack.get(f"/flow_runs/{run.id}")]
    shown += [project.whole_log(reconciled), project.artifacts(reconciled)]
    shown.append(project.stack.post("/block_documents/filter"))
    assert secret not in json.dumps(shown)
