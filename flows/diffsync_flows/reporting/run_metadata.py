"""Name and tag flow runs after what they did. Prefect itself names a run before it starts.

Prefect's page of runs can filter by these tags:

- `store:STORE_ID`: runs that loaded or compared a store,
- `diff:DIFF_ID`: runs that made or applied a diff,
- `sync:NAME`: all runs of a sync.
"""

from collections.abc import Iterator, Mapping

from prefect import runtime
from prefect.client.orchestration import get_client

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.escape import one_line
from diffsync_store.project import PROJECT

ACTIONS = ("create", "update", "delete")
MAX_NAME_LENGTH = 200
TAG = "diffsync"
"""Tag of every deployment of a project, and of its runs."""
PROJECT_TAG = "project:"
"""Prefix of the tag that names the project of a deployment and its runs."""


def rename_run(flow: str, subject: str, counts: Mapping[str, int] | None = None, **tags: str | tuple[str, ...]) -> None:
    """Name the running flow run, for example `sync registry → inventory · 775 create, 653 delete`.

    A run of another flow, in which this is one of several steps, keeps its name and tags.

    Args:
        flow: The flow, which is the beginning of the name.
        subject: What the run is about.
        counts: Counts by action, for the end of the name.
        **tags: By kind of tag, one name or several; an empty name gives no tag.
    """
    if runtime.flow_run.flow_name != flow:
        return
    title = f"{flow} {subject}"
    name = one_line(f"{title} · {format_counts(counts)}" if counts is not None else title, MAX_NAME_LENGTH)
    all_tags = {*runtime.flow_run.tags, *_flatten(tags)}
    with best_effort(f"Cannot name the run {name}"), get_client(sync_client=True) as client:
        client.update_flow_run(runtime.flow_run.id, name=name, tags=sorted(all_tags))


def _flatten(tags: Mapping[str, str | tuple[str, ...]]) -> Iterator[str]:
    for kind, names in tags.items():
        yield from (f"{kind}:{name}" for name in ((names,) if isinstance(names, str) else names) if name)


def project_of_run() -> str:
    """Return the project of the YAML file that declares the running flow run's deployment."""
    projects = (tag.removeprefix(PROJECT_TAG) for tag in runtime.flow_run.tags if tag.startswith(PROJECT_TAG))
    return next(projects, PROJECT)


def format_counts(counts: Mapping[str, int]) -> str:
    """Return the counts that are not 0, such as `2 create, 1 delete`."""
    return ", ".join(f"{counts[action]:,} {action}" for action in ACTIONS if counts.get(action)) or "no changes"
