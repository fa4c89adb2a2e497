"""A proxy that delays answers, in its own process. It simulates network latency without limiting the bandwidth.

with SlowProxy(server.port, delay=0.001) as proxy:
    client = redis.Redis.from_url(proxy.url)
"""

import argparse
import contextlib
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.servers import Server

ROOT = Path(__file__).parents[1]
CHUNK = 2**18
MAX_QUEUED = 256
"""Maximum delayed chunks in the queue, far more than one round trip has."""
Send = Callable[[bytes], object]


class SlowProxy(Server):
    """Forwards to a port of 127.0.0.1, and delays each answer by `delay` seconds; delays of several answers overlap."""

    def __init__(self, target_port: int, delay: float) -> None:
        super().__init__()
        self.target_port = target_port
        self.delay = delay

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def working_directory(self) -> Path:
        return ROOT

    def command(self) -> Sequence[str | Path]:
        arguments = [f"--port={self.port}", f"--target={self.target_port}", f"--delay={self.delay}"]
        return [sys.executable, "-m", "benchmarks.slow_proxy", *arguments]

    def is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def serve(port: int, target: int, delay: float) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", target))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _start(_forward, client, server, server.sendall)
            _start(_forward, server, client, delayed(client.sendall, delay) if delay else client.sendall)


def _start(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket, send: Send) -> None:
    """Forward until either end closes, then close both."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            send(chunk)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def delayed(send: Send, delay: float) -> Send:
    """Return a function that queues a chunk, and sends it after `delay` seconds."""
    queued: queue.Queue[tuple[float, bytes]] = queue.Queue(MAX_QUEUED)

    def send_all() -> None:
        while True:
            due, chunk = queued.get()
            time.sleep(max(0.0, due - time.perf_counter()))
            with contextlib.suppress(OSError):
                send(chunk)

    _start(send_all)
    return lambda chunk: queued.put((time.perf_counter() + delay, chunk))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", type=int, required=True, help="port to forward to")
    parser.add_argument("--delay", type=float, required=True, help="delay of each answer, in seconds")
    arguments = parser.parse_args()
    serve(arguments.port, arguments.target, arguments.delay)


if __name__ == "__main__":
    main()
