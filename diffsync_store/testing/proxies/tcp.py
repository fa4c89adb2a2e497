"""TcpProxy: a proxy between a client and a server on 127.0.0.1 that cuts connections."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

CHUNK = 2**18


@dataclass
class _Link:
    """The connection of a client, and its connection to the server."""

    client: socket.socket
    server: socket.socket
    is_doomed: threading.Event = field(default_factory=threading.Event)
    """Set if the next answer is lost."""

    def cut(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.client.close()
        self.server.close()


class TcpProxy:
    """Passes the bytes of connections on to a port of 127.0.0.1. Threads share it.

    with TcpProxy(5432) as proxy:
        proxy.lose_answers(b"COMMIT")
        adapter = SqlAdapter({"url": f"postgresql+psycopg://user@127.0.0.1:{proxy.port}/inventory"}, ...)
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.lost = 0
        """Number of lost answers."""
        self._pattern, self._every, self._asked = b"", 0, 0
        self._cuts: list[bytes] = []
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        for link in self._links:
            link.cut()
        for thread in self._threads[1:]:
            thread.join(10)
        for link in self._links:
            link.close()
        self._listener.close()

    def lose_answers(self, to: bytes, *, every: int = 1) -> None:
        """Cut the connection before the answer to the first request that matches `to`, and to each `every`-th after it.

        The server has executed the request by then. Call it with 0 to stop losing answers.
        """
        self._pattern, self._every, self._asked = to, every, 0

    def cut_before(self, pattern: bytes, times: int = 1) -> None:
        """Cut the connection instead of passing on the next requests that match `pattern`: the server does not get them."""
        with self._lock:
            self._cuts += [pattern] * times

    def clear(self) -> None:
        """Forget the cuts that have not happened yet."""
        with self._lock:
            self._cuts.clear()
        self._every = 0

    def cut(self) -> None:
        """Cut all connections; new ones are accepted."""
        for link in self._links:
            link.cut()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(client, server)
        self._links.append(link)
        self._start(self._pass_requests, link)
        self._start(self._pass_answers, link)

    def _pass_requests(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while (chunk := link.client.recv(CHUNK)) and not self._is_cut(chunk):
                if self._every and re.search(self._pattern, chunk):
                    self._asked += 1
                    if (self._asked - 1) % self._every == 0:
                        link.is_doomed.set()
                link.server.sendall(chunk)
        link.cut()

    def _is_cut(self, chunk: bytes) -> bool:
        with self._lock:
            if not self._cuts or not re.search(self._cuts[0], chunk):
                return False
            self._cuts.pop(0)
            return True

    def _pass_answers(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while (chunk := link.server.recv(CHUNK)) and not link.is_doomed.is_set():
                link.client.sendall(chunk)
        self.lost += link.is_doomed.is_set()
        link.cut()
