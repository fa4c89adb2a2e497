"""Sign in and out with an OIDC provider."""

import re
from html import escape

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from diffsync_store.serve.identity.guard import public
from diffsync_store.serve.identity.oidc import OidcProvider, SignInFailed
from diffsync_store.serve.identity.session import Sessions
from diffsync_store.serve.security.audit import Audit
from diffsync_store.serve.security.problems import problem, small_page
from diffsync_store.serve.security.rate_limit import RateLimits, require_attempt

SIGN_IN = "/sign-in"
CALLBACK = "/sign-in/callback"
SIGN_OUT = "/sign-out"
SIGNED_OUT = "/signed-out"
_NEXT = "next"
_LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""A path of this server: not `//host` and not `/\\host`, which browsers read as another host."""


def local_path(path: str) -> str:
    """Return a path to go to after the sign-in; `/` if it leads to another host or back into the sign-in."""
    is_local = bool(_LOCAL_PATH.fullmatch(path)) and len(path) <= 1000
    return path if is_local and not path.startswith((SIGN_IN, SIGN_OUT)) else "/"


class SignIn:
    """The three routes of a sign-in. Threads may share it.

    Args:
        provider: the OIDC provider.
        sessions: the sessions of this server.
        base_url: the address of this server in a browser.
        attempts: limits sign-ins by address.
        audit: records sign-ins.
    """

    def __init__(
        self, provider: OidcProvider, sessions: Sessions, base_url: str, attempts: RateLimits, audit: Audit
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._base_url = base_url
        self._attempts = attempts
        self._audit = audit

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(SIGN_IN, self._sign_in, methods=["GET"], name="sign_in"),
            Route(CALLBACK, self._callback, methods=["GET"], name="sign_in_callback"),
            Route(SIGN_OUT, self._sign_out, methods=["POST"], name="sign_out"),
            Route(SIGNED_OUT, self._signed_out, methods=["GET"], name="signed_out"),
        ]

    @public
    async def _sign_in(self, request: Request) -> Response:
        require_attempt(self._attempts, request)
        try:
            response = await self._provider.redirect(request, self._base_url + CALLBACK)
        except SignInFailed as error:
            return self._failed(request, error, 502)
        request.session[_NEXT] = local_path(request.query_params.get(_NEXT, "/"))
        return response

    @public
    async def _callback(self, request: Request) -> Response:
        require_attempt(self._attempts, request)
        after = local_path(str(request.session.get(_NEXT, "/")))
        try:
            name, groups = await self._provider.person(request)
        except SignInFailed as error:
            return self._failed(request, error, 403)
        self._sessions.begin(request.session, name, groups)
        self._audit.record(request, "sign-in", by=name)
        return RedirectResponse(self._base_url + after, status_code=303)

    @public
    async def _sign_out(self, request: Request) -> Response:
        self._audit.record(request, "sign-out")
        self._sessions.end(request.session)
        return RedirectResponse(self._base_url + SIGNED_OUT, status_code=303)

    @public
    async def _signed_out(self, request: Request) -> Response:  # the signature of an endpoint
        """Offer the provider's own sign-out as a link: the policy of the page forbids that a form leads to another host."""
        url = await self._provider.sign_out_url(f"{self._base_url}/")
        link = f'<p><a href="{escape(url)}">Sign out of the provider too</a></p>' if url else ""
        return small_page("Signed out", f'<p>You are signed out.</p>{link}<p><a href="/">Sign in again</a></p>')

    def _failed(self, request: Request, error: SignInFailed, status: int) -> Response:
        self._audit.record(request, "sign-in", outcome="failed", reason=str(error))
        return problem(request, status, str(error))
