"""The pages of one diff: operations, tree, rejects, what field rules leave alone."""

from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from diffsync_store.diffs import SavedDiff
from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.runs import MAX_CHOSEN, OpenWindow, SyncRequest
from diffsync_store.serve.api.errors import wrong_input
from diffsync_store.serve.api.models import OperationQuery
from diffsync_store.serve.api.views import diff_detail, result_view, run_view
from diffsync_store.serve.identity import requires_role
from diffsync_store.serve.pages.operations import page_of
from diffsync_store.serve.pages.refusal import refusal
from diffsync_store.serve.pages.status import is_busy
from diffsync_store.serve.pages.templates import render
from diffsync_store.serve.pages.totals import attribute_totals, heading
from diffsync_store.serve.pages.tree import branch_of
from diffsync_store.serve.services import Services

_COUNTED = 10_000
"""Operations of a diff whose states a page counts: this reads all of them."""
_FILTERS = ("model", "action", "attribute", "text", "state", "decision")
_MARKED = ("exclude", "allow")
_MARKS = 500
"""Operations that a person may mark one by one: the address of the page holds them."""
_SHOWN = 100


class Place(BaseModel):
    """A place in a list or in the tree of a diff."""

    at: int | None = Field(None, ge=0)
    start: int = Field(0, ge=0)


def diff_routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("/diffs/{diff_id}", diff, name="diff"),
        Route("/diffs/{diff_id}/marks", keep_marks, methods=["POST"], name="keep_marks"),
        Route("/diffs/{diff_id}/tree", tree, name="tree"),
        Route("/diffs/{diff_id}/rejects", rejects, name="rejects"),
        Route("/diffs/{diff_id}/left-alone", left_alone, name="left_alone"),
    ]


@requires_role("read")
def diff(request: Request) -> Response:
    """Show a diff: totals, operations by filter, and the form to decide."""
    services: Services = request.app.state.services
    given = {name: value for name, value in request.query_params.items() if value and name not in _MARKED}
    marks, released = (list(dict.fromkeys(request.query_params.getlist(name))) for name in _MARKED)
    try:
        query = OperationQuery.model_validate(given)
    except ValidationError as error:
        raise wrong_input(error, "The filter") from None
    try:
        saved = services.context.diffs().open(request.path_params["diff_id"])
        outline = saved.outline()
        detail = diff_detail(services.context, saved, outline.checksum())
        found = page_of(saved, outline, query)
        result = result_view(saved) if saved.record.operations <= _COUNTED else None
    except EXPECTED_ERRORS as error:
        raise refusal(services, error) from None
    filters = {name: getattr(query, name) for name in _FILTERS}
    kept = {name: value for name, value in filters.items() if value}
    runs = [run_view(run) for run in services.runner.runs() if run.diff_id == detail.diff_id]
    shown = {each.operation.id for each in found.operations}
    return render(
        request,
        "diff.html",
        diff=detail,
        result=result,
        record=saved.record,
        attributes=attribute_totals(outline),
        is_begun=not saved.journal().is_empty(),
        page=found,
        filters=filters,
        marks=marks,
        released=released,
        marks_elsewhere=[mark for mark in marks if mark not in shown and not mark.startswith("{")],
        next_page=found.next_start is not None and urlencode({**kept, "start": found.next_start}),
        first_page=query.start and (urlencode(kept) or "model="),
        runs=runs,
        is_busy=is_busy(runs),
        here=f"/diffs/{quote(detail.diff_id)}",
        heading=heading(saved.record),
        can_decide="approve" in request.user.roles and detail.application is None,
        can_undo="start" in request.user.roles and not saved.journal().is_empty(),
        can_start="start" in request.user.roles and detail.application is None,
        closed_window=_closed_window(services, saved),
        canary=services.context.project.sync_between(saved.record.source_name, saved.record.target_name)[1].canary,
        can_apply=bool(saved.record.operation_rules)  # what the rules let through is applied without a question
        or not detail.needs_approval
        or (detail.approval is not None and detail.approval.decision == "approve"),
    )


@requires_role("approve")
async def keep_marks(request: Request) -> Response:
    """Lead to another part of the diff with what was marked so far in its address."""
    form = await request.form(max_fields=MAX_CHOSEN + 20)
    marks = [(name, str(mark)) for name in _MARKED for mark in dict.fromkeys(form.getlist(name)) if mark]
    if len(marks) > _MARKS:
        raise HTTPException(
            422, f"{len(marks):,} marks are too many. Leave out all changes of a model, or make {_MARKS} marks at most."
        )
    kept = [(name, str(form[name])) for name in (*_FILTERS, "start") if form.get(name)]
    path = f"/diffs/{quote(request.path_params['diff_id'])}?{urlencode([*kept, *marks])}"
    return RedirectResponse(path, status_code=303)


@requires_role("read")
def tree(request: Request) -> Response:
    """Show what is directly below an object of a diff."""
    services: Services = request.app.state.services
    place = _place(request)
    try:
        saved = services.context.diffs().open(request.path_params["diff_id"])
        outline = saved.outline()
        outline.checksum()
        branch = branch_of(saved, outline, place.at, place.start)
    except EXPECTED_ERRORS as error:
        raise refusal(services, error) from None
    return render(request, "tree.html", diff_id=saved.record.diff_id, branch=branch)


@requires_role("read")
def rejects(request: Request) -> Response:
    """Show what a sync has tried and not done, and the form to retry it."""
    services: Services = request.app.state.services
    query = OperationQuery(state="rejected", start=_place(request).start)
    try:
        saved = services.context.diffs().open(request.path_params["diff_id"])
        found = page_of(saved, saved.outline(), query)
        is_applied = saved.journal().application() is not None
    except EXPECTED_ERRORS as error:
        raise refusal(services, error) from None
    can_start = "start" in request.user.roles and not is_applied
    return render(
        request, "rejects.html", diff_id=saved.record.diff_id, page=found, start=query.start, can_start=can_start
    )


@requires_role("read")
def left_alone(request: Request) -> Response:
    """Show what the field rules of a sync leave alone."""
    services: Services = request.app.state.services
    start = _place(request).start
    try:
        saved = services.context.diffs().open(request.path_params["diff_id"])
        entries = list(islice(saved.left_alone(start, _SHOWN + 1), _SHOWN + 1))
    except EXPECTED_ERRORS as error:
        raise refusal(services, error) from None
    next_start = start + _SHOWN if len(entries) > _SHOWN else 0
    values = {"diff_id": saved.record.diff_id, "entries": entries[:_SHOWN], "next_start": next_start}
    return render(request, "left_alone.html", **values)


def _closed_window(services: Services, saved: SavedDiff) -> str:
    """Return when a sync may apply the diff next; empty if it may now."""
    project, record = services.context.project, saved.record
    name, declared = project.sync_between(record.source_name, record.target_name)
    window = OpenWindow(name, declared, SyncRequest(record.diff_id))
    return window.opens if window.is_closed else ""


def _place(request: Request) -> Place:
    given: dict[str, Any] = {name: value for name, value in request.query_params.items() if value}
    try:
        return Place.model_validate(given)
    except ValidationError as error:
        raise wrong_input(error, "The address") from None
