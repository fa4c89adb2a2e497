"""Everything that stands in front of the routes of the page and of the API."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from diffsync_store.project import Role, ServeSettings
from diffsync_store.serve.identity.backend import IdentityBackend
from diffsync_store.serve.identity.oidc import OidcProvider
from diffsync_store.serve.identity.proxy import ProxyHeaders
from diffsync_store.serve.identity.refusal import Refused
from diffsync_store.serve.identity.roles import RoleRules
from diffsync_store.serve.identity.routes import SIGN_IN, SignIn
from diffsync_store.serve.identity.session import COOKIE, SECURE_COOKIE, Sessions
from diffsync_store.serve.identity.tokens import TokenFile
from diffsync_store.serve.security.addresses import ClientAddress, client_address
from diffsync_store.serve.security.audit import Audit
from diffsync_store.serve.security.body_limit import BodyLimit
from diffsync_store.serve.security.csrf import CsrfGuard
from diffsync_store.serve.security.headers import HEADERS, SecurityHeaders
from diffsync_store.serve.security.hosts import HostCheck, allowed_hosts
from diffsync_store.serve.security.problems import is_api, problem
from diffsync_store.serve.security.rate_limit import Limit, RateLimits
from diffsync_store.serve.security.request_limit import RequestLimit

_DAY = 86_400
ATTEMPTS = (Limit(10, 60), Limit(100, _DAY))
"""Sign-ins and wrong tokens of one address."""
DECISIONS = (Limit(30, 60), Limit(500, _DAY))
"""Decisions and starts of one person."""
REQUESTS = (Limit(1200, 60),)
"""Requests of one person, or of one address that nobody has signed in from."""


class Protection:
    """The middleware, the sign-in routes and the answers to refused requests. Threads may share it.

    Args:
        settings: the settings, with their variables expanded.
        folder: where a relative path of the token file starts.

    Raises:
        UserError: the token file is missing or wrong.
    """

    def __init__(self, settings: ServeSettings, folder: Path) -> None:
        identity = settings.identity
        self._settings = settings
        self._is_https = settings.origin.startswith("https://")
        self._trusted = identity.proxy.trusted if identity.proxy else []
        self.audit = Audit()
        self.decisions = RateLimits(*DECISIONS)
        rules = RoleRules(identity.roles)
        sessions = Sessions(rules, identity.session_lifetime) if identity.oidc else None
        self._backend = IdentityBackend(
            proxy=ProxyHeaders(identity.proxy, rules) if identity.proxy else None,
            tokens=TokenFile(folder / identity.tokens.file) if identity.tokens else None,
            sessions=sessions,
            attempts=RateLimits(*ATTEMPTS),
        )
        self._sign_in = None
        if identity.oidc is not None and sessions is not None:
            provider = OidcProvider(identity.oidc)
            self._sign_in = SignIn(provider, sessions, settings.origin, RateLimits(*ATTEMPTS), self.audit)

    def holders(self, role: Role) -> list[str]:
        """Return the groups that have a role, and `user:NAME` for single people; the tokens of pipelines are not listed."""
        return list(self._settings.identity.roles.get(role, ()))

    def routes(self) -> list[Route]:
        """Return the routes to sign in and out; none without an OIDC provider."""
        return self._sign_in.routes() if self._sign_in else []

    def middleware(self) -> list[Middleware]:
        """Return the middleware, the first to see a request first."""
        settings, key = self._settings, self._settings.identity.session_key
        return [
            Middleware(SecurityHeaders, is_https=self._is_https),
            Middleware(HostCheck, allowed=allowed_hosts(settings)),
            Middleware(BodyLimit),
            Middleware(ClientAddress, trusted=self._trusted),
            Middleware(
                SessionMiddleware,
                secret_key=key.get_secret_value() if key else secrets.token_urlsafe(32),
                session_cookie=SECURE_COOKIE if self._is_https else COOKIE,
                max_age=settings.identity.session_lifetime,
                same_site="lax",
                https_only=self._is_https,
            ),
            Middleware(AuthenticationMiddleware, backend=self._backend, on_error=self._refuse),
            Middleware(RequestLimit, limits=RateLimits(*REQUESTS)),
            Middleware(CsrfGuard, origin=settings.origin),
        ]

    def exception_handlers(self) -> Mapping[Any, Callable[[Request, Any], Response]]:
        """Return the answers to the errors of endpoints."""
        return {HTTPException: self._answer, Exception: self._fail}

    def _refuse(self, conn: HTTPConnection, error: Exception) -> Response:
        status = error.status if isinstance(error, Refused) else 401
        self.audit.refused(client_address(conn), str(error))
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        return problem(conn, status, str(error), headers)

    def _answer(self, request: Request, error: HTTPException) -> Response:
        if error.status_code == 401 and self._sign_in and request.method == "GET" and not is_api(request):
            return RedirectResponse(f"{SIGN_IN}?{_next(request)}", status_code=303)
        if error.status_code in {401, 403, 429}:
            self.audit.refused(client_address(request), f"{request.method} {request.url.path}: {error.status_code}")
        headers = {**(error.headers or {}), **({"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {})}
        return problem(request, error.status_code, error.detail, headers)

    @staticmethod
    def _fail(request: Request, _error: Exception) -> Response:
        """Answer an unexpected error without its text, which may hold a secret; the log of the server has it."""
        detail = "The server failed. Its log has the error. Try again; if it fails again, ask who runs the server."
        return problem(request, 500, detail, HEADERS)


def _next(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return urlencode({"next": request.url.path + query})
