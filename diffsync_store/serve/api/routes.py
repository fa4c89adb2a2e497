"""The endpoints of the API."""

from itertools import islice

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from diffsync_store.runs import find_waiting
from diffsync_store.serve.api import models
from diffsync_store.serve.api.endpoint import PREFIX, Call, Endpoint
from diffsync_store.serve.api.openapi import openapi_document
from diffsync_store.serve.api.views import (
    approval_view,
    diff_detail,
    diff_view,
    operation_list,
    result_view,
    run_view,
    sync_view,
    waiting_diff,
)
from diffsync_store.serve.deciding.acting import act_on_decision, act_on_start, decision_of
from diffsync_store.serve.identity import ROLES, requires_role
from diffsync_store.serve.running import Start
from diffsync_store.serve.security.csrf import csrf_token


def read_me(call: Call) -> models.Me:
    """Return who makes the request."""
    user = call.user
    roles = [role for role in ROLES if role in user.roles]
    return models.Me(name=user.name, source=user.source, roles=roles, csrf_token=csrf_token(call.request))


def list_syncs(call: Call) -> models.SyncList:
    """Return the declared syncs."""
    return models.SyncList(syncs=[sync_view(call.context, name) for name in call.context.project.syncs])


def read_sync(call: Call) -> models.SyncView:
    """Return a declared sync."""
    return sync_view(call.context, call.path("sync_name"))


def list_waiting(call: Call) -> models.WaitingList:
    """Return what waits for whom."""
    holders = call.services.protection.holders
    found = find_waiting(call.context)
    return models.WaitingList(waiting=[waiting_diff(each, holders(each.role)) for each in found])


def list_diffs(call: Call) -> models.DiffList:
    """Return saved diffs."""
    query: models.DiffQuery = call.query
    diffs = call.context.diffs()
    records = diffs.list()
    if query.sync:
        declared = call.context.project.sync(query.sync)
        pair = (declared.source, declared.target)
        records = (record for record in records if (record.source_name, record.target_name) == pair)
    found = list(islice(records, query.start, query.start + query.limit + 1))
    views = [diff_view(call.context, diffs.open(record.diff_id)) for record in found[: query.limit]]
    next_start = query.start + query.limit if len(found) > query.limit else None
    return models.DiffList(diffs=views, next_start=next_start)


def read_diff(call: Call) -> models.DiffDetail:
    """Return a saved diff with its checksum."""
    saved = call.context.diffs().open(call.path("diff_id"))
    return diff_detail(call.context, saved, saved.outline().checksum())


def list_operations(call: Call) -> models.OperationList:
    """Return a page of the operations of a diff."""
    query: models.OperationQuery = call.query
    if query.unique_id and not query.model:
        raise HTTPException(422, "The query: unique_id needs model, because objects of two models may share an id.")
    return operation_list(call.context.diffs().open(call.path("diff_id")), query)


def read_result(call: Call) -> models.ResultView:
    """Return what became of the operations of a diff."""
    return result_view(call.context.diffs().open(call.path("diff_id")))


def decide(call: Call) -> models.DecisionAnswer:
    """Approve or reject a diff."""
    body: models.DecisionBody = call.body
    decision = decision_of(body)
    approval, runs, problem = act_on_decision(call.request, call.services, call.path("diff_id"), decision)
    view = approval_view(approval, body.checksum)
    return models.DecisionAnswer(approval=view, runs=[run_view(run) for run in runs], problem=problem)


def start_diff_run(call: Call) -> models.RunView:
    """Apply a diff, retry its rejects, try it without changes, or undo it."""
    body: models.DiffRunBody = call.body
    return run_view(act_on_start(call.request, call.services, body.start(call.path("diff_id"))))


def start_sync_run(call: Call) -> models.RunView:
    """Load both sides of a sync and save their diff."""
    body: models.SyncRunBody = call.body
    return run_view(act_on_start(call.request, call.services, Start(body.kind, call.path("sync_name"))))


def list_runs(call: Call) -> models.RunList:
    """Return the runs that were started here."""
    return models.RunList(runs=[run_view(run) for run in call.services.runner.runs()])


def read_run(call: Call) -> models.RunView:
    """Return one of them."""
    run_id = call.path("run_id")
    for run in call.services.runner.runs():
        if run.run_id == run_id:
            return run_view(run)
    raise HTTPException(404, "No run of this server has this id. After a restart, read the result of its diff.")


ENDPOINTS = (
    Endpoint("GET", "/me", "read", "Who am I, and what may I do?", models.Me, read_me),
    Endpoint("GET", "/syncs", "read", "List the syncs", models.SyncList, list_syncs),
    Endpoint("GET", "/syncs/{sync_name}", "read", "Read a sync", models.SyncView, read_sync),
    Endpoint(
        "POST", "/syncs/{sync_name}/runs", "start", "Load both sides of a sync and save their diff", models.RunView,
        start_sync_run, body=models.SyncRunBody, status=202,
    ),
    Endpoint("GET", "/waiting", "read", "List what waits for whom", models.WaitingList, list_waiting),
    Endpoint("GET", "/diffs", "read", "List the saved diffs, the newest first", models.DiffList, list_diffs, models.DiffQuery),
    Endpoint("GET", "/diffs/{diff_id}", "read", "Read a diff and its checksum", models.DiffDetail, read_diff),
    Endpoint(
        "GET", "/diffs/{diff_id}/operations", "read", "Read operations page by page", models.OperationList,
        list_operations, models.OperationQuery,
    ),
    Endpoint("GET", "/diffs/{diff_id}/result", "read", "Read what became of the operations", models.ResultView, read_result),
    Endpoint(
        "POST", "/diffs/{diff_id}/decision", "approve", "Approve or reject a diff", models.DecisionAnswer, decide,
        body=models.DecisionBody,
    ),
    Endpoint(
        "POST", "/diffs/{diff_id}/runs", "start", "Apply a diff, retry its rejects, or try it without changes",
        models.RunView, start_diff_run, body=models.DiffRunBody, status=202,
    ),
    Endpoint("GET", "/runs", "read", "List the runs that were started here", models.RunList, list_runs),
    Endpoint("GET", "/runs/{run_id}", "read", "Read a run", models.RunView, read_run),
)  # fmt: skip


def api_routes() -> list[Route]:
    """Return the routes of the API, and that of its description."""

    @requires_role("read")
    def openapi(_request: Request) -> Response:
        return JSONResponse(openapi_document(ENDPOINTS))

    return [*(each.route() for each in ENDPOINTS), Route(f"{PREFIX}/openapi.json", openapi, name="api_openapi")]
