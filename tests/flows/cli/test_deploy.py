"""`diffsync-flows deploy` beside what is there: nothing of anybody else is touched, and nothing is paused unasked."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airports.demo.prefect_stack import ROOT
from tests.flows.conftest import Project

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

STORE = "store: {url: 'redis://127.0.0.1:1'}\n"
ADAPTER = "adapters: {%s: {class: 'tests.flows.systems:PlainAdapter'}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "syncs.yaml"


def deploy(project: Project, file: Path, *words: str, answer: str | None = None) -> subprocess.CompletedProcess[str]:
    """In a terminal where an answer is given, and else without one."""
    keyboard, stdin = pty.openpty() if answer else (None, subprocess.DEVNULL)
    if keyboard and answer:
        os.write(keyboard, answer.encode())
    environment = project.stack.environment | {"DIFFSYNC_CONFIG": str(file)} | dict(project.stack.variables["load"])
    environment["DIFFSYNC_CONFIG"] = str(file)
    command = [sys.executable, "-m", "diffsync_flows", "deploy", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=stdin, capture_output=True, text=True, check=False, timeout=400
    )
    if keyboard:
        os.close(keyboard)
        os.close(stdin)
    return done


def deployments(project: Project) -> dict[str, dict[str, Any]]:
    flows = {flow["id"]: flow["name"] for flow in project.stack.post("/flows/filter")}
    return {f"{flows[each['flow_id']]}/{each['name']}": each for each in project.deployments()}


def automations(project: Project) -> set[str]:
    return {each["name"] for each in project.stack.post("/automations/filter")}


def paused(project: Project) -> set[str]:
    return {name for name, each in deployments(project).items() if each["paused"]}


def test_another_file_is_deployed_beside_the_first_one(project: Project, file: Path) -> None:
    whole = project.folder / "syncs.yaml"
    up_to_date = deploy(project, whole, "--yes")
    assert up_to_date.returncode == 0, up_to_date.stderr
    before, automated = deployments(project), automations(project)
    file.write_text(f"project: other\n{STORE}{ADAPTER % 'elsewhere'}", "utf-8")
    done = deploy(project, file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(
        f"  export DIFFSYNC_CONFIG={file}\n  prefect worker start --pool other-load\n  prefect worker start --pool other-reconcile\n"
    )
    after = deployments(project)
    assert after.keys() - before.keys() == {"load/elsewhere", "housekeeping/other"}
    assert {name: after[name]["updated"] for name in before} == {name: each["updated"] for name, each in before.items()}
    assert after["load/elsewhere"]["tags"] == ["diffsync", "project:other"]
    assert after["load/elsewhere"]["work_pool_name"] == "other-load"
    assert after["load/elsewhere"]["entrypoint"] == "diffsync_flows.load.load"
    assert (after["load/elsewhere"]["path"], after["load/elsewhere"]["pull_steps"]) == (None, [])
    names = ("mark lost runs as crashed", "restart crashed runs", "end syncs whose approval timed out")
    added = {f"diffsync other: {name}" for name in names}
    assert automations(project) - automated == added

    again = deploy(project, whole)
    assert (again.returncode, again.stdout.splitlines()[-1][:9]) == (0, "0 changed"), again.stderr
    assert not deployments(project)["load/elsewhere"]["paused"]
    assert automations(project) == automated | added


def test_a_deployment_of_another_project_is_named_and_never_written_over(project: Project, file: Path) -> None:
    before = deployments(project)
    file.write_text(f"project: third\n{STORE}{ADAPTER % 'five'}", "utf-8")
    done = deploy(project, file, "--yes")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Prefect already has a deployment load/five, and it belongs to the project 'diffsync'. Nothing was changed. Rename "
        "the adapter or the sync, or set `project: diffsync` in the file if it is the same project."
    )
    flow_id = before["load/five"]["flow_id"]
    project.stack.post("/deployments/", name="somebodys", flow_id=flow_id)
    file.write_text(f"{STORE}{ADAPTER % 'somebodys'}", "utf-8")
    done = deploy(project, file, "--yes")
    assert done.stderr.strip().startswith(
        "Prefect already has a deployment load/somebodys, and it does not have the tag diffsync. Nothing was changed."
    )
    after = deployments(project)
    assert {name: after[name]["updated"] for name in before} == {name: each["updated"] for name, each in before.items()}


def test_what_would_be_paused_is_asked_for_first(project: Project, file: Path) -> None:
    """A forgotten DIFFSYNC_CONFIG, first where there is nobody to ask."""
    before = paused(project)
    file.write_text(f"{STORE}{ADAPTER % 'newcomer'}", "utf-8")
    done = deploy(project, file)
    assert done.returncode == 1
    assert f"{file} no longer declares these. Deployments are paused, automations are removed:\n" in done.stderr
    for named in ("  reconcile/airports\n", "  load/five\n", "  diffsync: run diff chained after its load\n"):
        assert named in done.stderr
    assert "run the command again with --yes" in done.stderr.splitlines()[-1]
    assert "load/newcomer" in deployments(project)
    assert paused(project) == before

    file.write_text(f"{STORE}{ADAPTER % 'later'}", "utf-8")
    refused = deploy(project, file, answer="n\n")
    assert (refused.returncode, refused.stderr.strip().splitlines()[-1]) == (1, "Aborted.")
    assert "load/later" not in deployments(project)
    assert paused(project) == before

    agreed = deploy(project, project.folder / "syncs.yaml", answer="y\n")
    assert agreed.returncode == 0, agreed.stderr
    assert paused(project) == before | {"load/newcomer"}
