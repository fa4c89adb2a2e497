"""The review page starts and resumes flow runs."""

import os
from pathlib import Path
from unittest import mock

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from airports.demo.runs import finish
from diffsync_flows.config.config import Config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.serving import PrefectRunner, prefect_runner
from diffsync_store.project import UserError, Window
from diffsync_store.runs import WindowClosed
from diffsync_store.serve.deciding import Decision, record_decision
from diffsync_store.serve.running import Start, find_runner
from tests.flows.conftest import Project
from tests.flows.runs import expect_request, lines


def test_without_a_prefect_server_the_library_runs_the_syncs(tmp_path: Path) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert prefect_runner(tmp_path / "syncs.yaml") is None
        assert find_runner(tmp_path / "syncs.yaml") is None


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_decision_on_the_page_resumes_the_waiting_run(project: Project) -> None:
    variables = project.stack.variables["load"]
    with (
        mock.patch.dict(os.environ, variables),
        temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}),
        project.diffs() as diffs,
    ):
        diff_id = project.compare("on-page", "on-page")
        runner = find_runner(Path(variables["DIFFSYNC_CONFIG"]))
        assert runner is not None
        saved = diffs.open(diff_id)
        with pytest.raises(UserError, match="no flow run waits"):
            runner.resume(diff_id, is_approved=True, by="alice", comment="")
        with pytest.raises(UserError, match="nothing to undo"):
            runner.start(Start("undo", "on-page", diff_id), by="bob")
        started = runner.start(Start("apply", "", diff_id), by="bob")
        assert (started.sync_name, started.has_ended) == ("on-page", False)
        expect_request(project, started.run_id)
        with SyncContext(Config(Path(variables["DIFFSYNC_CONFIG"]))) as context:
            record_decision(context, saved, Decision("approve", saved.checksum(), "CHG-1"), "alice")
        [resumed] = runner.resume(diff_id, is_approved=True, by="alice", comment="CHG-1")
        assert resumed.run_id == started.run_id
        [again] = runner.resume(diff_id, is_approved=True, by="alice", comment="CHG-1")  # as if another was faster
        assert again.run_id == started.run_id
        run = finish(project.stack, started.run_id, seconds=300)
        assert (run.state, run.message) == ("Completed", "")
        assert len(lines(project.folder / "on-page")) == 7
        approval = saved.journal().approval()
        assert approval is not None
        assert (approval.by, approval.reason) == ("alice", "CHG-1")
        [shown] = [each for each in runner.runs() if each.run_id == started.run_id]
        assert (shown.kind, shown.state, shown.diff_id) == ("apply", "done", diff_id)
        config = Config(Path(variables["DIFFSYNC_CONFIG"]))
        closed = Window.model_validate({"allow": "0 0 29 2 *", "for": "1s"})
        with mock.patch.dict(vars(config.sync("on-page")), {"windows": [closed]}):
            with pytest.raises(WindowClosed, match="no window of the sync on-page is open"):
                PrefectRunner(config).start(Start("apply", "", diff_id), by="bob")
            later = PrefectRunner(config).start(Start("apply", "", diff_id, waits_for_window=True), by="bob")
            assert later.state == "waiting"
            assert later.waits_until is not None
            reason = PrefectRunner(config).start(Start("apply", "", diff_id, outside_window="outage"), by="bob")
        given = project.stack.get(f"/flow_runs/{reason.run_id}")["parameters"]["outside_window"]
        assert given == "outage (given by bob on the review page)"
