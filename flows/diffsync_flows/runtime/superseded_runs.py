"""End a process whose flow run was started again in another process.

Prefect restarts a run whose process sends no heartbeat. If the first process is alive after all, it must stop
and leave the run to the second one.
"""

from typing import Any
from uuid import UUID

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

MAX_WAIT_SECONDS = 600.0
"""How long to retry if the Prefect server does not answer."""
RETRY_SECONDS = 1.0
_run_counts: dict[str, int] = {}
"""How often the server started each flow run; 0 if it did not answer. Read once per run."""


def abort_if_superseded() -> None:
    """End this process without reporting a state if another process has its flow run.

    Raises:
        Abort: Another process has it. Prefect's engine ends this process and reports nothing.
    """
    flow_run_id = runtime.flow_run.id
    if not flow_run_id:
        return
    if flow_run_id not in _run_counts:
        _run_counts[flow_run_id] = Retrying(**_retry_options())(_read_run_count, flow_run_id)
    if _run_counts[flow_run_id] > runtime.flow_run.run_count:
        get_run_logger().warning("Another process has started this run again. This process ends.")
        raise Abort("the run was started again")


def _retry_options() -> dict[str, Any]:
    return {
        "retry": retry_if_exception_type(httpx.HTTPError),
        "wait": wait_fixed(RETRY_SECONDS),
        "stop": stop_after_delay(MAX_WAIT_SECONDS),
        "retry_error_callback": lambda _: 0,
    }


def _read_run_count(flow_run_id: str) -> int:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(flow_run_id)).run_count
