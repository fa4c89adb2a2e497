"""The four deployments on a real Prefect server, each run in a process that its pool's worker has started."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from airports.demo import check
from airports.demo.prefect_stack import ROOT
from airports.demo.runs import Run, finish, start_run
from diffsync_store import StoreRecord, StoreState
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisLeases
from tests.airports.database import SqlAdapter
from tests.airports.registry import AirportsAdapter
from tests.flows.conftest import MANY, PASSWORD, History, Project
from tests.flows.runs import process_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def test_reconcile_runs_each_step_on_its_own_worker_and_makes_the_target_equal(history: History) -> None:
    steps = history.project.children(history.first)
    assert (history.first.state, history.first.message) == ("Completed", "")
    assert sorted(step.pool for step in steps) == ["diffsync-diff", "diffsync-load", "diffsync-load", "diffsync-sync"]
    assert len({process_of(history.project, run.id) for run in (*steps, history.first)}) == 5
    assert check.is_equal(history.answers)
    assert history.answers["airports in the database"] == MANY - 9
    assert history.contents[0] != history.contents[1]


def test_a_second_reconcile_finds_no_difference_and_changes_nothing(history: History) -> None:
    assert (history.again.state, history.again.summary) == ("Completed", "No difference: nothing was synced")
    assert "diffsync-sync" not in {step.pool for step in history.project.children(history.again)}
    assert history.contents[1] == history.contents[2]


def test_a_load_publishes_its_counts(history: History) -> None:
    found = history.project.artifacts(history.step(history.again, "load"))
    (shown,) = (artifact["data"] for key, artifact in found.items() if not key.endswith("-progress"))
    assert "| airport | 1,191 |" in shown


def test_a_diff_publishes_its_totals_and_a_capped_table(history: History) -> None:
    found = history.project.artifacts(history.step(history.first, "diff"))
    totals, table = found["diff-registry-database-totals"], found["diff-registry-database"]
    for line in ("| create | 15 |", "| update | 1,180 |", "| delete | 20 |"):
        assert line in totals["data"]
    assert "## Largest subtrees" in totals["data"]
    assert "| country | CH | 1,212 |" in totals["data"]
    assert table["description"].endswith("All 20 deletes. All 15 creates. The first 1,000 of 1,180 updates.")
    rows = json.loads(table["data"])
    assert {
        "action": "update",
        "model": "airport",
        "name": "CH / Zurich / A0020",
        "changes": "name: <b>20</b> | a → New [name](http://example.invalid) of *it*",
    } in rows
    assert {"action": "create", "model": "subdivision", "name": 'CH / ""', "changes": "no attributes"} in rows
    assert [row["action"] for row in rows] == ["delete"] * 20 + ["create"] * 15 + ["update"] * 1000


def test_a_sync_publishes_what_it_applied_and_logs_no_line_for_each_record(history: History) -> None:
    run = history.step(history.first, "sync")
    synced = history.project.artifacts(run)["sync-registry-database"]
    assert synced["description"] == "1,215 of 1,215 applied"
    assert "| updated | 1,180 |" in synced["data"]
    assert "| failed | 0 |" in synced["data"]
    log = history.project.whole_log(run)
    assert "Sync complete" in log
    assert len(log.splitlines()) < 50


def test_a_reconcile_publishes_links_to_its_steps(history: History) -> None:
    shown = history.project.artifacts(history.first)["reconcile-airports"]["data"]
    for step in history.project.children(history.first):
        assert f"{history.project.stack.address}/v2/runs/flow-run/{step.id})" in shown


def test_each_run_publishes_metrics(history: History) -> None:
    found = {path.name: path.read_text("utf-8") for path in (history.project.folder / "metrics").iterdir()}
    assert 'diffsync_store_objects{adapter="registry"} 1197.0' in found["diffsync-load-registry.prom"]
    assert 'diffsync_sync_operations{outcome="updated",sync="airports"} 1180.0' in found["diffsync-sync-airports.prom"]
    diff = found["diffsync-diff-airports.prom"]
    assert 'diffsync_diff_operations{action="create",sync="airports"} 0.0' in diff
    assert "diffsync_in_sync_timestamp_seconds" in diff


def test_a_dry_run_of_an_applied_diff_would_do_nothing(history: History) -> None:
    diff_id = parameter(history.project, history.step(history.first, "sync"), "diff_id")
    run = history.project.run("sync/airports", diff_id=diff_id, dry_run=True)
    summary = "DRY RUN: 0 of 1,215 would be applied, 1,215 were applied before, nothing was changed"
    assert (run.state, run.outcome, run.summary) == ("Completed", "dry-run", summary)
    assert run.message == f"Dry run: {summary.removeprefix('DRY RUN: ')}."
    assert run.name.startswith("DRY RUN: sync registry → database · 20 delete, 15 create, ")
    assert check.fingerprint(history.project.database) == history.contents[2]


def test_a_sync_lists_failed_operations_and_ends_as_partial(project: Project) -> None:
    database = project.folder / "picky.db"
    source = AirportsAdapter(
        name="registry", folder=project.folder / "after", internal_storage_engine=project.store("new")
    )
    target = SqlAdapter(
        name="picky", url=f"sqlite:///{database}", internal_storage_engine=project.store("picky", "picky")
    )
    for adapter in (source, target):
        with adapter.store.loading():
            adapter.load()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER picky BEFORE INSERT ON country WHEN new.code = 'AA' "
            "BEGIN SELECT RAISE(ABORT, 'no | <i>AA</i> here'); END"
        )
    diffs = RedisDiffs(url=project.redis.url)
    diffs.save(
        target.diff_from(source),
        "picky",
        source=source.store.record(),
        target=target.store.record(),
        target_name="picky",
    )

    run = project.run("sync/picky", diff_id="picky")
    assert run.outcome == "partial"
    assert (run.state, run.message) == (
        "Completed",
        "Partial: 3 operations were not applied. The artifact lists them with the reasons.",
    )
    shown = project.artifacts(run)["sync-registry-picky"]["data"]
    assert "| failed | 1 |" in shown
    assert "| blocked | 2 |" in shown
    assert r"no \| &lt;i&gt;AA&lt;/i&gt; here" in shown
    project.expect_log(run, "no | <i>AA</i> here")
    assert check.compare(database, project.folder / "after" / "airports.csv")["airports missing"] == 1


@dataclass
class Refusal:
    """A reconcile whose source raised during its load, and the state right after it."""

    run: Run
    load: Run
    other: Run
    record: StoreRecord
    diff: Run


@pytest.fixture(scope="module")
def refusal(project: Project) -> Refusal:
    run = project.run("reconcile/refused")
    load, other = (
        next(s for s in project.children(run) if s.name.startswith(f"load {name}")) for name in ("refusing", "flaky")
    )
    store_id = parameter(project, load, "store_id")
    diff = project.run("diff/airports", **same_store(store_id))
    return Refusal(run, load, other, project.store(store_id).record(), diff)


def test_a_load_that_raises_fails_with_its_reason_and_leaves_a_store_that_diff_refuses(
    project: Project, refusal: Refusal
) -> None:
    assert project.runs("sync:refused", "reconcile")[0]["id"] == refusal.run.id
    assert refusal.load.state == "Failed"
    assert "PermissionError: 401 for ***" in refusal.load.message
    assert refusal.record.state is StoreState.FAILED
    assert refusal.record.reason == "RuntimeError: PermissionError: 401 for ***"
    assert refusal.diff.state == "Failed"
    assert "is failed, not complete: RuntimeError: PermissionError: 401" in refusal.diff.message
    assert "Load the store again." in refusal.diff.message


def test_a_load_that_loses_its_connection_is_retried_from_an_empty_store(project: Project, refusal: Refusal) -> None:
    assert refusal.other.state == "Completed", refusal.other.message
    project.expect_log(refusal.other, "Retry 1/")
    record = project.store(parameter(project, refusal.other, "store_id")).record()
    assert (record.state, record.counts) == (StoreState.COMPLETE, {"item": 3})


def test_a_reconcile_fails_with_the_name_state_and_reason_of_the_step_that_failed(
    project: Project, refusal: Refusal
) -> None:
    assert refusal.run.state == "Failed"
    assert "'load refusing' ended Failed: " in refusal.run.message
    assert "PermissionError: 401 for ***" in refusal.run.message
    assert f"{project.stack.address}/v2/runs/flow-run/{refusal.load.id}" in refusal.run.message


def test_no_secret_is_in_a_log_a_state_an_artifact_or_a_parameter(project: Project, refusal: Refusal) -> None:
    assert "401" in project.whole_log(refusal.run)
    for run in (refusal.run, *project.children(refusal.run), refusal.diff):
        shown = [project.whole_log(run), project.artifacts(run), project.stack.get(f"/flow_runs/{run.id}")]
        assert PASSWORD not in json.dumps(shown)
    assert PASSWORD not in refusal.record.model_dump_json()


def test_a_retried_reconcile_starts_only_the_failed_steps(project: Project, refusal: Refusal) -> None:
    before = {step.id for step in project.children(refusal.run)}
    (project.folder / "let-in").touch()
    project.stack.post(f"/flow_runs/{refusal.run.id}/set_state", state={"type": "SCHEDULED", "name": "AwaitingRetry"})
    again = finish(project.stack, refusal.run.id, seconds=300)
    assert again.state == "Completed", again.message
    started = [step.name for step in project.children(again) if step.id not in before]
    assert len(started) == 2
    assert started[0].startswith("load refusing")
    assert started[1].startswith("diff ")


@pytest.mark.timeout(900)
def test_a_load_whose_worker_is_killed_leaves_a_store_that_diff_refuses_and_starts_again(project: Project) -> None:
    file = project.folder / "slow"
    file.unlink(missing_ok=True)
    run_id = start_run(project.stack, "load/slow", store_id="killed")
    wait_until(file.exists, 240, "the load is in the middle")
    key = "load-slow-progress"
    wait_until(lambda: is_at(project.artifacts(run_id).get(key), 30), 240, "its progress is published")
    shown = project.artifacts(run_id)[key]
    assert shown["description"].startswith("load: 3 of 10 objects, ")
    assert shown["description"].endswith(" left")
    project.expect_log(run_id, shown["description"])
    project.stack.workers["load"].kill()
    try:
        record = project.store("killed").record()
        assert (record.state, record.counts) == (StoreState.LOADING, {"item": 3})
        refused = project.run("diff/airports", **same_store("killed"))
    finally:
        project.stack.start_worker("load")
    assert refused.state == "Failed"
    assert "Store 'killed' (slow) is loading, not complete." in refused.message
    assert "Wait for the load to end; if it is no longer running, load the store again." in refused.message
    wait_until(lambda: project.stack.get(f"/flow_runs/{run_id}")["run_count"] == 2, 400, "it was started again")
    states = project.stack.get(f"/flow_run_states/?flow_run_id={run_id}")
    dead = next(state for state in states if state["name"] == "Crashed")
    assert dead["message"].startswith("No heartbeat: the process or its worker is gone.")
    file.with_suffix(".open").touch()
    assert finish(project.stack, run_id, seconds=300).state == "Completed"
    assert project.store("killed").record().state == StoreState.PARTIAL


def is_at(progress: dict[str, Any] | None, percent: float) -> bool:
    return progress is not None and float(progress["data"]) == percent


def same_store(store_id: str) -> dict[str, Any]:
    """Parameters of a diff of a store with itself, which belongs to no sync."""
    return {"source_store_id": store_id, "target_store_id": store_id, "sync_name": None}


def parameter(project: Project, run: Run, name: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run.id}")["parameters"][name])


def test_a_load_with_a_bad_record_is_partial_and_lists_what_is_missing(project: Project) -> None:
    run = project.run("load/rejecting", store_id="rejecting")
    assert run.state == "Completed"
    with project.store("rejecting") as store:
        record = store.record()
    assert record.state is StoreState.PARTIAL
    assert record.gaps["item"].rejected == 1
    shown = project.artifacts(run)["load-rejecting"]["data"]
    assert "3 records loaded and 1 rejected, 5 expected" in shown
    assert "401 for" in shown
    assert "The only reject." in shown
    assert 'diffsync_load_rejected{adapter="rejecting"} 1.0' in project.numbers("load-rejecting")
    assert "<b>bad" not in shown
    log = project.whole_log(run)
    assert "Store rejecting is partial" in log
    for text in (shown, record.model_dump_json(), log):
        assert PASSWORD not in text


def test_deletes_that_a_partial_load_cannot_prove_are_suppressed_until_allowed(project: Project) -> None:
    stores = {"source_store_id": "lacking", "target_store_id": "five"}
    project.load({"lacking": "rejecting", "five": "five"})
    run = project.run("diff/lacking", **stores, diff_id="lacking")
    assert run.state == "Completed"
    shown = project.artifacts(run)["diff-rejecting-five-totals"]["data"]
    assert "## Suppressed" in shown
    assert "| item | delete | 2 |" in shown
    assert "partial:item" in shown

    run = project.run("sync/lacking", diff_id="lacking", dry_run=True)
    assert (run.state, run.summary) == ("Completed", "DRY RUN: 0 of 2 would be applied, nothing was changed")
    shown = project.artifacts(run)["sync-rejecting-five"]["data"]
    assert "| suppressed | 2 |" in shown
    assert "partial:item" in shown

    run = project.run("sync/lacking", diff_id="lacking")
    assert (run.state, run.message) == (
        "Completed",
        "Partial: 2 operations were not applied. The artifact lists them with the reasons.",
    )
    assert "| item | delete | 2 |" in project.artifacts(run)["sync-rejecting-five"]["data"]

    run = project.run("sync/lacking", diff_id="lacking", allow=["partial:item"])
    assert run.state == "Failed"
    assert "2 deletes of item, of 5 objects in the target (40 %): the limit is 1" in run.message
    assert "allow = ['delete:2:item']" in run.message
    project.expect_outcomes("lacking", "partial", "refused")
    with project.store("five") as store:
        assert store.count() == 5

    allow = ["partial:item", "delete:2:item"]
    only = {"allow": allow, "select": [{"unique_id": "item 3"}]}
    run = project.run("sync/lacking", diff_id="lacking", dry_run=True, **only)
    assert (run.state, run.summary) == ("Completed", "DRY RUN: 1 of 2 would be applied, nothing was changed")
    with project.store("five") as store:
        assert store.count() == 5
    assert "| item | delete | 1 | not selected |" in project.artifacts(run)["sync-rejecting-five"]["data"]

    run = project.run("sync/lacking", diff_id="lacking", allow=allow)
    assert run.state == "Completed"
    with project.store("five") as store:
        assert store.count() == 3


def test_a_target_with_a_lease_is_not_changed(project: Project) -> None:
    project.load({"quiet": "seven", "busy": "five"})
    stores = {"source_store_id": "quiet", "target_store_id": "busy"}
    assert project.run("diff/busy", **stores, diff_id="busy").state == "Completed"
    with closing(RedisLeases(url=project.redis.url)) as leases, leases.take("target-five", "a sync of ann's"):
        run = project.run("sync/busy", diff_id="busy")
    assert run.state == "Failed"
    assert "a sync of ann's" in run.message
    log = project.whole_log(run)
    assert "a sync of ann's" in log
    assert f'File "{ROOT}/flows/' not in log
    for given in ({"exclude": [{"model": "itme"}]}, {"select": [{"action": "delete"}]}):
        run = project.run("sync/busy", diff_id="busy", **given)
        assert run.state == "Failed"
        assert run.message.startswith("No operation of the diff matches ")
        assert run.message.endswith(" Its models are: item.")
    assert project.run("sync/busy", diff_id="busy", sync_name=None).state == "Completed"
    project.expect_outcomes("busy", "failed", "failed", "failed", "complete")
    run = project.run("sync/lacking", diff_id="busy")
    assert run.state == "Failed"
    assert "Diff busy is seven → five; the sync lacking is rejecting → five. Use the sync busy." in run.message


def test_a_diff_without_a_declared_sync_is_not_applied(project: Project) -> None:
    project.load({"apart": "seven"})
    stores = {"source_store_id": "apart", "target_store_id": "apart"}
    assert project.run("diff/busy", **stores, diff_id="apart", sync_name=None).state == "Completed"
    for dry_run in (False, True):
        run = project.run("sync/busy", diff_id="apart", sync_name=None, dry_run=dry_run)
        assert run.state == "Failed"
        assert run.message.startswith("Diff apart is seven → seven, and ")
        assert run.message.endswith("Declare a sync with source: seven and target: seven.")


def test_an_early_failure_publishes_an_event_and_metrics(project: Project) -> None:
    assert project.run("sync/refused", diff_id="never-made").state == "Failed"
    assert project.run("diff/refused", source_store_id="never-made", target_store_id="never-made").state == "Failed"
    for flow in ("sync", "diff"):
        failed = f'diffsync_run_state{{flow="{flow}",name="refused",state="failed"}} 1.0'
        assert failed in project.numbers(f"{flow}-refused")
    project.expect_outcomes("never-made", "failed")
