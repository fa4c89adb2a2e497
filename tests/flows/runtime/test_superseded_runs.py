"""A process checks whether it still has its run, even if the server answers late or not at all."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from prefect.exceptions import Abort
from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from diffsync_flows.runtime import superseded_runs
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.superseded_runs import (
    abort_if_superseded,
    abort_if_superseded_async,
    abort_on_error_if_superseded,
)
from diffsync_flows.runtime.threads import in_thread
from diffsync_store.project import UserError
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


def immediately() -> None:
    abort_if_superseded()


def in_event_loop() -> None:
    asyncio.run(abort_if_superseded_async())


both = pytest.mark.parametrize("leave", [immediately, in_event_loop])


@both
def test_a_process_aborts_if_its_run_was_started_again(run_id: str, leave: Callable[[], None]) -> None:
    with server(run_id, 2, silent=2) as service:
        for _ in range(2):
            with pytest.raises(Abort, match="started again"):
                leave()
    assert requests_of(service) == 3


@both
def test_a_process_continues_if_it_still_has_its_run(run_id: str, leave: Callable[[], None]) -> None:
    with server(run_id, 1) as service:
        leave()
        leave()
    assert requests_of(service) == 1


@both
def test_a_process_stops_waiting_for_a_silent_server(
    run_id: str, leave: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(superseded_runs, "MAX_WAIT_SECONDS", 0.2)
    with server(run_id, 2, silent=1000):
        leave()


async def count_ticks(work: asyncio.Task[None]) -> int:
    """Count the ticks of the event loop while the work runs."""
    ticks = 0
    while not work.done():
        await asyncio.sleep(0.01)
        ticks += 1
    return ticks


def test_waiting_for_a_silent_server_does_not_block_the_event_loop_and_can_be_cancelled(run_id: str) -> None:
    @report_expected_errors
    async def fails() -> None:
        async with abort_on_error_if_superseded():
            raise UserError("no store")

    async def cancelled() -> int:
        work = asyncio.create_task(fails())
        asyncio.get_running_loop().call_later(1, work.cancel)
        ticks = await count_ticks(work)
        with pytest.raises(asyncio.CancelledError):
            await work
        return ticks

    began = time.monotonic()
    with server(run_id, 2, silent=1000):
        assert asyncio.run(cancelled()) > 5  # of about a hundred; a blocked loop ticks once
    assert time.monotonic() - began < 60


def test_a_blocking_context_manager_is_entered_and_exited_in_a_thread() -> None:
    seen: list[threading.Thread] = []

    @contextmanager
    def blocking() -> Iterator[str]:
        seen.append(threading.current_thread())
        try:
            yield "entered"
        except KeyError:
            seen.append(threading.current_thread())

    async def body(error: Exception | None) -> None:
        async with in_thread(blocking()) as entered:
            assert entered == "entered"
            if error:
                raise error

    asyncio.run(body(None))
    asyncio.run(body(KeyError("swallowed")))
    with pytest.raises(ValueError, match="kept"):
        asyncio.run(body(ValueError("kept")))
    assert len(seen) == 4
    assert threading.main_thread() not in seen
