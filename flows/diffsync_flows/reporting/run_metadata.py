"""Name and tag flow runs after what they did. Prefect itself names a run before it starts.

Prefect's page of runs can filter by these tags:

- `store:STORE_ID`: runs that loaded or compared a store,
- `diff:DIFF_ID`: runs that made or applied a diff,
- `sync:NAME`: all runs of a sync,
- `outcome:OUTCOME`: runs that ended otherwise than complete, such as `outcome:partial`. Their names begin with it: `PARTIAL: `.
"""

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.escape import one_line
from diffsync_flows.runtime.states import OUTCOME_TAG, Ending, Outcome
from diffsync_store.project import PROJECT

ACTIONS = ("delete", "create", "update")
"""Deletes first, because they lose data."""
MAX_NAME_LENGTH = 200
TAG = "diffsync"
"""Tag of every deployment of a project, and of its runs."""
PROJECT_TAG = "project:"
"""Prefix of the tag that names the project of a deployment and its runs."""


def rename_run(
    flow: str,
    subject: str,
    counts: Mapping[str, int] | None = None,
    outcome: Outcome = Outcome.COMPLETE,
    **tags: str | tuple[str, ...],
) -> None:
    """Name the running flow run, for example `sync registry → inventory · 653 delete, 775 create`.

    A run of another flow, in which this is one of several steps, keeps its name and tags.

    Args:
        flow: The flow, which is the beginning of the name.
        subject: What the run is about.
        counts: Counts by action, for the end of the name.
        outcome: How the run ends, as far as it is known.
        **tags: By kind of tag, one name or several; an empty name gives no tag.
    """
    if runtime.flow_run.flow_name != flow:
        return
    title = f"{flow} {subject}"
    name = f"{title} · {format_counts(counts)}" if counts is not None else title
    _update(UUID(runtime.flow_run.id), name, {*runtime.flow_run.tags, *_flatten(tags)}, outcome)


def mark_run(run_id: UUID, outcome: Outcome, suffix: str = "") -> None:
    """Put the outcome of a run into its name and its tags, in place of an earlier one; append a text to the name."""
    with best_effort(f"Cannot name the run {run_id}"), get_client(sync_client=True) as client:
        run = client.read_flow_run(run_id)
        name = run.name
        for each in Outcome:
            name = name.removeprefix(each.prefix)
        _update(run_id, f"{name}{suffix}", run.tags, outcome)


def mark_own_run(flow: str, ending: Ending) -> None:
    """Put the outcome of the running flow run into its name and its tags, unless this is one step in a run of another flow."""
    if runtime.flow_run.flow_name == flow and ending.outcome is not Outcome.COMPLETE:
        mark_run(UUID(runtime.flow_run.id), ending.outcome)


def _update(run_id: UUID, name: str, tags: Iterable[str], outcome: Outcome) -> None:
    kept = {tag for tag in tags if not tag.startswith(OUTCOME_TAG)}
    own = set() if outcome is Outcome.COMPLETE else {f"{OUTCOME_TAG}{outcome}"}
    line = one_line(f"{outcome.prefix}{name}", MAX_NAME_LENGTH)
    with best_effort(f"Cannot name the run {line}"), get_client(sync_client=True) as client:
        client.update_flow_run(run_id, name=line, tags=sorted(kept | own))


def _flatten(tags: Mapping[str, str | tuple[str, ...]]) -> Iterator[str]:
    for kind, names in tags.items():
        yield from (f"{kind}:{name}" for name in ((names,) if isinstance(names, str) else names) if name)


def project_of_run() -> str:
    """Return the project of the YAML file that declares the running flow run's deployment."""
    projects = (tag.removeprefix(PROJECT_TAG) for tag in runtime.flow_run.tags if tag.startswith(PROJECT_TAG))
    return next(projects, PROJECT)


def format_counts(counts: Mapping[str, int]) -> str:
    """Return the counts that are not 0, such as `1 delete, 2 create`."""
    return ", ".join(f"{counts[action]:,} {action}" for action in ACTIONS if counts.get(action)) or "no changes"
