"""A load in shards on two workers: a killed shard is loaded again alone, a failed one is missing, a retry loads only that one."""

import os
import signal
from pathlib import Path

import pytest

from airports.demo.runs import finish, start_run
from diffsync_store import ShardState, StoreState
from tests.flows.conftest import PASSWORD, RUN_SECONDS, Project
from tests.flows.runs import lines, retry_run, state_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def folder(project: Project) -> Path:
    """The folder of the regions, with two workers of their pool."""
    folder = project.folder / "regions"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    if "load-too" not in project.stack.workers:
        project.stack.start_worker("load", "load-too")
    return folder


def loads(folder: Path) -> dict[str, int]:
    """How often each shard was loaded."""
    return {name: len(lines(folder / f"{name}.loads")) for name in ("eu", "us", "asia")}


def test_a_shard_that_is_killed_or_fails_is_loaded_again_alone(project: Project, folder: Path) -> None:
    (folder / "us.wait").touch()
    (folder / "asia.fail").touch()
    run_id = start_run(project.stack, "load/regions", store_id="regions")
    wait_until(lambda: loads(folder) == {"eu": 1, "us": 1, "asia": 1}, 240, "each shard is being loaded")
    os.kill(int(lines(folder / "us.loads")[0]), signal.SIGKILL)
    (folder / "us.wait").unlink()

    ended = finish(project.stack, run_id, seconds=RUN_SECONDS)
    assert (ended.outcome, loads(folder)) == ("partial", {"eu": 1, "us": 2, "asia": 1})
    assert ended.name == "PARTIAL: load regions · 20 objects"
    assert ended.message.startswith("Partial: The store has 20 objects. ")
    assert "Not loaded: asia. The artifact of the shards has the reasons." in ended.message
    with project.store("regions") as store:
        record = store.record()
    assert record.state is StoreState.PARTIAL
    assert record.counts == {"item": 20}
    assert {shard.name: shard.state for shard in record.shards} == {
        "eu": ShardState.COMPLETE,
        "us": ShardState.COMPLETE,
        "asia": ShardState.FAILED,
    }
    assert record.gaps["item"].below == tuple(("item", f"asia {number}") for number in range(10))

    table = project.artifacts(run_id)["load-regions-shards"]
    assert table["description"] == "2 of 3 shards of regions: 20 objects"
    children = {run.name: run for run in project.children(ended)}
    assert set(children) == {
        "load-shard regions · eu · 10 objects",
        "load-shard regions · us · 10 objects",
        "load-shard regions · asia",
    }
    for run in children.values():
        assert f"({project.stack.address}/v2/runs/flow-run/{run.id})" in table["data"]
        assert run.pool == "diffsync-load"
    assert "ValueError: asia does not answer \\*\\*\\*" in table["data"]
    logs = [project.whole_log(each) for each in (children["load-shard regions · asia"], run_id)]
    assert "asia does not answer" in logs[0]
    messages = [run.message for run in children.values()]
    assert not any(PASSWORD in text for text in [table["data"], ended.message, record.reason, *logs, *messages])
    assert {f"load-regions-{name}-progress" for name in ("eu",)} - project.artifacts(run_id).keys()

    (folder / "asia.fail").unlink()
    retry_run(project, run_id)
    wait_until(lambda: state_of(project, run_id) == "Completed", RUN_SECONDS, "the retry has loaded the missing shard")
    assert loads(folder) == {"eu": 1, "us": 2, "asia": 2}
    with project.store("regions") as store:
        assert store.record().state is StoreState.COMPLETE
        assert store.record().counts == {"item": 30}

    late = next(run.id for name, run in children.items() if "eu" in name)
    retry_run(project, late)
    refused = finish(project.stack, late, seconds=RUN_SECONDS)
    assert (refused.state, loads(folder)["eu"]) == ("Failed", 1)
    assert refused.message.startswith("The load of this shard has ended. Retry the run of the load")


def test_a_cancelled_load_cancels_its_shards(project: Project, folder: Path) -> None:
    for name in ("eu", "us"):
        (folder / f"{name}.wait").touch()
    run_id = start_run(project.stack, "load/regions", store_id="cancelled-regions")
    wait_until(lambda: loads(folder) == {"eu": 1, "us": 1, "asia": 1}, 240, "each shard is being loaded")
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLING"})
    wait_until(lambda: state_of(project, run_id) == "Cancelled", 240, "the load is cancelled")
    children = project.stack.post("/flow_runs/filter", flow_runs={"parent_flow_run_id": {"any_": [run_id]}})
    ids = {run["parameters"]["shard"]: run["id"] for run in children}
    for name in ("eu", "us"):
        wait_until(lambda name=name: state_of(project, ids[name]) == "Cancelled", 120, f"{name} is cancelled")  # type: ignore[misc]
    with project.store("cancelled-regions") as store:
        assert store.record().state is StoreState.LOADING


def test_a_load_that_holds_the_last_slot_loads_the_shards_itself(project: Project) -> None:
    pool = "/work_pools/diffsync-load"
    project.stack.api.patch(pool, json={"concurrency_limit": 1}).raise_for_status()
    try:
        run = project.run("load/listed", store_id="listed")
    finally:
        project.stack.api.patch(pool, json={"concurrency_limit": None}).raise_for_status()
    assert run.state == "Completed", run.message
    assert {child.state for child in project.children(run)} == {"Cancelled"}
    project.expect_log(run, "Start a worker for their work pool, or raise its limit")
    with project.store("listed") as store:
        assert store.record().state is StoreState.COMPLETE
        assert store.record().counts == {"item": 20}


def test_a_reconcile_goes_on_without_a_missing_shard_and_says_so(project: Project, folder: Path) -> None:
    (folder / "asia.fail").touch()
    run = project.run("reconcile/regions", dry_run=True)
    assert (run.state, run.outcome) == ("Completed", "dry-run"), run.message
    assert run.message.startswith("Dry run: Nothing was changed. Some records were not loaded: load regions · ")
    assert loads(folder) == {"eu": 1, "us": 1, "asia": 1}
    steps = {step.name.split(" · ")[0]: step.outcome for step in project.children(run)}
    assert steps == {
        "PARTIAL: load regions": "partial",
        "load five": "",
        "diff regions → five": "",
        "DRY RUN: sync regions → five": "dry-run",
    }
