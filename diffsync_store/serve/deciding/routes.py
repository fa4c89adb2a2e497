"""The forms of the page that decide and start."""

from collections.abc import Callable
from urllib.parse import quote

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.runs import MAX_CHOSEN
from diffsync_store.serve.api.errors import refusal_of, wrong_input
from diffsync_store.serve.api.models import DecisionBody, DiffRunBody, SyncRunBody
from diffsync_store.serve.deciding.acting import act_on_decision, act_on_start, decision_of
from diffsync_store.serve.deciding.decision import Decision
from diffsync_store.serve.identity import requires_role
from diffsync_store.serve.running import Start
from diffsync_store.serve.services import Services


def deciding_routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("/diffs/{diff_id}/decision", decide, methods=["POST"], name="decide"),
        Route("/diffs/{diff_id}/runs", start_diff_run, methods=["POST"], name="start_diff_run"),
        Route("/syncs/{sync_name}/runs", start_sync_run, methods=["POST"], name="start_sync_run"),
    ]


@requires_role("approve")
async def decide(request: Request) -> Response:
    """Approve or reject a diff.

    Fields: `decision`, `checksum` (of the diff as it was shown), `comment`, `exclude_refused`, `rehearsed_at` (`at` of the
    rehearsal as it was shown), `exclude` and `allow` (repeated), `csrf_token`.
    """
    form = await request.form(max_fields=MAX_CHOSEN + 10)
    try:
        body = DecisionBody.model_validate(
            {
                **_texts(form, "decision", "checksum", "comment", "exclude_refused", "rehearsed_at"),
                **_lists(form, "exclude", "allow"),
            }
        )
    except ValidationError as error:
        raise wrong_input(error, "The form") from None
    diff_id = request.path_params["diff_id"]
    decision = decision_of(body)
    return await _acted(request, f"/diffs/{quote(diff_id)}", _decide, diff_id, decision)


def _decide(request: Request, services: Services, diff_id: str, decision: Decision) -> None:
    """Decide, and name a problem of what comes after it."""
    _, _, problem = act_on_decision(request, services, diff_id, decision)
    if problem:
        raise HTTPException(409, f"The decision is recorded. {problem}")


@requires_role("start")
async def start_diff_run(request: Request) -> Response:
    """Apply a diff, retry its rejects, try it without changes, or undo it.

    Fields: `kind`, `select` (repeated), `scope` (`marked` or `all`), `outside_window` (a reason), `wait_for_window` (`true`), `csrf_token`.
    """
    form = await request.form(max_fields=MAX_CHOSEN + 10)
    try:
        chosen = {} if form.get("scope") == "all" else _lists(form, "select")
        body = DiffRunBody.model_validate({**_texts(form, "kind", "outside_window", "wait_for_window"), **chosen})
    except ValidationError as error:
        raise wrong_input(error, "The form") from None
    if form.get("scope") == "marked" and not body.select:
        raise HTTPException(422, "Nothing is marked. Mark what to retry, or choose to retry all.")
    diff_id = request.path_params["diff_id"]
    return await _acted(request, f"/diffs/{quote(diff_id)}", act_on_start, body.start(diff_id))


@requires_role("start")
async def start_sync_run(request: Request) -> Response:
    """Load both sides of a sync and save their diff. Field: `kind`."""
    try:
        body = SyncRunBody.model_validate(_texts(await request.form(), "kind"))
    except ValidationError as error:
        raise wrong_input(error, "The form") from None
    return await _acted(request, "/", act_on_start, Start(body.kind, request.path_params["sync_name"]))


def _texts(form: FormData, *names: str) -> dict[str, object]:
    return {name: form[name] for name in names if name in form}


def _lists(form: FormData, *names: str) -> dict[str, object]:
    return {name: [text for text in form.getlist(name) if text] for name in names}


async def _acted(request: Request, path: str, act: Callable[..., object], *arguments: object) -> Response:
    """Act in a thread, then lead the browser to a page."""
    services: Services = request.app.state.services
    try:
        await run_in_threadpool(act, request, services, *arguments)
    except EXPECTED_ERRORS as error:
        raise refusal_of(error, services.context.project.secrets.redact(str(error))) from None
    return RedirectResponse(path, status_code=303)
