"""Housekeeping on a real worker."""

from datetime import UTC, datetime

import pytest

from airports.demo.runs import finish, start_run
from diffsync_store import StoreNotFound
from diffsync_store.diffs import DiffRecord
from diffsync_store.store.redis.keys import DiffKeys, StoreKeys
from tests.flows.conftest import Project
from tests.flows.runs import expect_request, send_answer

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def test_housekeeping_drops_what_is_past_its_retention_and_not_in_use(project: Project) -> None:
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
    metrics = project.numbers("housekeeping-housekeeping")
    assert 'diffsync_housekeeping_items{outcome="dropped"} 1.0' in metrics
    assert 'diffsync_housekeeping_items{outcome="kept"} 1.0' in metrics
    assert "| store | forgotten |" in shown
    assert f"diff {diff_id} " in shown
    with project.store("cleared-source") as store:
        assert store.count() == 5
    with project.store("forgotten") as store, pytest.raises(StoreNotFound):
        store.record()


def test_housekeeping_keeps_the_diff_of_a_pending_approval(project: Project) -> None:
    project.compare("reviewed", "kept")
    run_id = start_run(project.stack, "sync/reviewed", diff_id="kept")
    expect_request(project, run_id)
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
        with project.redis.client() as client:  # otherwise the request would be about another diff
            client.set(DiffKeys("kept").record, text, keepttl=True)
        send_answer(project, run_id, {"decision": "reject", "by": "bob"})
        rejected = finish(project.stack, run_id, seconds=300)
        assert (rejected.state, rejected.outcome) == ("Cancelled", "rejected"), rejected.message
        diffs.open("kept").drop()
