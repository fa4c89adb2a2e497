"""An unreachable Prefect server is one sentence that says what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from diffsync_flows.cli import app

COMMANDS = {"deploy": ["deploy", "--yes"], "approve": ["approve", "a-diff", "--by", "ann", "--yes"]}
HINT = "Set PREFECT_API_URL to the address that ends in /api, such as http://127.0.0.1:4200/api."


@contextmanager
def answering(status: int, kind: str, text: str) -> Iterator[str]:
    """Yield the URL of a server that gives the same answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST  # noqa: N815  # as the base class calls it

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as its base class has it
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ANSWERS = [
    (
        (401, "application/json", '{"exception_message": "Unauthorized"}'),
        (
            "Prefect's API at {url} denies access (401). Set PREFECT_API_AUTH_STRING to the server's user:password, or "
            "PREFECT_API_KEY for Prefect Cloud."
        ),
    ),
    (
        (404, "application/json", '{"detail": "Not Found"}'),
        f"The server at {{url}} has no Prefect API there (404). {HINT}",
    ),
    ((200, "text/html", "<html></html>"), f"The server at {{url}} answers with a web page. {HINT}"),
    ((200, "application/json", '[{"x": 1}]'), f"The server at {{url}} is not Prefect. {HINT}"),
    ((500, "text/plain", "no"), "Prefect's API at {url} answers with status 500: see the server's log"),
]


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "syncs.yaml"
    path.write_text("store: {url: 'redis://127.0.0.1:1'}", "utf-8")
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(path))


def error_of(command: str, url: str | None) -> str:
    with temporary_settings({PREFECT_API_URL: url}):
        done = CliRunner().invoke(app, COMMANDS[command])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    return done.stderr.strip()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_a_server_that_is_not_prefect_is_an_error_with_a_remedy(
    command: str, answer: tuple[int, str, str], expected: str
) -> None:
    with answering(*answer) as url:
        assert error_of(command, url) == expected.format(url=url)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_an_unreachable_server_is_an_error_with_a_remedy(command: str) -> None:
    assert error_of(command, "http://127.0.0.1:1/api") == (
        "Cannot reach Prefect's API at http://127.0.0.1:1/api ([Errno 111] Connection refused). Check PREFECT_API_URL and "
        "that the server runs."
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_configured_server_no_temporary_one_is_started(command: str) -> None:
    assert error_of(command, None).startswith("No Prefect server is configured. Set PREFECT_API_URL, such as ")


def test_the_help_shows_the_wildcards_of_a_pattern() -> None:
    assert "[abc]" in CliRunner().invoke(app, ["approve", "--help"]).stdout
