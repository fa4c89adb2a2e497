"""A process of which nobody has heard for so long that its run was started again has no say in that run any more."""

import time
from functools import cache
from uuid import UUID

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort

PATIENCE = 600.0
"""Seconds for which Prefect's server is asked, where it does not answer."""


def leave_if_superseded() -> None:
    """End this process without a state for its run, if another one has the run now.

    Raises:
        Abort: it has; Prefect's engine ends the process by it and reports nothing.
    """
    if runtime.flow_run.id and _current_run_count(runtime.flow_run.id) > runtime.flow_run.run_count:
        get_run_logger().warning("This run was started again while nobody heard of this process, which ends here")
        raise Abort("the run was started again")


@cache
def _current_run_count(flow_run_id: str) -> int:
    """As the server has it, once it answers; 0 where it does not. It is asked once, when something has failed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with get_client(sync_client=True) as client:
                return client.read_flow_run(UUID(flow_run_id)).run_count
        except httpx.HTTPError:
            time.sleep(1)
    return 0
