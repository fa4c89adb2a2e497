"""A decision resumes a run whose form Prefect has not saved yet."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.flow_runs import resume_flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from diffsync_flows.approval import answers
from diffsync_flows.approval.answers import resume
from diffsync_store.project import UserError
from tests.flows.conftest import Project
from tests.flows.runs import states_of

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

KEYS = {name: f"suspended-early-{name}" for name in ("description", "response", "schema")}


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Set when Prefect has refused an answer."""
    event = Event()

    def watched(*args: Any, **options: Any) -> None:
        try:
            resume_flow_run(*args, **options)
        except RuntimeError:
            event.set()
            raise

    monkeypatch.setattr(answers, "resume_flow_run", watched)
    return event


def early_run(project: Project) -> str:
    """Return a run that is suspended with a form that is not saved."""
    found = project.stack.get("/deployments/name/sync/busy")
    created = f"/deployments/{found['id']}/create_flow_run"
    run_id = str(project.stack.post(created, parameters={"diff_id": "none"}, state={"type": "SCHEDULED"})["id"])
    details = {"pause_timeout": "2099-01-01T00:00:00Z", "pause_reschedule": True, "run_input_keyset": KEYS}
    state = {"type": "PAUSED", "name": "Suspended", "state_details": details}
    project.stack.post(f"/flow_runs/{run_id}/set_state", state=state, force=True)
    return run_id


def answer(project: Project, run_id: str) -> None:
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(UUID(run_id))
        resume([run], is_approved=True, by="ann", comment="")


def test_a_decision_waits_for_the_form_of_a_run(project: Project, refused: Event) -> None:
    run_id = early_run(project)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer, project, run_id)
        assert refused.wait(240)
        project.stack.api.post(
            f"/flow_runs/{run_id}/input", json={"key": KEYS["schema"], "value": json.dumps({"type": "object"})}
        ).raise_for_status()
        answered.result(240)
    assert "Resuming" in states_of(project, run_id)


def test_an_answer_that_prefect_refuses_is_an_error_with_a_remedy(
    project: Project, refused: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "FORM_SECONDS", 0.0)
    run_id = early_run(project)
    with pytest.raises(UserError, match=r"The decision is recorded, but Prefect .* Run: diffsync-flows resume"):
        answer(project, run_id)
    assert refused.is_set()
    assert "Resuming" not in states_of(project, run_id)
