"""Limit all requests of a person, or of an address."""

import math

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from diffsync_store.serve.security.addresses import client_address
from diffsync_store.serve.security.problems import problem
from diffsync_store.serve.security.rate_limit import RateLimits

_FREE = "/static/"


class RequestLimit:
    """Middleware that answers 429 to too many requests, behind authentication. Static files are not counted."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and not scope["path"].startswith(_FREE):
            conn = HTTPConnection(scope)
            key = scope["user"].identity if scope["user"].is_authenticated else client_address(conn)
            if seconds := self._limits.take(key):
                wait = str(max(1, math.ceil(seconds)))
                response = problem(conn, 429, f"Too many requests. Try again in {wait} s.", {"Retry-After": wait})
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
