"""Link from a run's artifact to the runs before it, and to the forms of the steps after it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.reporting.events import RECONCILE, UNDO


def run_link(flow: str, tag: str) -> str:
    """Return a Markdown link to the newest run of a flow with a tag; empty if there is none or Prefect does not answer.

    It is the run of a reconcile if that took the step itself: a step that it started is newer than the reconcile.
    """
    if runtime.flow_run.flow_name == RECONCILE:
        return f"[{escape_markdown(runtime.flow_run.name)}]({url_for('flow-run', runtime.flow_run.id)})"
    try:
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[flow, RECONCILE, UNDO])),
                flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag])),
                sort=FlowRunSort.START_TIME_DESC,
                limit=1,
            )
    except httpx.HTTPError:  # publish the artifact without the link
        return ""
    return f"[{escape_markdown(runs[0].name)}]({url_for(runs[0])})" if runs else ""


def sentence_with_links(text: str, flow: str, *tags: str) -> str:
    """Return a sentence with links to the newest runs of a flow for the tags, each once; empty if there are none."""
    links = dict.fromkeys(link for link in (run_link(flow, tag) for tag in tags) if link)
    return f"{text} {' and '.join(links)}." if links else ""


def form_link(text: str, deployment: str, parameters: Mapping[str, Any]) -> str:
    """Return a Markdown link to the form that starts a deployment, with these parameters filled in.

    Without the deployment, such as `sync/nightly`, or an answer of Prefect, it is the text alone.
    """
    try:
        with get_client(sync_client=True) as client:
            found = client.read_deployment_by_name(deployment)
    except (httpx.HTTPError, ObjectNotFound):
        return escape_markdown(text)
    page = url_for("deployment", found.id)
    return f"[{escape_markdown(text)}]({form_url(page or '', {**found.parameters, **parameters})})"


def form_url(deployment: str, parameters: Mapping[str, Any]) -> str:
    """Return the address of a deployment's form with parameters filled in, which both UIs of Prefect understand.

    The first UI decodes the parameters a second time, so that they must not contain a percent sign.
    """
    text = json.dumps(parameters).replace("%", "\\u0025")
    return f"{deployment}/run?parameters={quote(text, safe='')}"


def artifact_url(artifact_id: UUID) -> str:
    """Return the address of an artifact; Prefect's own function knows none."""
    return (url_for("flow-run", artifact_id) or "").replace("/runs/flow-run/", "/artifacts/artifact/")


def next_steps(links: Iterable[str]) -> str:
    """Return a list of links to what a person may do next; empty without links."""
    lines = [f"- {link}\n" for link in links]
    return f"Next:\n\n{''.join(lines)}\n" if lines else ""
