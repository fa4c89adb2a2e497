"""Serve an application by uvicorn."""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress

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
        announce: called before the server starts, when nothing else can take the address.

    Raises:
        UserError: the address is in use, is not of this machine, or may not be used.
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
    listeners = _listeners(settings.host, settings.port)
    announce()
    with suppress(KeyboardInterrupt):  # uvicorn raises it again when it has ended
        uvicorn.Server(config).run(listeners)


def _listeners(host: str, port: int) -> list[socket.socket]:
    """Listen on each address of a host."""
    made: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                made.append(socket.create_server(address[:2], family=family))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL or not made:  # `localhost` may have ::1 on a machine without IPv6
                    raise
    except OSError as error:
        for each in made:
            each.close()
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise UserError(
            f"The page cannot listen on {host}, port {port}: {reason}. Choose another address by --host or --port."
        ) from None
    return made


def _free_port(host: str) -> int:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        port: int = listener.getsockname()[1]
        return port
