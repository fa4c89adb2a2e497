"""Load shards in the run of the load itself, if no worker takes their runs."""

from time import monotonic
from typing import Any

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun, SetStateStatus, State
from prefect.states import Cancelled

from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.steps.shard import load_shard_records
from diffsync_store.printable import printable
from diffsync_store.runs import ShardLoad

STARVED_SECONDS = 30
"""How long no run of a shard may run before the load takes one."""


class StarvedLoad:
    """Watches the runs of the shards of a load. The load itself may hold the last slot of its work pool, so that none of them starts."""

    def __init__(self, context: SyncContext, store_id: str) -> None:
        self._context = context
        self._store_id = store_id
        self._since: float | None = None

    def __call__(self, runs: list[FlowRun]) -> None:
        """Load one shard here if all runs that have not ended have waited for too long."""
        left = [run for run in runs if run.state is not None and not run.state.is_final()]
        if not left or not all(run.state is not None and run.state.is_scheduled() for run in left):
            self._since = None
            return
        self._since = self._since or monotonic()
        if monotonic() - self._since >= STARVED_SECONDS and _cancel(left[0]):
            self._load(left[0])

    def _load(self, run: FlowRun) -> None:
        shard = ShardLoad(
            **{key: run.parameters[key] for key in ("adapter", "shards", "load")}, name=run.parameters["shard"]
        )
        log = get_run_logger()
        log.warning(
            "No worker takes the runs of the shards, so this run loads %s. Start a worker for their work pool, or raise its limit.",
            shard.name,
        )
        try:
            load_shard_records(self._context, self._store_id, shard)
        except Exception as error:  # noqa: BLE001  # the shard is a gap, and its record has the reason
            log.warning("The shard %s was not loaded: %s", shard.name, printable(str(error)))


def _cancel(run: FlowRun) -> bool:
    """Cancel a run that has not started; return whether that was in time."""
    state: State[Any] = Cancelled(message="No worker has taken this run, so the run of the load has loaded the shard")
    with get_client(sync_client=True) as client:
        return client.set_flow_run_state(run.id, state).status is SetStateStatus.ACCEPT
