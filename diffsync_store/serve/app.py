"""The application of the review page and of its API."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from diffsync_store.project import ServeSettings, SyncContext
from diffsync_store.serve.api import api_routes
from diffsync_store.serve.deciding.routes import deciding_routes
from diffsync_store.serve.identity import public, require_guards
from diffsync_store.serve.running import LibraryRunner, Runner
from diffsync_store.serve.security.protection import Protection
from diffsync_store.serve.services import Services


def create_app(
    context: SyncContext[Any],
    settings: ServeSettings,
    runner: Runner | None = None,
    pages: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application.

    Args:
        context: the project; the caller closes it.
        settings: the settings of `serve`, with their variables expanded.
        runner: what starts and resumes runs; by default the library, in threads of this process. The application closes it.
        pages: further routes.

    Raises:
        UserError: the token file is missing or wrong.
        UnguardedRoute: a route does not say which role it needs.
    """
    protection = Protection(settings, context.project.path.parent)
    services = Services(context, runner or LibraryRunner(context), protection)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(services.runner.close)

    routes = [
        Route("/healthz", healthz, name="healthz"),
        *protection.routes(),
        *deciding_routes(),
        *api_routes(),
        *pages,
    ]
    require_guards(routes)
    app = Starlette(
        routes=routes,
        middleware=protection.middleware(),
        exception_handlers=dict(protection.exception_handlers()),
        lifespan=lifespan,
    )
    app.state.services = services
    return app


@public
def healthz(_request: Request) -> Response:
    """Say that the server answers, for health checks."""
    return PlainTextResponse("ok")
