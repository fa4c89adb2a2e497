"""A process checks whether it still has its run, even if the server answers late or not at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from prefect.exceptions import Abort
from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from diffsync_flows.runtime import superseded_runs
from diffsync_flows.runtime.superseded_runs import abort_if_superseded
from tests.http_service import HttpService


@pytest.fixture
def run_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """A flow run that this process believes to be its first attempt."""
    name = str(uuid4())
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", name)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "1")
    monkeypatch.setattr(superseded_runs, "RETRY_SECONDS", 0.05)
    return name


@contextmanager
def server(run_id: str, run_count: int, *, silent: int = 0) -> Iterator[HttpService]:
    """A server with the needed part of Prefect's API; it does not answer the first requests."""
    answer = json.dumps({"id": run_id, "flow_id": str(uuid4()), "run_count": run_count, "created": None}).encode()
    with (
        HttpService(lambda _: answer, failures=["drop"] * silent) as service,
        temporary_settings({PREFECT_API_URL: f"{service.url}/api", PREFECT_CLIENT_MAX_RETRIES: 0}),
        disable_run_logger(),
    ):
        yield service


def requests_of(service: HttpService) -> int:
    return sum(path.startswith("/api/flow_runs/") for _, path in service.requests)


def test_a_process_aborts_if_its_run_was_started_again(run_id: str) -> None:
    with server(run_id, 2, silent=2) as service:
        for _ in range(2):
            with pytest.raises(Abort, match="started again"):
                abort_if_superseded()
    assert requests_of(service) == 3


def test_a_process_continues_if_it_still_has_its_run(run_id: str) -> None:
    with server(run_id, 1) as service:
        abort_if_superseded()
        abort_if_superseded()
    assert requests_of(service) == 1


def test_a_process_stops_waiting_for_a_silent_server(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superseded_runs, "MAX_WAIT_SECONDS", 0.2)
    with server(run_id, 2, silent=1000):
        abort_if_superseded()
