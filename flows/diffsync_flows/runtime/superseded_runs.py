"""A process of which nobody has heard for so long that its run was started again has no say in that run any more."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort

PATIENCE = 600.0
"""Seconds for which Prefect's server is asked, where it does not answer."""
PAUSE = 1
"""Seconds between two of these questions."""
_run_counts: dict[str, int] = {}
"""As the server had them; 0 where it did not answer. It is asked once for a run, when something has failed."""


def abort_if_superseded() -> None:
    """End this process without a state for its run, if another one has the run now.

    Raises:
        Abort: it has; Prefect's engine ends the process by it and reports nothing.
    """
    flow_run_id, deadline = runtime.flow_run.id, time.monotonic() + PATIENCE
    while flow_run_id and flow_run_id not in _run_counts:
        try:
            with get_client(sync_client=True) as client:
                _run_counts[flow_run_id] = client.read_flow_run(UUID(flow_run_id)).run_count
        except httpx.HTTPError:
            _give_up_after(deadline, flow_run_id)
            time.sleep(PAUSE)
    _abort_if_superseded(flow_run_id)


async def abort_if_superseded_async() -> None:
    """The same where an event loop runs, which goes on meanwhile; it ends at once where it is cancelled.

    Raises:
        Abort: as above.
    """
    flow_run_id, deadline = runtime.flow_run.id, time.monotonic() + PATIENCE
    while flow_run_id and flow_run_id not in _run_counts:
        try:
            async with get_client() as client:
                _run_counts[flow_run_id] = (await client.read_flow_run(UUID(flow_run_id))).run_count
        except httpx.HTTPError:
            _give_up_after(deadline, flow_run_id)
            await asyncio.sleep(PAUSE)
    _abort_if_superseded(flow_run_id)


@asynccontextmanager
async def abort_on_error_if_superseded() -> AsyncIterator[None]:
    """Where the body fails, ask first whether this process still has the run; what asks later has the answer at hand."""
    try:
        yield
    except Exception:
        await abort_if_superseded_async()
        raise


def _give_up_after(deadline: float, flow_run_id: str) -> None:
    if time.monotonic() > deadline:
        _run_counts[flow_run_id] = 0


def _abort_if_superseded(flow_run_id: str | None) -> None:
    if flow_run_id and _run_counts[flow_run_id] > runtime.flow_run.run_count:
        get_run_logger().warning("This run was started again while nobody heard of this process, which ends here")
        raise Abort("the run was started again")
