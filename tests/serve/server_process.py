"""`diffsync-store serve` as a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from tests.cli.conftest import CommandLine
from tests.servers import Server


class ServerProcess(Server):
    """The command over a project, on a free port."""

    start_seconds = 120.0

    def __init__(self, project: CommandLine) -> None:
        super().__init__()
        self._project = project

    @property
    def working_directory(self) -> Path:
        return self._project.folder

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        return self._project.words("serve", "--port", str(self.port))

    def environment(self) -> Mapping[str, str]:
        return self._project.environment()

    def is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False
