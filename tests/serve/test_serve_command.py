"""The command `serve`, in a process, over real HTTP."""

from __future__ import annotations

import socket
from typing import Any

import httpx2
import pytest

from tests.cli.conftest import CommandLine
from tests.http_service import HttpService
from tests.notify.conftest import documents, web_server
from tests.serve.server_process import ServerProcess
from tests.servers import wait_until

__all__ = ["web_server"]

pytestmark = pytest.mark.slow

HOOK = "T0KENT0KENT0KEN"
IDENTITY = "serve: {identity: {tokens: {file: tokens.toml}}}\n"


def raw(port: int, request: bytes) -> bytes:
    """Send bytes; return the answer until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=200) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def test_a_pipeline_approves_and_a_restart_loses_nothing(project: CommandLine, web_server: HttpService) -> None:
    file = project.folder / "syncs.yaml"
    declared = file.read_text("utf-8").replace("target: database}", "target: database, approval: always}")
    file.write_text(f"{IDENTITY}notify: {{on-call: {{webhook: '${{HOOK}}'}}}}\n{declared}", "utf-8")
    project.variables = {"HOOK": f"{web_server.url}/hooks/{HOOK}"}
    token = project.run("token", "ci", "--role", "start", "--role", "approve").stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = httpx2.request(method, f"{server.url}/api/v1{path}", headers=headers, json=body, timeout=200)
        assert answer.status_code < 300, answer.text
        return answer.json()

    with ServerProcess(project) as server:
        run = call("POST", "/syncs/inventory/runs", {"kind": "plan"})
        wait_until(lambda: call("GET", f"/runs/{run['run_id']}")["state"] == "done", 120)
        path = f"/diffs/{run['diff_id']}"
        wait_until(lambda: documents(web_server), 120)
        server.stop()
        server.start()
        assert call("GET", "/runs")["runs"] == []
        checksum = call("GET", path)["checksum"]
        call("POST", f"{path}/decision", {"decision": "approve", "checksum": checksum, "comment": "CHG-1"})
        wait_until(lambda: call("GET", path)["application"], 120)
        assert call("GET", path)["application"]["by"] == "ci"
        log = server.log
    assert ("nyc", "us") in project.rows()
    assert 'audit decision {"by": "ci", "source": "token", "address": "127.0.0.1", "outcome": "done"' in log
    assert token not in log
    assert HOOK not in log
    [notice] = documents(web_server)  # sent once: neither a restart nor the decision sends it again
    assert (notice["event"], notice["subject"], notice["diff_id"]) == ("approval", "inventory", run["diff_id"])


def test_without_identity_the_server_is_read_only_and_believes_no_header(project: CommandLine) -> None:
    with ServerProcess(project) as server:
        origin = {"Origin": server.url}
        me = httpx2.get(f"{server.url}/api/v1/me", timeout=100)
        assert (me.json()["roles"], me.json()["source"]) == (["read"], "local")
        forged = httpx2.get(
            f"{server.url}/api/v1/me",
            headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-User": "root"},
            timeout=100,
        )
        assert forged.json()["name"] == ""
        headers = origin | {"X-CSRF-Token": me.json()["csrf_token"]}
        refused = httpx2.post(
            f"{server.url}/api/v1/syncs/inventory/runs",
            json={"kind": "plan"},
            headers=headers,
            cookies=me.cookies,
            timeout=100,
        )
        assert refused.status_code == 403
        assert "Read-only" in server.log
        host = f"Host: 127.0.0.1:{server.port}\r\nConnection: close\r\n"
        answers = {
            raw(server.port, b"GET /api/v1/me HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
            raw(server.port, f"GET /api/v1/me HTTP/1.1\r\n{host}{host}\r\n".encode()),
            raw(
                server.port, f"GET http://evil.example/api/v1/me HTTP/1.1\r\n{host.replace('127', '126')}\r\n".encode()
            ),
        }
        assert {answer.split(b" ")[1] for answer in answers} == {b"400"}
        traversal = raw(server.port, f"GET /static/../../syncs.yaml HTTP/1.1\r\n{host}\r\n".encode())
        assert traversal.split(b" ")[1] in {b"400", b"404", b"401", b"403"}
        assert b"adapters" not in traversal


def test_a_wrong_token_file_is_said(project: CommandLine) -> None:
    file = project.folder / "syncs.yaml"
    file.write_text(IDENTITY + file.read_text("utf-8"), "utf-8")
    assert "cannot be read" in project.run("serve", "--port", "0", code=1).stderr
