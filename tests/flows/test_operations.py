"""What happens to a sync on its way: approval, events, a killed process, a cancelled run; on real workers."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from airports.demo.prefect_stack import ROOT
from airports.demo.runs import finish, start_run
from diffsync_flows.blocks import DiffsyncStore
from diffsync_store import StoreNotFound
from diffsync_store.diffs import DiffRecord
from diffsync_store.store.redis.keys import DiffKeys, StoreKeys
from tests.flows.conftest import Project
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def states_of(project: Project, run_id: str) -> list[str]:
    """The names of the states that a run has been in."""
    return [str(state["name"]) for state in project.stack.get(f"/flow_run_states/?flow_run_id={run_id}")]


def state_of(project: Project, run_id: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run_id}")["state_name"])


def test_a_sync_waits_for_an_approval_without_a_worker_and_goes_on_on_another_one(project: Project) -> None:
    (project.folder / "reviewed").unlink(missing_ok=True)
    diff_id = project.compare("reviewed", "reviewed")
    run_id = start_run(project.stack, "sync/reviewed", diff_id=diff_id)
    wait_until(lambda: question(project, run_id), 60, "it asks")
    process = int(str(project.stack.get(f"/flow_runs/{run_id}")["infrastructure_pid"]).split(":")[-1])
    wait_until(lambda: not is_alive(process), 30, "its process has ended")
    assert lines(project.folder / "reviewed") == []
    project.stack.workers["sync"].stop()
    project.stack.start_worker("sync")
    answer = {"decision": "approve", "by": "ann", "comment": "CHG-4711"}
    for misspelt in ({"leave_out_models": ["itme"]}, {"leave_out_actions": ["delete"]}):
        refused = project.stack.post(f"/flow_runs/{run_id}/resume", run_input=answer | misspelt)
        assert refused["status"] == "REJECT", refused
    answer_to(project, run_id, answer)
    run = finish(project.stack, run_id, seconds=120)
    assert (run.state, run.message) == ("Completed", "")
    assert run.name == "sync seven → reviewed · 7 create"
    assert len(lines(project.folder / "reviewed")) == 7
    with project.diffs() as diffs:
        approval = diffs.open(diff_id).journal().approval()
    assert approval is not None
    assert (approval.by, approval.reason, approval.excluded) == ("ann", "CHG-4711", ())


def test_what_leaves_out_what_the_diff_has_not_is_asked_for_again(project: Project) -> None:
    (project.folder / "reviewed").write_text("\n".join(f"item {number}" for number in range(7)) + "\n", "utf-8")
    project.compare("reviewed", "even")
    run_id = start_run(project.stack, "sync/reviewed", diff_id="even")
    wait_until(lambda: question(project, run_id), 60, "it asks")
    first = question(project, run_id)
    answer_to(project, run_id, {"decision": "approve", "by": "ann", "leave_out_models": ["rack"]})
    wait_until(lambda: question(project, run_id) not in {"", first}, 60, "it asks again")
    assert "**Your decision was not accepted.** No operation of the diff matches model rack." in question(
        project, run_id
    )
    with project.diffs() as diffs:
        assert diffs.open("even").journal().approval() is None
    answer_to(project, run_id, {"decision": "approve", "by": "ann"})
    assert finish(project.stack, run_id, seconds=120).state == "Completed"


def answer_to(project: Project, run_id: str, answer: dict[str, Any]) -> None:
    found = project.stack.post(f"/flow_runs/{run_id}/resume", run_input=answer)
    assert found["status"] == "ACCEPT", found


def test_a_diff_that_is_another_one_when_it_is_approved_is_asked_for_again(project: Project) -> None:
    diff_id = project.compare("asked", "asked")
    run_id = start_run(project.stack, "sync/asked", diff_id=diff_id, allow=["delete:9:item"])
    wait_until(lambda: question(project, run_id), 60, "it asks")
    first = question(project, run_id)
    assert "| item | 7 | 0 | 0 |" in first
    assert "| allow | delete:9:item |" in first
    (project.folder / "asked").write_text("item 0\n", "utf-8")
    project.load({"asked-again": "asked"})
    stores = {"source_store_id": "asked-source", "target_store_id": "asked-again"}
    assert project.run("diff/asked", **stores, diff_id=diff_id).state == "Completed"
    answer_to(project, run_id, {"decision": "approve", "by": "ann"})
    wait_until(lambda: question(project, run_id) not in {"", first}, 60, "it asks again")
    assert "| item | 6 | 0 | 0 |" in question(project, run_id)
    answer_to(project, run_id, {"decision": "reject", "by": "bob", "comment": "not tonight"})
    run = finish(project.stack, run_id, seconds=120)
    assert (run.state, run.message) == ("Rejected", "bob rejected the diff: not tonight")
    assert lines(project.folder / "asked") == ["item 0"]
    with project.diffs() as diffs:
        rejection = diffs.open(diff_id).journal().approval()
    assert rejection is not None
    assert rejection.is_rejected
    tried_again(project, run_id)
    wait_until(lambda: question(project, run_id), 60, "it asks once more")
    answer_to(project, run_id, {"decision": "approve", "by": "bob", "comment": "the morning after"})
    run = finish(project.stack, run_id, seconds=120)
    assert (run.state, run.message) == ("Completed", "")
    assert len(lines(project.folder / "asked")) == 7
    project.expect_outcomes(diff_id, "rejected", "complete")


def tried_again(project: Project, run_id: str) -> None:
    """Press Retry on the page of a run that has ended."""
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "SCHEDULED", "name": "AwaitingRetry"})


def question(project: Project, run_id: str) -> str:
    """What a suspended run shows to the one who decides; empty where it is not suspended, or does not show it yet."""
    run = project.stack.get(f"/flow_runs/{run_id}")
    if run["state_name"] != "Suspended":
        return ""
    key = run["state"]["state_details"]["run_input_keyset"]["description"]
    shown = project.stack.post(f"/flow_runs/{run_id}/input/filter", prefix=key)
    return str(json.loads(shown[0]["value"])) if shown else ""


def test_a_diff_that_somebody_has_rejected_is_not_applied_by_a_sync_that_needs_no_approval(project: Project) -> None:
    project.compare("cleared", "rejected")
    with project.diffs() as diffs:
        diffs.open("rejected").reject(by="bob", reason="not tonight")
    for dry_run in (True, False):
        run = project.run("sync/cleared", diff_id="rejected", dry_run=dry_run)
        assert run.state == "Failed"
        assert "bob has rejected this diff" in run.message
        assert "not tonight" in run.message
    assert lines(project.folder / "cleared") == []
    project.expect_outcomes("rejected", "failed")


def test_a_reconcile_that_needs_an_approval_leaves_its_sync_waiting_for_it(project: Project) -> None:
    reconciled = project.run("reconcile/decided")
    assert reconciled.state == "AwaitingApproval", reconciled.message
    assert reconciled.name == "reconcile decided · 7 create"
    diff_id = waiting_diff(project, "decided")
    sync = project.runs(f"diff:{diff_id}", "sync")[0]
    assert sync["state_name"] == "Suspended"
    shown = project.artifacts(reconciled)["reconcile-decided"]["data"]
    assert f"/runs/flow-run/{sync['id']}" in shown
    answer_to(project, sync["id"], {"decision": "approve", "by": "ann"})
    assert finish(project.stack, sync["id"], seconds=120).state == "Completed"
    assert len(lines(project.folder / "decided")) == 7


def test_of_two_diffs_of_two_loads_of_a_target_only_one_is_applied(project: Project) -> None:
    for name in ("first", "second"):
        project.compare("overtaken", name)
    assert project.run("sync/overtaken", diff_id="second").state == "Completed"
    refused = project.run("sync/overtaken", diff_id="first")
    assert refused.state == "Failed"
    assert refused.message.startswith("Diff first is stale: overtaken was loaded for it at ")
    assert "and diff second changed it at " in refused.message
    assert len(lines(project.folder / "overtaken")) == 7


def waiting_diff(project: Project, sync: str) -> str:
    """The diff of a sync's newest reconcile."""
    tags: list[str] = project.runs(f"sync:{sync}", "reconcile")[0]["tags"]
    return next(tag.removeprefix("diff:") for tag in tags if tag.startswith("diff:"))


def test_a_load_leads_to_a_synced_target_by_events_alone_and_one_of_a_reconcile_does_not(project: Project) -> None:
    assert project.run("reconcile/chained").state == "Completed"
    assert len(lines(project.folder / "chained")) == 7
    (project.folder / "chained").unlink()
    assert project.run("load/chained").state == "Completed"
    assert project.run("load/seven").state == "Completed"
    wait_until(lambda: len(lines(project.folder / "chained")) == 7, 120, "the chain has come to its end")
    assert len(project.runs("sync:chained", "diff")) == 2
    assert len(project.runs("sync:chained", "sync")) == 2


def slow_sync(project: Project, sync: str) -> tuple[str, str]:
    """A sync in the middle of its forty operations; its run and its diff."""
    file = project.folder / sync
    file.with_suffix(".slow").touch()
    diff_id = project.compare(sync, sync)
    run_id = start_run(project.stack, f"sync/{sync}", diff_id=diff_id)
    wait_until(lambda: len(lines(file)) >= 3, 60, "it is under way")
    return run_id, diff_id


def expect_each_once(project: Project, sync: str) -> None:
    assert sorted(lines(project.folder / sync)) == sorted(f"item {number}" for number in range(40))


def test_a_sync_whose_process_is_killed_is_started_again_and_goes_on_where_it_stood(project: Project) -> None:
    run_id, diff_id = slow_sync(project, "killed")
    process = str(project.stack.get(f"/flow_runs/{run_id}")["infrastructure_pid"]).split(":")[-1]
    os.kill(int(process), signal.SIGKILL)
    wait_until(lambda: state_of(project, run_id) == "Crashed", 60, "it is found dead")
    assert len(lines(project.folder / "killed")) < 40
    (project.folder / "killed.slow").unlink()
    wait_until(lambda: state_of(project, run_id) == "Completed", 120, "it has gone on by itself")
    assert project.stack.get(f"/flow_runs/{run_id}")["run_count"] == 2
    expect_each_once(project, "killed")
    project.expect_outcomes(diff_id, "complete")


def test_a_sync_that_is_cancelled_ends_between_two_operations_and_goes_on_when_it_is_started_again(
    project: Project,
) -> None:
    run_id, diff_id = slow_sync(project, "cancelled")
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLING"})
    wait_until(lambda: state_of(project, run_id) == "Cancelled", 60, "it is cancelled")
    assert len(lines(project.folder / "cancelled")) < 40
    assert "Crashed" not in states_of(project, run_id)  # what has crashed starts again
    (project.folder / "cancelled.slow").unlink()
    again = project.run("sync/cancelled", diff_id=diff_id)
    assert (again.state, again.message) == ("Completed", "")
    expect_each_once(project, "cancelled")
    assert re.fullmatch(r"40 of 40 applied, \d+ of them by an earlier run", again.summary)
    once_more = project.run("sync/cancelled", diff_id=diff_id)
    assert (once_more.state, once_more.summary) == ("Completed", "40 of 40 applied, by an earlier run")
    project.expect_outcomes(diff_id, "cancelled", "complete", "complete")


def test_what_the_adapter_leaves_alone_is_not_applied(project: Project) -> None:
    diff_id = project.compare("lazy", "lazy")
    run = project.run("sync/lazy", diff_id=diff_id)
    assert (run.state, run.message, run.summary) == ("Partial", "5 operations were not applied", "0 of 5 applied")
    again = project.run("sync/lazy", diff_id=diff_id)
    assert (again.state, again.summary) == ("Partial", "0 of 5 applied, by an earlier run")
    for each in (run, again):
        assert "| skipped | 5 |" in project.artifacts(each)["sync-five-lazy"]["data"]
    told = project.numbers("sync-lazy")
    assert 'diffsync_sync_operations{outcome="skipped",sync="lazy"} 5.0' in told
    assert 'diffsync_run_state{flow="sync",name="lazy",state="partial"} 1.0' in told
    assert "diffsync_in_sync" not in told
    project.expect_outcomes(diff_id, "partial", "partial")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def told(project: Project) -> dict[str, dict[str, Any]]:
    """What the server knows of each deployment, but for ids, times and what one made by hand has besides."""
    names = (
        *("description", "tags", "parameters", "work_pool_name", "work_queue_name", "entrypoint", "pull_steps"),
        *("parameter_openapi_schema", "enforce_parameter_schema", "job_variables", "concurrency_options", "paused"),
    )
    found = project.stack.post("/deployments/filter")
    flows = {flow["id"]: flow["name"] for flow in project.stack.post("/flows/filter")}
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


def test_what_is_declared_with_a_schedule_has_its_next_runs(project: Project) -> None:
    housekeeping = project.stack.get("/deployments/name/housekeeping/housekeeping")["id"]
    asked = {"deployments": {"id": {"any_": [housekeeping]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    wait_until(lambda: project.stack.post("/flow_runs/count", **asked), 120, "runs of the housekeeping are scheduled")


def test_deploying_twice_changes_nothing_and_what_leaves_the_file_is_paused(project: Project) -> None:
    flows_command(project, "diffsync_flows", "deploy", "--yes")
    before = project.stack.post("/deployments/filter")
    output = flows_command(project, "diffsync_flows", "deploy", "--yes")
    assert output.splitlines()[-1].startswith("0 changed, ")
    after = project.stack.post("/deployments/filter")
    assert {each["id"]: each["updated"] for each in before} == {each["id"]: each["updated"] for each in after}
    config = project.folder / "syncs.yaml"
    whole = config.read_text("utf-8")
    try:
        config.write_text("\n".join(line for line in whole.splitlines() if "  cancelled: {source" not in line), "utf-8")
        output = flows_command(project, "diffsync_flows", "deploy", "--yes")
        paused = {line.split()[1] for line in output.splitlines() if line.split()[0] == "paused"}
        assert paused == {"diff/cancelled", "sync/cancelled", "reconcile/cancelled"}
        assert told(project)["reconcile/cancelled"]["paused"]
    finally:
        config.write_text(whole, "utf-8")
        flows_command(project, "diffsync_flows", "deploy", "--yes")
    assert not told(project)["reconcile/cancelled"]["paused"]


def test_prefect_deploy_makes_the_same_deployments(project: Project) -> None:
    """Under a version that Prefect makes: `flows deploy` writes them once more after it."""
    flows_command(project, "diffsync_flows", "deploy", "--yes")
    before = told(project)
    file = project.folder / "prefect.yaml"
    file.write_text(flows_command(project, "diffsync_flows", "prefect-yaml"), "utf-8")
    flows_command(project, "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
    assert told(project) == before
    flows_command(project, "diffsync_flows", "deploy", "--yes")
    assert told(project) == before


def test_housekeeping_drops_what_is_past_its_retention_and_nothing_that_is_in_use(project: Project) -> None:
    diff_id = project.compare("cleared", "cleared")
    project.load({"forgotten": "five"})
    old = ("forgotten", "cleared-source")
    with project.redis.client() as client:
        for store_id in old:
            client.hset(StoreKeys(store_id).record, "updated", 0)
    run = project.run("housekeeping/housekeeping")
    assert run.state == "Completed", run.message
    shown = project.artifacts(run)["housekeeping"]["data"]
    assert "1 dropped, 1 kept because they are in use" in shown
    told = project.numbers("housekeeping-housekeeping")
    assert 'diffsync_housekeeping_items{outcome="dropped"} 1.0' in told
    assert 'diffsync_housekeeping_items{outcome="kept"} 1.0' in told
    assert "| store | forgotten |" in shown
    assert f"diff {diff_id} " in shown
    with project.store("cleared-source") as store:
        assert store.count() == 5
    with project.store("forgotten") as store, pytest.raises(StoreNotFound):
        store.record()


def test_housekeeping_keeps_a_diff_that_a_suspended_sync_has_asked_about(project: Project) -> None:
    project.compare("reviewed", "kept")
    run_id = start_run(project.stack, "sync/reviewed", diff_id="kept")
    wait_until(lambda: question(project, run_id), 60, "it asks")
    with project.redis.client() as client:
        text = client.get(DiffKeys("kept").record)
        record = DiffRecord.model_validate_json(text)
        record.created = datetime(2020, 1, 1, tzinfo=UTC)
        client.set(DiffKeys("kept").record, record.model_dump_json(), keepttl=True)
    run = project.run("housekeeping/housekeeping")
    assert run.state == "Completed", run.message
    assert "| diff | kept |" in project.artifacts(run)["housekeeping"]["data"]
    with project.diffs() as diffs:
        assert diffs.open("kept").record.created.year == 2020
        with project.redis.client() as client:  # what was asked about is another diff else
            client.set(DiffKeys("kept").record, text, keepttl=True)
        answer_to(project, run_id, {"decision": "reject", "by": "bob"})
        rejected = finish(project.stack, run_id, seconds=120)
        assert rejected.state == "Rejected", rejected.message
        diffs.open("kept").drop()


BY_BLOCK = """
store: {block: shared}
adapters:
  five: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 5}}
  seven: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 7}}
syncs:
  busy: {source: seven, target: five}
"""


def test_the_url_of_the_store_can_be_in_a_block_and_its_password_is_shown_nowhere(
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
    wait_until(lambda: "by-block" in str(project.logs(run)), 60, "its log is there")
    reconciled = project.run_with(environment, "reconcile/busy", sync_name="busy", dry_run=True)
    assert reconciled.state == "Completed", reconciled.message
    shown = [project.logs(run), project.artifacts(run), project.stack.get(f"/flow_runs/{run.id}")]
    shown += [project.logs(reconciled), project.artifacts(reconciled)]
    shown.append(project.stack.post("/block_documents/filter"))
    assert secret not in json.dumps(shown)
