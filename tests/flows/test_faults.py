"""What a person can mend is said in one sentence, as the state of the run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flows.config import read_config
from flows.demo.runs import finish, start_run
from flows.failures import failing_plainly
from tests.flows.conftest import Project
from tests.flows.test_operations import lines, prepared, state_of
from tests.servers import free_port, wait_until

FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("load/five", {"adapter": "fife"}, "no adapter 'fife' is declared; 'five' may be meant"),
    ("load/unset", {}, "adapters.unset.settings.label: the environment has no variable NOT_SET_ANYWHERE"),
    ("load/gone", {}, "adapters.gone.class: cannot import tests.flows.no_such_module: No module named"),
    (
        "diff/lacking",
        {"source_store_id": "no-such", "target_store_id": "no-such"},
        "There is no store 'no-such': it was never loaded, was dropped, or expired. Load it again.",
    ),
    ("sync/lacking", {"diff_id": "no-such"}, "There is no saved diff 'no-such'"),
]


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_fault_is_the_state_of_its_run_in_one_sentence(project: Project) -> None:
    started = [start_run(project.stack, deployment, **parameters) for deployment, parameters, _ in FAULTS]
    for run_id, (*_, fault) in zip(started, FAULTS, strict=True):
        run = finish(project.stack, run_id, seconds=120)
        assert run.state == "Failed"
        assert fault in run.message
        assert "exception" not in run.message
        assert not any("Retry" in line for line in project.logs(run))


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sync_that_nobody_approves_in_time_fails_and_can_be_asked_for_again(project: Project) -> None:
    diff_id = prepared(project, "late", "seven")
    run_id = start_run(project.stack, "sync/late", diff_id=diff_id)
    wait_until(lambda: state_of(project, run_id) == "NotApproved", 120, "it is told that nobody has approved it")
    run = finish(project.stack, run_id)
    assert run.message.startswith("Nobody has approved the diff in time, and nothing was applied. It can still be: ")
    assert lines(project.folder / "late") == []
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


@failing_plainly
def reach() -> Any:
    with read_config().open_store("any"):
        pass


@failing_plainly
async def reach_async() -> Any:
    return read_config().open_store("any")


def test_a_store_that_does_not_answer_is_named_with_what_to_do(unreachable: str) -> None:
    for state in (reach(), asyncio.run(reach_async())):
        assert state.is_failed()
        assert state.message.startswith(f"Redis store is unavailable. It is {unreachable}: see that it runs, and that ")
        assert state.message.endswith(" reaches it; then start this run again.")


def test_what_nobody_has_foreseen_is_not_touched() -> None:
    @failing_plainly
    def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        broken()
