"""`diffsync-store serve`: where it listens."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from airports.demo.ports import free_port
from tests.cli.conftest import CommandLine

FILE = "models: {site: {identifiers: {name: str}}}\n"


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    (tmp_path / "syncs.yaml").write_text(FILE, "utf-8")
    return CommandLine(tmp_path)


def test_an_address_in_use_is_one_line_and_no_page_is_announced(line: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        message = line.run("serve", "--port", str(port), code=1).stderr
    assert message.endswith(
        f"The page cannot listen on 127.0.0.1, port {port}: Address already in use. Choose another address by --host or --port.\n"
    )
    assert "The page is on" not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_page_is_served_when_it_is_announced(line: CommandLine, host: str) -> None:
    port = free_port()
    running = line.start("serve", "--host", host, "--port", str(port))
    try:
        assert running.stderr
        told = next(text for text in running.stderr if "The page is on" in text)
        assert f"http://{host}:{port}" in told
        with socket.create_connection((host, port), timeout=100) as connection, connection.makefile("rb") as answer:
            connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            assert answer.readline().split()[1] == b"200"
        running.send_signal(signal.SIGINT)
        _, rest = running.communicate(timeout=200)
        assert (running.returncode, "Interrupted" in rest) == (0, False)
    finally:
        running.kill()
        running.wait(100)
