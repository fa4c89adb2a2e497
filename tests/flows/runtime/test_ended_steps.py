"""A run that is started again knows at once which of its steps have ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from diffsync_flows.runtime.ended_steps import has_ended, note_ended
from tests.flows.conftest import Project
from tests.http_service import DROP, Failure, HttpService


@contextmanager
def run_at(address: str, run_id: str, run_count: int = 2) -> Iterator[None]:
    """Let this process be an attempt of a flow run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", run_id)
        patch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", str(run_count))
        with (
            temporary_settings({PREFECT_API_URL: f"{address}/api", PREFECT_CLIENT_MAX_RETRIES: 0}),
            disable_run_logger(),
        ):
            yield


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_step_that_has_ended_is_known_in_the_next_attempt_of_its_run_only(project: Project) -> None:
    flow = project.stack.post("/flows/", name="noting")["id"]
    run, other = (project.stack.post("/flow_runs/", flow_id=flow)["id"] for _ in range(2))
    address = project.stack.address
    with run_at(address, run, 1):
        note_ended("load", "Büro_1.a", "büro-1")
        note_ended("load", "Büro_1.a", "büro-1")  # a step that was repeated
        assert not has_ended("load", "Büro_1.a", "büro-1")
    with run_at(address, run):
        assert has_ended("load", "Büro_1.a", "büro-1")
        assert not has_ended("load", "Büro_1.a", "büro-2")
        assert not has_ended("load", "Büro_1_a", "büro-1")
        assert not has_ended("diff", "Büro_1.a", "büro-1")
    with run_at(address, other):
        assert not has_ended("load", "Büro_1.a", "büro-1")


@pytest.mark.parametrize("failure", [DROP, 500])
def test_a_server_that_does_not_answer_lets_the_step_be_repeated(failure: Failure) -> None:
    with HttpService(lambda _: b"", failures=[failure] * 9) as service, run_at(service.url, str(uuid4())):
        note_ended("load", "a", "a-1")
        assert not has_ended("load", "a", "a-1")
    assert service.requests
