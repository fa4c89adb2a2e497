"""Answer requests for the page's own host names only, so that no other name leads a browser here (DNS rebinding)."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from diffsync_store.project import ServeSettings
from diffsync_store.serve.security.problems import problem

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def allowed_hosts(settings: ServeSettings) -> frozenset[str]:
    """Return the host names of the page: that of `base_url`, and those that only this machine resolves to itself."""
    hosts = {settings.host.lower(), *LOCAL_HOSTS}
    if settings.base_url:
        hosts.add(urlsplit(settings.base_url).hostname or "")
    return frozenset(hosts - {"", "0.0.0.0", "::"})  # noqa: S104  # they are no names


class HostCheck:
    """Middleware that refuses requests with another `Host`, with several, or with none."""

    def __init__(self, app: ASGIApp, allowed: frozenset[str]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and not self._is_allowed(scope):
            detail = "This is not the address of the page. Open its own address, or set `serve: {base_url: …}`."
            await problem(HTTPConnection(scope), 400, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        given = HTTPConnection(scope).headers.getlist("host")
        if len(given) != 1:
            return False
        try:
            return urlsplit(f"//{given[0]}").hostname in self._allowed
        except ValueError:
            return False
