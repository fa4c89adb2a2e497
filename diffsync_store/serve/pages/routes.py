"""The pages: overview, history of an object, and those of a diff."""

from itertools import islice
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.report.values import rows_of
from diffsync_store.serve.api.views import run_view
from diffsync_store.serve.identity import requires_role
from diffsync_store.serve.pages.diff_routes import diff_routes
from diffsync_store.serve.pages.overview import show_overview
from diffsync_store.serve.pages.refusal import refusal
from diffsync_store.serve.pages.status import is_busy
from diffsync_store.serve.pages.templates import render
from diffsync_store.serve.pages.totals import heading
from diffsync_store.serve.services import Services

_RUNS = 20
_HISTORY = 100


def page_routes() -> list[BaseRoute]:
    """Return the routes."""
    static = StaticFiles(directory=Path(__file__).parents[1] / "static")
    return [
        Route("/", overview, name="overview"),
        *diff_routes(),
        Route("/history", history, name="history"),
        Mount("/static", static, name="static"),
    ]


@requires_role("read")
def overview(request: Request) -> Response:
    """Show each sync, the newest diffs and the runs."""
    services: Services = request.app.state.services
    try:
        started = services.runner.runs()
        values = show_overview(services, started)
        runs = [run_view(run) for run in started[:_RUNS]]
    except EXPECTED_ERRORS as error:
        raise refusal(services, error) from None
    return render(request, "overview.html", **values, runs=runs, is_busy=is_busy(runs), here="/", heading=heading)


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
        raise refusal(services, error) from None
    return render(request, "history.html", model=model, unique_id=unique_id, entries=entries)
