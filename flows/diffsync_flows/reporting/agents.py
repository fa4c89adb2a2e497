"""The table of the agents on the page of the run that started them, brought up to date while they work."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.reporting.progress import repeat_in_background
from diffsync_flows.runtime.ids import of_this_run
from diffsync_store import AgentState, ObjectStoreException, Round
from diffsync_store.diffs import SavedDiff

HEADER = "| agent | state | operations | units | took over | last seen | reason | run |\n|" + " --- |" * 8


class AgentsReport:
    """An artifact with the agents of a diff.

    Args:
        saved: The diff.
        key: Key of the artifact.
        group: Group of the agents that this run has started.
        pages: URLs of their runs, by the beginnings of their names before the comma: `agent 1`.
    """

    def __init__(self, saved: SavedDiff, key: str, group: str, pages: Mapping[str, str]) -> None:
        self._saved = saved
        self._key = key
        self._group = group
        self._pages = pages
        self._artifact: UUID | None = None

    def publish(self) -> None:
        """Show the present state; an error here does not disturb the work."""
        with best_effort("Cannot publish the agents", ObjectStoreException):
            found = self._saved.round()
            if found is not None:
                self._publish(agents_text(found, self._pages if found.group == self._group else {}))

    def _publish(self, text: str) -> None:
        if self._artifact is None:
            found = create_markdown_artifact(
                text, key=of_this_run(self._key), description="Agents that apply the diff together"
            )
            self._artifact = found if isinstance(found, UUID) else None
            return
        with get_client(sync_client=True) as client:
            client.update_artifact(self._artifact, ArtifactUpdate(data=text))


def agents_text(found: Round, pages: Mapping[str, str]) -> str:
    """Return the agents as Markdown, with links to their runs."""
    rows = "\n".join(_row(each, pages.get(each.name.partition(",")[0], "")) for each in found.agents)
    done = f"{found.units_done:,} of {found.units:,} units are done."
    end = f" {escape_markdown(found.stopped, 600)}" if found.stopped else ""
    return f"# Agents\n\n{done}{end}\n\n{HEADER}\n{rows}"


def _row(agent: AgentState, page: str) -> str:
    counts = f"{agent.operations:,} | {agent.units:,} | {agent.took_over:,} | {agent.seen:%Y-%m-%d %H:%M:%S} UTC"
    reason, link = escape_markdown(agent.reason or "-"), f"[open]({page})" if page else ""
    return f"| {escape_markdown(agent.name)} | {agent.state} | {counts} | {reason} | {link} |"


@contextmanager
def report_agents(saved: SavedDiff, key: str, group: str, pages: Mapping[str, str]) -> Iterator[None]:
    """Show the agents of a diff while the body runs, and at its end."""
    report = AgentsReport(saved, key, group, pages)
    try:
        with repeat_in_background(report.publish):
            yield
    finally:
        report.publish()
