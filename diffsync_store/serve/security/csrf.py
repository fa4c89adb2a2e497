"""Refuse requests that another site makes with the identity of a person."""

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diffsync_store.serve.identity.identity import Identity
from diffsync_store.serve.security.problems import problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
_TOKEN, _OWNER = "csrf", "csrf_owner"  # keys of the session
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_RELOAD = "Load the page again, and repeat what you did."


def csrf_token(request: HTTPConnection) -> str:
    """Return the token for the forms of this person, from the session; empty for a pipeline, which needs none.

    A token belongs to one identity: after another person has signed in, the forms of the one before are refused.
    """
    user: Identity = request.user
    if not user.needs_csrf_token:
        return ""
    session = request.session
    if session.get(_OWNER) != user.identity or not session.get(_TOKEN):
        session[_TOKEN] = secrets.token_urlsafe(32)
        session[_OWNER] = user.identity
    token: str = session[_TOKEN]
    return token


class CsrfGuard:
    """Middleware that checks origin and token of each request that changes something, unless a token file's token makes it.

    Args:
        app: the application, behind sessions and authentication.
        origin: the address of the page in a browser, such as `https://diffs.example.com`.
    """

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app = app
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or not scope["user"].needs_csrf_token:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if refusal := origin_problem(request, self._origin):
            await problem(request, 403, refusal)(scope, receive, send)
            return
        body = b"" if request.headers.get(HEADER) else await request.body()
        given = request.headers.get(HEADER) or await _form_token(request)
        if not _is_token_of(request, given):
            await problem(request, 403, f"The form has no valid {FIELD}. {_RELOAD}")(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive) if body else receive, send)


def origin_problem(request: HTTPConnection, origin: str) -> str:
    """Return why a request does not come from the page itself; empty if it does."""
    sent = request.headers.get("origin") or _origin_of(request.headers.get("referer", ""))
    if not sent:
        return "The request has neither Origin nor Referer. Use the page in a browser, or send a token: `Authorization: Bearer TOKEN`."
    if sent.lower() != origin:
        return f"The request comes from another site than {origin}. Open the page at {origin}; if that is not its address, set `serve: {{base_url: …}}`."
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return f"The browser says that another site makes the request. {_RELOAD}"
    return ""


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


async def _form_token(request: Request) -> str:
    if not request.headers.get("content-type", "").lower().startswith(_FORMS):
        return ""
    form: FormData = await request.form()
    given = form.get(FIELD)
    return given if isinstance(given, str) else ""


def _is_token_of(request: HTTPConnection, given: str) -> bool:
    session, user = request.session, request.user
    wanted = session.get(_TOKEN)
    if not given or not isinstance(wanted, str) or session.get(_OWNER) != user.identity:
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read before, and then what comes after it."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
