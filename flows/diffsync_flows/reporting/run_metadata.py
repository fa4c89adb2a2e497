"""Names and tags of flow runs, by what they did: Prefect resolves a name before the run has begun.

Runs of one story share tags, by which Prefect's page of runs finds them: `store:STORE_ID` those that loaded or compared a
store, `diff:DIFF_ID` those that made or applied a diff, `sync:NAME` all of a sync.
"""

from collections.abc import Iterator, Mapping

from prefect import runtime
from prefect.client.orchestration import get_client

from diffsync_flows.reporting.escape import one_line
from diffsync_flows.runtime.prefect_client import best_effort
from diffsync_store.project import PROJECT

ACTIONS = ("create", "update", "delete")
LONGEST = 200
TAG = "diffsync"
"""Of every deployment that is declared here, and of its runs."""
PROJECT_TAG = "project:"
"""The tag by which deployments and their runs say whose they are begins so."""


def rename_run(what: str, counts: Mapping[str, int] | None = None, **tags: str | tuple[str, ...]) -> None:
    """Call the running flow run by what it does, such as `sync registry → inventory · 775 create, 653 delete`.

    Args:
        what: the beginning of the name.
        counts: by action, for its end.
        **tags: a kind, and the one or the several that it is tagged with; an empty one is no tag.
    """
    name = one_line(f"{what} · {told(counts)}" if counts is not None else what, LONGEST)
    tagged = {*runtime.flow_run.tags, *_named(tags)}
    with best_effort(f"The run could not be named {name}"), get_client(sync_client=True) as client:
        client.update_flow_run(runtime.flow_run.id, name=name, tags=sorted(tagged))


def _named(tags: Mapping[str, str | tuple[str, ...]]) -> Iterator[str]:
    for kind, given in tags.items():
        yield from (f"{kind}:{each}" for each in ((given,) if isinstance(given, str) else given) if each)


def project_of_run() -> str:
    """The project of the YAML file that has declared the running flow run's deployment."""
    marks = (tag.removeprefix(PROJECT_TAG) for tag in runtime.flow_run.tags if tag.startswith(PROJECT_TAG))
    return next(marks, PROJECT)


def told(counts: Mapping[str, int]) -> str:
    """The counts that are not 0."""
    return ", ".join(f"{counts[action]:,} {action}" for action in ACTIONS if counts.get(action)) or "no changes"
