"""The artifact of a reconcile."""

from collections.abc import Iterable
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.sorting import ArtifactSort

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import (
    MAX_MESSAGE_LENGTH,
    NOT_PUBLISHED,
    canary_section,
    format_totals,
    sides,
)
from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.runtime.ids import artifact_key, of_this_run
from diffsync_flows.runtime.states import Ending
from diffsync_store.canary import CanaryReport
from diffsync_store.diffs import DiffRecord

WAITING = "waits for approval"
WAITS_FOR_WINDOW = "approved, waits for a window"


def publish_reconcile(
    sync: str,
    record: DiffRecord,
    steps: Iterable[tuple[str, str, str]],
    ending: Ending,
    *,
    is_waiting: bool,
    canary: CanaryReport | None = None,
) -> None:
    """Publish the steps of a reconcile; each has a name, what became of it, and the URL of its own run if it has one."""
    rows = [
        f"| {escape_markdown(name)} | {escape_markdown(state)} | {f'[open]({url})' if url else ''} |"
        for name, state, url in steps
    ]
    totals = format_totals(record) if record.operations else "No difference: nothing was synced"
    status = f"{WAITING}: " if is_waiting else ending.outcome.prefix
    note = f"{escape_markdown(ending.message, MAX_MESSAGE_LENGTH)}\n\n" if ending.message else ""
    with best_effort(NOT_PUBLISHED):
        create_markdown_artifact(
            f"# {status}{totals}\n\n{note}{sides(record)}: source store {escape_markdown(record.source_store_id)}, target "
            f"store {escape_markdown(record.target_store_id)}, diff {escape_markdown(record.diff_id)}.\n\n"
            + "\n".join(["| step | result | |", "| --- | --- | --- |", *rows])
            + (canary_section(canary) if canary is not None else ""),
            key=of_this_run(artifact_key("reconcile", sync)),
            description=f"{status}{totals}",
        )


def settle_reconcile(run_id: UUID, result: str, message: str) -> None:
    """Write into the artifact of a reconcile that waited what became of its sync, or what it waits for now."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    with best_effort(NOT_PUBLISHED), get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=of_run, sort=ArtifactSort.CREATED_DESC)
        for artifact in found:
            about = str(artifact.description)
            waiting = next((each for each in (WAITING, WAITS_FOR_WINDOW) if each in about), "")
            if (artifact.key or "").startswith("reconcile") and waiting:
                text = _settled(str(artifact.data), waiting, result, message)
                about = about.replace(waiting, result, 1)
                client.update_artifact(artifact.id, ArtifactUpdate(data=text, description=about))


def _settled(text: str, waiting: str, result: str, message: str) -> str:
    heading, _, rest = text.partition("\n\n")
    _, _, steps = rest.partition("\n\n")  # after the note that it waits
    note = escape_markdown(message, MAX_MESSAGE_LENGTH)
    steps = steps.replace(f"| {waiting} |", f"| {escape_markdown(result)} |")
    return f"{heading.replace(waiting, result, 1)}\n\n{note}\n\n{steps}"
