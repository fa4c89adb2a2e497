"""A web service on 127.0.0.1 that fails a given number of times and then answers."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

DROP, CUT, STALL = "drop", "cut", "stall"
"""Failures without a status: close the connection before the answer, close it in the middle of the answer, or stay silent for a while."""

Failure = int | str | tuple[int, Mapping[str, str]]
"""A status, a status with headers, or one of the names above."""


class Request(NamedTuple):
    """A request as the service has received it."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


class Answer(NamedTuple):
    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


class HttpService:
    """Each request gets the next of `failures`; after the last one, it gets the value of `answer` for its path.

    with HttpService(failures=[500, 429, DROP]) as service:
        httpx.get(service.url)
    """

    def __init__(self, answer: Callable[[str], bytes] = lambda _: b"[]", *, failures: Sequence[Failure] = ()) -> None:
        self.answer = answer
        self.failures = list(failures)
        self.requests: list[tuple[str, str]] = []
        """Method and path of each request, in order."""
        self.received: list[Request] = []
        self.released = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def with_certificate(self, certificate: str, key: str, *, authority_of_clients: str = "") -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if authority_of_clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority_of_clients)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = self.url.replace("http:", "https:")
        return self

    def respond(self, request: Request) -> Answer:
        """The answer to a request that does not fail."""
        return Answer(body=self.answer(request.path))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: HttpService) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service

    def handle_error(self, *_: object) -> None:
        """Ignore clients that disconnected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer waits 40 ms between its headers and its body
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service = self.server.service
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        service.received.append(request)
        service.requests.append((self.command, self.path))
        failure = service.failures.pop(0) if service.failures else None
        if failure is None:
            self._answer(*service.respond(request))
        elif isinstance(failure, int):
            self._answer(failure, {}, b"no")
        elif isinstance(failure, tuple):
            self._answer(failure[0], failure[1], b"no")
        else:
            self._break(failure)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815  # the names are the base class's

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _break(self, how: str) -> None:
        if how == STALL:
            self.server.service.released.wait(200)
        if how == CUT:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[")
            self.wfile.flush()
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
