"""Serve an application by uvicorn."""

import socket
from collections.abc import Callable

import uvicorn
from pydantic import ValidationError
from starlette.types import ASGIApp

from diffsync_store.project import ServeSettings, UserError

_GRACE = 30


def with_address(settings: ServeSettings, host: str, port: int | None) -> ServeSettings:
    """Return the settings with another address, and with a free port instead of 0.

    Raises:
        UserError: the address needs an identity or a `base_url`.
    """
    changes = {"host": host or settings.host, "port": settings.port if port is None else port}
    if changes["port"] == 0:
        changes["port"] = _free_port(str(changes["host"]))
    try:
        return ServeSettings.model_validate({**dict(settings), **changes})
    except ValidationError as error:
        raise UserError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def run_server(app: ASGIApp, settings: ServeSettings, announce: Callable[[], None]) -> None:
    """Serve until a signal arrives.

    The headers of a proxy are not uvicorn's concern: it would believe any of them from 127.0.0.1. It writes no access log, whose
    lines would hold the addresses of pages.

    Args:
        app: the application.
        settings: where to listen.
        announce: called before the server starts.
    """
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=64 * 1024,
    )
    announce()
    uvicorn.Server(config).run()


def _free_port(host: str) -> int:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        port: int = listener.getsockname()[1]
        return port
