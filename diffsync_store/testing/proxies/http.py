"""HttpProxy: an HTTP server on 127.0.0.1 in front of a system, which loses answers, fails, and counts requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from diffsync_store.testing.system import Fault, Side

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})
"""Headers that a proxy does not pass on."""
_SECONDS = 60.0
_FORBIDDEN = 403
_PAGE = b"<html><body><h1>Please log in</h1></body></html>"


class ProxiedRequest(NamedTuple):
    """A request that the proxy has received."""

    method: str
    path: str
    """With the query."""
    body: bytes
    status: int
    """Of the answer; 0 if the connection was cut."""


def by_method(method: str, _path: str, _body: bytes) -> Side:
    """Return the side of a request: GET, HEAD and OPTIONS read, all others write."""
    return "read" if method in _READS else "write"


class HttpProxy:
    """Passes requests on to a system. Threads share it.

        with HttpProxy("http://127.0.0.1:8080/api/") as proxy:
            proxy.fail_next("lost answer", "write")
            adapter = WikiAdapter(proxy.url)

    The system sees the proxy's address as the host of a request, so its links lead to the proxy.

    Args:
        url: the address of the system, with the path that all of its paths are below.
        side: says whether a request reads or writes, by its method, path and body; by default the method decides.
    """

    def __init__(self, url: str, side: Callable[[str, str, bytes], Side] = by_method) -> None:
        self._upstream = urlsplit(url)
        self._side = side
        self._lock = threading.RLock()
        self._faults: dict[Side, list[Fault]] = {"read": [], "write": []}
        self._denied: Counter[Side] = Counter()
        self._action: Callable[[], None] | None = None
        self._lists: Counter[str] = Counter()
        self.requests: list[ProxiedRequest] = []
        """All requests, in the order of their answers."""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Return the address for the adapter: the proxy's host, and the path of the system."""
        return f"http://127.0.0.1:{self._server.server_port}{self._upstream.path}"

    def fail_next(self, fault: Fault, on: Side, times: int = 1) -> None:
        """Let the next requests of a side fail."""
        with self._lock:
            self._faults[on] += [fault] * times

    def clear(self) -> None:
        """Forget the faults that have not happened yet, and the requests."""
        with self._lock:
            self._faults = {"read": [], "write": []}
            self._action = None
            self.requests.clear()

    @contextmanager
    def deny(self, on: Side) -> Iterator[None]:
        """Answer the requests of a side with 403 for the time of the block."""
        self._denied[on] += 1
        try:
            yield
        finally:
            self._denied[on] -= 1

    def between_pages(self, action: Callable[[], None]) -> None:
        """Call `action` once, before the second request of the same list, whatever its page, is passed on."""
        with self._lock:
            self._lists.clear()
            self._action = action

    def calls(self, side: Side) -> int:
        """Return the number of requests of a side that were passed on or failed."""
        return sum(self._side(request.method, request.path, request.body) == side for request in list(self.requests))

    def answer(self, handler: _Handler, body: bytes) -> int:
        """Answer a request; return the status, 0 if the connection was cut."""
        side = self._side(handler.command, handler.path, body)
        self._act_between_pages(side, handler.path, body)
        with self._lock:
            fault = self._faults[side].pop(0) if self._faults[side] else None
        if self._denied[side]:
            return handler.send(_FORBIDDEN, {}, _json("You do not have permission to perform this action."))
        if fault == "too many requests":
            return handler.send(429, {"Retry-After": "1"}, _json("Too many requests."))
        if fault == "server error":
            return handler.send(500, {}, _json("The server has failed."))
        if fault == "nonsense":
            return handler.send(200, {"Content-Type": "text/html"}, _PAGE)
        if fault == "reset":
            return handler.reset()
        status, headers, answer = self._forward(handler, body)
        return handler.reset() if fault == "lost answer" else handler.send(status, headers, answer)

    def _act_between_pages(self, side: Side, path: str, body: bytes) -> None:
        if side != "read":
            return
        with self._lock:
            place = path.partition("?")[0]
            self._lists[place] += 1
            action = self._action if self._lists[place] == 2 else None
            if action is not None:
                self._action = None
                action()

    def _forward(self, handler: _Handler, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        kind = http.client.HTTPSConnection if self._upstream.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._upstream.hostname or "", self._upstream.port, timeout=_SECONDS)
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        with contextlib.closing(connection):
            connection.request(handler.command, handler.path, body or None, headers)
            response = connection.getresponse()
            passed = {name: value for name, value in response.getheaders() if name.lower() not in _OF_ONE_CONNECTION}
            return response.status, passed, response.read()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: HttpProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, *_: object) -> None:
        """Ignore clients that disconnected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer waits 40 ms between its headers and its body
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy = self.server.proxy
        try:
            status = proxy.answer(self, body)
        except OSError:  # the system cannot be reached, or the client has gone
            status = self.reset()
        proxy.requests.append(ProxiedRequest(self.command, self.path, body, status))

    do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # the names of the base class

    def send(self, status: int, headers: Mapping[str, str], body: bytes) -> int:
        """Send an answer."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return status

    def reset(self) -> int:
        """End the connection without an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        return 0

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _json(detail: str) -> bytes:
    return json.dumps({"detail": detail}).encode()
