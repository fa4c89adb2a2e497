"""Projects whose addresses are servers of the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from airports.demo.ports import free_port
from diffsync_store.project import Project, SyncContext
from tests.http_service import HttpService

FILE = """
project: %s
store: {url: "${STORE}"}
adapters:
  source: {type: files, settings: {folder: ., format: csv}}
  target: {type: files, settings: {folder: ., format: csv}}
  other: {type: files, settings: {folder: ., format: csv}}
syncs:
  nightly: {source: source, target: target, stale_after: 2d}
  weekly: {source: source, target: other}
"""
OpenContext = Callable[..., SyncContext[Project]]


@pytest.fixture
def open_context(tmp_path: Path, redis_url: str) -> Iterator[OpenContext]:
    """Opens the project with these lines below `notify`, and with these variables."""
    with ExitStack() as stack:

        def open_project(notify: str, variables: Mapping[str, str], more: str = "") -> SyncContext[Project]:
            file = tmp_path / "syncs.yaml"
            lines = f"notify:\n  {notify}\n" if notify else ""
            file.write_text((FILE % tmp_path.name) + more + lines, "utf-8")
            return stack.enter_context(SyncContext(Project(file, {"STORE": redis_url, **variables})))

        yield open_project


class MailServer:
    """Keeps the mails that it gets. An address that begins with `refused` is refused."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("refused"):
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        mail = message_from_bytes(content if isinstance(content, bytes) else b"", policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@pytest.fixture
def mail_server() -> Iterator[tuple[MailServer, int]]:
    """The server and its port."""
    server = MailServer()
    controller = Controller(server, hostname="127.0.0.1", port=free_port(), ready_timeout=120)
    controller.start()
    try:
        yield server, controller.port
    finally:
        controller.stop()


@pytest.fixture
def web_server() -> Iterator[HttpService]:
    with HttpService() as service:
        yield service


def documents(service: HttpService) -> list[dict[str, Any]]:
    """Return the JSON documents that a server got."""
    return [json.loads(request.body) for request in service.received]
