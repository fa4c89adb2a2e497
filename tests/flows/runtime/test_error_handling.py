"""An error that a person can fix is one sentence, as the message of the run's state."""

from pathlib import Path
from typing import Any

import pytest

from airports.demo.ports import free_port
from airports.demo.prefect_stack import ROOT
from airports.demo.runs import finish, start_run
from diffsync_flows.config.config import read_config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from tests.flows.conftest import Project
from tests.flows.runs import lines, retry_run, states_of
from tests.servers import wait_until

FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("load/unset", {}, "adapters.unset.settings.label: the environment variable NOT_SET_ANYWHERE is not set"),
    (
        "diff/lacking",
        {"source_store_id": "no-such", "target_store_id": "no-such"},
        "There is no store 'no-such': it was never loaded, was dropped, or expired. Load it again.",
    ),
    (
        "sync/lacking",
        {"diff_id": "no-such"},
        "There is no diff 'no-such': it was never saved, was dropped, or has expired. Make a new diff.",
    ),
    ("reconcile/lacking", {"sync_name": "lakcing"}, "no sync 'lakcing' is declared. Did you mean 'lacking'?"),
]
"""One error for each kind of worker."""


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_expected_error_is_the_message_of_the_runs_state(project: Project) -> None:
    started = [start_run(project.stack, deployment, **parameters) for deployment, parameters, _ in FAULTS]
    for run_id, (*_, fault) in zip(started, FAULTS, strict=True):
        run = finish(project.stack, run_id, seconds=300)
        assert run.state == "Failed", run.message
        assert fault in run.message
        assert "exception" not in run.message
        log = project.whole_log(run)
        assert fault in log
        assert f'File "{ROOT}/flows/' not in log  # Prefect logs a traceback of its own code for each failed run
        assert "Retry" not in log


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_step_without_a_deployment_is_an_error_with_a_remedy(project: Project, tmp_path: Path) -> None:
    config = tmp_path / "syncs.yaml"
    written = (project.folder / "syncs.yaml").read_text("utf-8")
    config.write_text(
        written.replace("  rejecting:", "  renamed:").replace("source: rejecting", "source: renamed"), "utf-8"
    )
    run = project.run_with({"DIFFSYNC_CONFIG": str(config)}, "reconcile/lacking")
    assert run.state == "Failed"
    assert run.message == (
        "Prefect has no deployment load/renamed. Run `diffsync-flows deploy` with the file that declares it."
    )


def has_timed_out(project: Project, run_id: str) -> bool:
    state = project.stack.get(f"/flow_runs/{run_id}")["state"]
    return state["name"] == "Failed" and str(state["message"]).startswith("Nobody approved the diff in time")


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sync_that_is_not_approved_in_time_fails_and_can_be_retried(project: Project) -> None:
    diff_id = project.compare("late", "late")
    run_id = start_run(project.stack, "sync/late", diff_id=diff_id)
    wait_until(lambda: has_timed_out(project, run_id), 240, "its approval has timed out")
    run = finish(project.stack, run_id)
    assert run.message.startswith("Nobody approved the diff in time; nothing was applied. ")
    assert lines(project.folder / "late") == []
    retry_run(project, run_id)
    wait_until(lambda: states_of(project, run_id).count("Suspended") == 2, 240, "it asks again")
    wait_until(lambda: has_timed_out(project, run_id), 240, "its approval has timed out again")
    assert states_of(project, run_id).count("Suspended") == 2
    with project.diffs() as diffs:
        diffs.open(diff_id).approve(by="ann", reason="the morning after")
    assert project.run("sync/late", diff_id=diff_id).state == "Completed"
    assert len(lines(project.folder / "late")) == 7


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a store that does not answer, without its password."""
    config = tmp_path / "syncs.yaml"
    config.write_text("store: {url: '${REDIS_URL}'}", "utf-8")
    port = free_port()
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(config))
    monkeypatch.setenv("REDIS_URL", f"redis://ann:secret@127.0.0.1:{port}/0")
    return f"redis://ann:***@127.0.0.1:{port}/0"


@report_expected_errors
def reach() -> Any:
    with SyncContext(read_config()) as context:
        context.open_store("any")


@pytest.mark.slow
def test_an_unreachable_store_is_an_error_with_a_remedy(unreachable: str) -> None:
    state = reach()
    assert state.is_failed()
    assert state.message.startswith(f"Redis store is unavailable. Check that {unreachable} runs and that ")
    assert state.message.endswith(" can reach it, then try again.")


def test_an_unexpected_error_is_not_changed() -> None:
    @report_expected_errors
    def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        broken()
