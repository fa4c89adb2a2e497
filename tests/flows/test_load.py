"""A load from an unreliable web service, on a real worker."""

import json

import pytest

from tests.flows.conftest import Project
from tests.http_service import DROP, Failure, HttpService

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_load_survives_a_restarting_service_and_respects_retry_after(project: Project) -> None:
    failures: list[Failure] = [500, 500, (429, {"Retry-After": "3"}), DROP]
    with HttpService(lambda _: json.dumps(["a", "b"]).encode(), failures=failures) as service:
        (project.folder / "served").write_text(service.url, "utf-8")
        run = project.run("load/served", store_id="served")
    assert (run.state, run.message) == ("Completed", "")
    assert len(service.requests) == 5
    with project.store("served") as store:
        assert (store.record().state.value, store.count()) == ("complete", 5)
    project.expect_log(run, "The service asks for a pause of 3 seconds (Retry-After)")


def test_a_load_with_a_refused_login_is_not_retried(project: Project) -> None:
    with HttpService(failures=[401]) as service:
        (project.folder / "served").write_text(service.url, "utf-8")
        run = project.run("load/served")
    assert run.state == "Failed"
    assert "401 Unauthorized" in run.message
    assert len(service.requests) == 1
