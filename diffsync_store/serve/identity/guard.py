"""Which role a route needs."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from diffsync_store.project import Role
from diffsync_store.serve.identity.identity import Identity

E = TypeVar("E", bound=Callable[..., Any])
_ATTRIBUTE = "required_role"
_PUBLIC = "public"


class UnguardedRoute(RuntimeError):
    """A route that says neither which role it needs, nor that it needs none."""


def requires_role(role: Role) -> Callable[[Callable[[Request], Any]], Callable[[Request], Any]]:
    """Refuse requests to an endpoint from people without a role.

    Raises:
        HTTPException: 401 without an identity, 403 with one that has not the role.
    """

    def guard(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        @functools.wraps(endpoint)
        async def guarded(request: Request) -> Response:
            require_role(request, role)
            if inspect.iscoroutinefunction(endpoint):
                response: Response = await endpoint(request)
            else:
                response = await run_in_threadpool(endpoint, request)
            return response

        setattr(guarded, _ATTRIBUTE, role)
        return guarded

    return guard


def public(endpoint: E) -> E:
    """Say that an endpoint needs no identity, such as the sign-in."""
    setattr(endpoint, _ATTRIBUTE, _PUBLIC)
    return endpoint


def require_role(request: Request, role: Role) -> None:
    """Refuse a request of somebody who has not the role.

    Raises:
        HTTPException: 401 or 403.
    """
    user: Identity = request.user
    if role in user.roles:
        return
    if not user.is_authenticated and user.source != "local":
        raise HTTPException(401, "Sign in, or send a token: `Authorization: Bearer TOKEN`.")
    if user.source == "local":
        raise HTTPException(
            403,
            f"This needs the role {role!r}. Without an identity the page is read-only: add `serve: {{identity: …}}` to the "
            "project file, with a proxy, an OIDC provider or a token file.",
        )
    raise HTTPException(
        403,
        f"This needs the role {role!r}, which you do not have. Ask for a group that `serve: {{identity: {{roles: …}}}}` "
        "lists for it.",
    )


def role_of(route: Route) -> str | None:
    """Return the role that a route needs, `public`, or None if it says neither."""
    found: str | None = getattr(route.endpoint, _ATTRIBUTE, None)
    return found


def walk(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield the routes, those of mounted applications included."""
    for route in routes:
        if isinstance(route, Mount) and not isinstance(route.app, StaticFiles):
            yield from walk(route.routes)
        else:
            yield route


def require_guards(routes: Iterable[BaseRoute]) -> None:
    """Check that each route says which role it needs; static files need none.

    Raises:
        UnguardedRoute: one does not.
    """
    for route in walk(routes):
        if isinstance(route, Mount):  # static files
            continue
        if not isinstance(route, Route) or role_of(route) is None:
            raise UnguardedRoute(f"{route} has no guard: decorate its endpoint with @requires_role(...) or @public.")
