"""Deploying to a real Prefect server."""

import subprocess
import sys
from typing import Any

import pytest

from airports.demo.prefect_stack import ROOT
from diffsync_flows.runtime.parameters import without_empty_defaults
from tests.flows.conftest import Project
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def deployments_of(project: Project) -> dict[str, dict[str, Any]]:
    """Return the deployments of the server, without ids, times and what only a manual deployment has.

    `diffsync-flows deploy` leaves out the empty defaults of parameters, so that Prefect's API accepts null for them.
    """
    names = (
        *("description", "tags", "parameters", "work_pool_name", "work_queue_name", "entrypoint", "pull_steps"),
        *("parameter_openapi_schema", "enforce_parameter_schema", "job_variables", "concurrency_options", "paused"),
    )
    found = project.deployments()
    flows = {flow["id"]: flow["name"] for flow in project.stack.post("/flows/filter")}
    for each in found:
        each["parameter_openapi_schema"] = without_empty_defaults(each["parameter_openapi_schema"])
    return {
        f"{flows[each['flow_id']]}/{each['name']}": {
            **{name: each[name] for name in names},
            "schedules": [(one["schedule"], one["active"]) for one in each["schedules"]],
            "limit": (each["global_concurrency_limit"] or {}).get("limit"),
        }
        for each in found
    }


def flows_command(project: Project, *words: str) -> str:
    variables = project.stack.environment | dict(project.stack.variables["reconcile"])
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_schedule_creates_runs(project: Project) -> None:
    housekeeping = project.stack.get("/deployments/name/housekeeping/housekeeping")["id"]
    asked = {"deployments": {"id": {"any_": [housekeeping]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    wait_until(lambda: project.stack.post("/flow_runs/count", **asked), 240, "runs of the housekeeping are scheduled")


def test_deploying_twice_changes_nothing_and_removed_deployments_are_paused(project: Project) -> None:
    flows_command(project, "diffsync_flows", "deploy", "--yes")
    before = project.deployments()
    output = flows_command(project, "diffsync_flows", "deploy", "--yes")
    assert output.splitlines()[-1].startswith("0 changed, ")
    after = project.deployments()
    assert {each["id"]: each["updated"] for each in before} == {each["id"]: each["updated"] for each in after}
    config = project.folder / "syncs.yaml"
    whole = config.read_text("utf-8")
    try:
        config.write_text("\n".join(line for line in whole.splitlines() if "  cancelled: {source" not in line), "utf-8")
        output = flows_command(project, "diffsync_flows", "deploy", "--yes")
        paused = {line.split()[1] for line in output.splitlines() if line.split()[0] == "paused"}
        assert paused == {"diff/cancelled", "sync/cancelled", "undo/cancelled", "reconcile/cancelled"}
        assert deployments_of(project)["reconcile/cancelled"]["paused"]
    finally:
        config.write_text(whole, "utf-8")
        flows_command(project, "diffsync_flows", "deploy", "--yes")
    assert not deployments_of(project)["reconcile/cancelled"]["paused"]


def test_prefect_deploy_creates_the_same_deployments(project: Project) -> None:
    """Prefect sets its own version, so `diffsync-flows deploy` updates the deployments again afterwards."""
    flows_command(project, "diffsync_flows", "deploy", "--yes")
    before = deployments_of(project)
    file = project.folder / "prefect.yaml"
    file.write_text(flows_command(project, "diffsync_flows", "prefect-yaml"), "utf-8")
    flows_command(project, "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
    assert deployments_of(project) == before
    flows_command(project, "diffsync_flows", "deploy", "--yes")
    assert deployments_of(project) == before
