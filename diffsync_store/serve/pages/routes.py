"""The pages: overview, a diff, the history of an object."""

from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.report.values import rows_of
from diffsync_store.serve.api.errors import refusal_of, wrong_input
from diffsync_store.serve.api.models import OperationQuery
from diffsync_store.serve.api.views import diff_detail, result_view, run_view
from diffsync_store.serve.deciding.exclusions import MAX_EXCLUSIONS
from diffsync_store.serve.identity import requires_role
from diffsync_store.serve.pages.operations import page_of
from diffsync_store.serve.pages.overview import show_overview
from diffsync_store.serve.pages.templates import render
from diffsync_store.serve.services import Services

_RUNS = 20
_HISTORY = 100
_COUNTED = 10_000
"""Operations of a diff whose states a page counts: this reads all of them."""
_FILTERS = ("model", "action", "attribute", "text", "state")
_MARKED = ("exclude", "allow")
_MARKS = 500
"""Operations that a person may mark one by one: the address of the page holds them."""


def page_routes() -> list[BaseRoute]:
    """Return the routes."""
    static = StaticFiles(directory=Path(__file__).parents[1] / "static")
    return [
        Route("/", overview, name="overview"),
        Route("/diffs/{diff_id}", diff, name="diff"),
        Route("/diffs/{diff_id}/marks", keep_marks, methods=["POST"], name="keep_marks"),
        Route("/history", history, name="history"),
        Mount("/static", static, name="static"),
    ]


@requires_role("read")
def overview(request: Request) -> Response:
    """Show each sync, the newest diffs and the runs."""
    services: Services = request.app.state.services
    try:
        values = show_overview(services)
        runs = [run_view(run) for run in services.runner.runs()[:_RUNS]]
    except EXPECTED_ERRORS as error:
        raise _refusal(services, error) from None
    return render(request, "overview.html", **values, runs=runs)


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
        raise _refusal(services, error) from None
    filters = {name: getattr(query, name) for name in _FILTERS}
    kept = {name: value for name, value in filters.items() if value}
    shown = {each.operation.id for each in found.operations}
    return render(
        request,
        "diff.html",
        diff=detail,
        result=result,
        record=saved.record,
        page=found,
        filters=filters,
        marks=marks,
        released=released,
        marks_elsewhere=[mark for mark in marks if mark not in shown and not mark.startswith("{")],
        next_page=found.next_start is not None and urlencode({**kept, "start": found.next_start}),
        first_page=query.start and (urlencode(kept) or "model="),
        runs=[run_view(run) for run in services.runner.runs() if run.diff_id == detail.diff_id],
        can_decide="approve" in request.user.roles and detail.application is None,
        can_start="start" in request.user.roles and detail.application is None,
        can_apply=not detail.needs_approval or (detail.approval is not None and detail.approval.decision == "approve"),
    )


@requires_role("approve")
async def keep_marks(request: Request) -> Response:
    """Lead to another part of the diff with what was marked so far in its address."""
    form = await request.form(max_fields=MAX_EXCLUSIONS + 20)
    marks = [(name, str(mark)) for name in _MARKED for mark in dict.fromkeys(form.getlist(name)) if mark]
    if len(marks) > _MARKS:
        raise HTTPException(
            422, f"{len(marks):,} marks are too many. Leave out all changes of a model, or make {_MARKS} marks at most."
        )
    kept = [(name, str(form[name])) for name in (*_FILTERS, "start") if form.get(name)]
    path = f"/diffs/{quote(request.path_params['diff_id'])}?{urlencode([*kept, *marks])}"
    return RedirectResponse(path, status_code=303)


@requires_role("read")
def history(request: Request) -> Response:
    """Show the operations on one object in all saved diffs."""
    services: Services = request.app.state.services
    model, unique_id = request.query_params.get("model", ""), request.query_params.get("unique_id", "")
    entries: list[Any] = []
    try:
        if model and unique_id:
            found = islice(services.context.diffs().history(model, unique_id), _HISTORY)
            entries = [(each, list(rows_of(each.operation))) for each in found]
    except EXPECTED_ERRORS as error:
        raise _refusal(services, error) from None
    return render(request, "history.html", model=model, unique_id=unique_id, entries=entries)


def _refusal(services: Services, error: Exception) -> Exception:
    return refusal_of(error, services.context.project.secrets.redact(str(error)))
