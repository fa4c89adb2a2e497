"""The artifact that lists the shards of a load: their states, their objects and their runs."""

from uuid import UUID

from prefect import runtime
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.sorting import FlowRunSort
from prefect.utilities.urls import url_for

from diffsync_flows.prefect_api import PAGE, best_effort
from diffsync_flows.reporting.artifacts.text import NOT_PUBLISHED
from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import artifact_key, of_this_run
from diffsync_store import ObjectStoreException, ShardRecord, StoreNotFound

HEADER = "| shard | state | objects | | run |\n| --- | --- | --- | --- | --- |"


class ShardTable:
    """The table of one load. It is one artifact, which `publish` brings up to date. One thread at a time publishes it."""

    def __init__(self, context: SyncContext, adapter: str, store_id: str) -> None:
        self._context = context
        self._adapter = adapter
        self._store_id = store_id
        self._artifact: UUID | None = None

    def publish(self) -> None:
        """Publish the shards as they are now. An error does not disturb the load."""
        with best_effort(NOT_PUBLISHED, ObjectStoreException):
            shards, runs = self._shards(), _runs()
            names = [*shards] or list(runs)
            if not names:
                return
            loaded = sum(shard.is_loaded for shard in shards.values())
            objects = sum(shard.objects for shard in shards.values())
            about = f"{loaded} of {len(names)} shards of {escape_markdown(self._adapter)}: {objects:,} objects"
            rows = [_row(name, shards.get(name), runs.get(name)) for name in names]
            self._write(f"# {about}\n\n" + "\n".join([HEADER, *rows]), about)

    def _shards(self) -> dict[str, ShardRecord]:
        try:
            with self._context.open_store(self._store_id) as store:
                return {shard.name: shard for shard in store.shards()}
        except StoreNotFound:
            return {}

    def _write(self, text: str, about: str) -> None:
        if self._artifact is None:
            key = f"{artifact_key('load', self._adapter)}-shards"
            found = create_markdown_artifact(text, key=of_this_run(key), description=about)
            assert isinstance(found, UUID)  # noqa: S101  # for the type checker: no event loop, so no coroutine
            self._artifact = found
            return
        with get_client(sync_client=True) as client:
            client.update_artifact(self._artifact, ArtifactUpdate(data=text, description=about))


def _runs() -> dict[str, FlowRun]:
    """Return the newest run of each shard that this run has started."""
    of_this = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(runtime.flow_run.id)]))
    found: list[FlowRun] = []
    with get_client(sync_client=True) as client:
        while page := client.read_flow_runs(
            flow_run_filter=of_this, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=PAGE, offset=len(found)
        ):
            found += page
    return {str(run.parameters["shard"]): run for run in found if "shard" in run.parameters}


def _row(name: str, shard: ShardRecord | None, run: FlowRun | None) -> str:
    state = "missing" if shard is None else shard.state.value
    reason = "" if shard is None or not shard.reason else f": {shard.reason}"
    objects = 0 if shard is None else shard.objects
    expected = 0 if shard is None else sum(shard.expected.values())
    percent = f"{min(100, 100 * objects // expected)} %" if expected else ""
    link = "" if run is None else f"[{escape_markdown(run.state.name if run.state else 'Unknown')}]({url_for(run)})"
    cells = (escape_markdown(name), escape_markdown(f"{state}{reason}", 600), f"{objects:,}", percent, link)
    return f"| {' | '.join(cells)} |"
