"""Refuse bodies that are larger than any form of the page."""

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diffsync_store.serve.security.problems import problem

MAX_BODY = 1_000_000
"""Bytes: a decision may exclude some thousands of operations, each by its id."""


class _TooLarge(Exception):
    """The body is larger than allowed."""


class BodyLimit:
    """Middleware that answers 413 before more than the limit is read, whether the length was declared or not."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = HTTPConnection(scope).headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > self._max:
            await self._refuse(scope, receive, send)
            return
        read, has_begun = 0, False

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max:
                raise _TooLarge
            return message

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, limited, noting)
        except _TooLarge:
            if not has_begun:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = (
            f"The body is larger than {self._max:,} bytes. Send less, such as a selection instead of each operation."
        )
        response = problem(HTTPConnection(scope), 413, detail, {"Connection": "close"})
        await response(scope, receive, send)
