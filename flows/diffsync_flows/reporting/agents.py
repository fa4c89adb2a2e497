"""The table of the agents on the page of the run that started them, brought up to date while they work."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.escape import markdown_table
from diffsync_flows.reporting.progress import repeat_in_background
from diffsync_store import ObjectStoreException, Round
from diffsync_store.diffs import SavedDiff

HEADER = ("agent", "state", "operations", "units", "took over", "last seen", "reason")


class AgentsReport:
    """An artifact with the agents of a diff.

    Args:
        saved: The diff.
        key: Key of the artifact.
    """

    def __init__(self, saved: SavedDiff, key: str) -> None:
        self._saved = saved
        self._key = key
        self._artifact: UUID | None = None

    def publish(self) -> None:
        """Show the present state; an error here does not disturb the work."""
        with best_effort("Cannot publish the agents", ObjectStoreException):
            found = self._saved.round()
            if found is not None:
                self._publish(agents_text(found))

    def _publish(self, text: str) -> None:
        if self._artifact is None:
            found = create_markdown_artifact(text, key=self._key, description="Agents that apply the diff together")
            self._artifact = found if isinstance(found, UUID) else None
            return
        with get_client(sync_client=True) as client:
            client.update_artifact(self._artifact, ArtifactUpdate(data=text))


def agents_text(found: Round) -> str:
    """Return the agents as Markdown."""
    rows = [
        (
            each.name,
            each.state,
            f"{each.operations:,}",
            f"{each.units:,}",
            f"{each.took_over:,}",
            f"{each.seen:%Y-%m-%d %H:%M:%S} UTC",
            each.reason,
        )
        for each in found.agents
    ]
    done = f"{found.units_done:,} of {found.units:,} units are done."
    end = f" {found.stopped}" if found.stopped else ""
    return f"# Agents\n\n{done}{end}\n\n{markdown_table(HEADER, rows)}"


@contextmanager
def report_agents(saved: SavedDiff, key: str) -> Iterator[None]:
    """Show the agents of a diff while the body runs, and at its end."""
    report = AgentsReport(saved, key)
    try:
        with repeat_in_background(report.publish):
            yield
    finally:
        report.publish()
