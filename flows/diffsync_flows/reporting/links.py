"""Links from a run's artifact to the runs before it."""

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.sorting import FlowRunSort
from prefect.utilities.urls import url_for

from diffsync_flows.reporting.escape import escape_markdown


def run_link(flow: str, tag: str) -> str:
    """The newest run of a flow that has a tag, in markdown; empty where there is none, as for what was made elsewhere."""
    try:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
                flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag])),
                sort=FlowRunSort.START_TIME_DESC,
                limit=1,
            )
    except httpx.HTTPError:  # what is told is worth more than the link in it
        return ""
    return f"[{escape_markdown(found[0].name)}]({url_for(found[0])})" if found else ""
