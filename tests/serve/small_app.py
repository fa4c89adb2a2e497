"""A small application behind the whole protection, without a project."""

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from diffsync_store.project import ServeSettings
from diffsync_store.serve.identity import requires_role
from diffsync_store.serve.security.csrf import csrf_token
from diffsync_store.serve.security.protection import Protection

ORIGIN = "http://127.0.0.1:8080"


@requires_role("read")
def who(request: Request) -> Response:
    user = request.user
    return JSONResponse(
        {"name": user.name, "roles": sorted(user.roles), "source": user.source, "csrf": csrf_token(request)}
    )


@requires_role("approve")
async def decide(request: Request) -> Response:
    form = await request.form()
    return JSONResponse({"decision": form.get("decision"), "by": request.user.name})


@requires_role("read")
def fail(request: Request) -> Response:
    raise RuntimeError("password=hunter2")


def small_app(settings: ServeSettings, folder: Path = Path()) -> Starlette:
    protection = Protection(settings, folder)
    routes = [
        Route("/who", who),
        Route("/api/v1/who", who),
        Route("/decide", decide, methods=["POST"]),
        Route("/api/v1/decide", decide, methods=["POST"]),
        Route("/fail", fail),
        *protection.routes(),
    ]
    return Starlette(
        routes=routes, middleware=protection.middleware(), exception_handlers=dict(protection.exception_handlers())
    )


def client(identity: dict[str, Any] | None = None, *, peer: str = "127.0.0.1", **settings: Any) -> TestClient:
    folder = settings.pop("folder", Path())
    declared = ServeSettings.model_validate({"identity": identity or {}, **settings})
    return TestClient(
        small_app(declared, folder),
        base_url=declared.origin,
        client=(peer, 50000),
        raise_server_exceptions=False,
        follow_redirects=False,
    )
