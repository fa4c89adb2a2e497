"""Names of flow runs that say what was done: Prefect resolves a name before the run has begun."""

from collections.abc import Mapping

from prefect import runtime
from prefect.client.orchestration import get_client

ACTIONS = ("create", "update", "delete")
LONGEST = 200


def rename(what: str, counts: Mapping[str, int] | None = None) -> None:
    """Call the running flow run by what it does, such as `sync registry → inventory · 775 create, 653 delete`."""
    name = f"{what} · {told(counts)}" if counts is not None else what
    with get_client(sync_client=True) as client:
        client.update_flow_run(runtime.flow_run.id, name=name[:LONGEST])


def told(counts: Mapping[str, int]) -> str:
    """The counts that are not 0."""
    return ", ".join(f"{counts[action]:,} {action}" for action in ACTIONS if counts.get(action)) or "no changes"
