"""The system's PowerDNS with its SQLite backend, on free ports of 127.0.0.1."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from airports.demo.ports import free_port
from tests.servers import MissingPart, Server, system_program

API_KEY = "k3y-0f-the-d4emon"
_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")


class PowerDnsServer(Server):
    """Its zones are kept in a file; `port` is that of the API.

    with PowerDnsServer() as server:
        server.api("GET", "zones")
    """

    def __init__(self) -> None:
        super().__init__()
        self.program = system_program("pdns_server", "pdns-server")
        if not _SCHEMA.exists():
            raise MissingPart("pdns-backend-sqlite3", "apt-get install pdns-backend-sqlite3")
        self.dns_port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        self.dns_port = free_port()
        with closing(sqlite3.connect(self.directory / "zones.sqlite3")) as database:
            database.executescript(_SCHEMA.read_text())

    def command(self) -> Sequence[str | Path]:
        options = {
            "config-dir": self.directory,
            "socket-dir": self.directory,
            "launch": "gsqlite3",
            "gsqlite3-database": self.directory / "zones.sqlite3",
            "gsqlite3-pragma-synchronous": "0",  # nothing of a test has to survive a power failure
            "local-address": "127.0.0.1",
            "local-port": self.dns_port,
            "webserver-address": "127.0.0.1",
            "webserver-port": self.port,
            "api": "yes",
            "api-key": API_KEY,
            "zone-cache-refresh-interval": "0",
            "security-poll-suffix": "",  # ask no server of its maker
            "daemon": "no",
            "guardian": "no",
        }
        return [self.program, *(f"--{name}={value}" for name, value in options.items())]

    def is_ready(self) -> bool:
        try:
            return isinstance(self.api("GET", "zones"), list)
        except httpx.TransportError:
            return False

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API below `/servers/localhost/`; the JSON of its answer."""
        url = f"{self.url}/api/v1/servers/localhost/{path}"
        response = httpx.request(method, url, json=body, headers={"X-API-Key": API_KEY}, timeout=100)
        response.raise_for_status()
        return response.json() if response.content else None

    def empty(self) -> None:
        """Delete all zones."""
        for zone in self.api("GET", "zones"):
            self.api("DELETE", f"zones/{zone['id'].replace('=', '%3D')}")

    def sets(self, zone: str) -> dict[tuple[str, str], list[str]]:
        """The contents of a zone's record sets by name and type; a disabled record begins with `!`."""
        found = self.api("GET", f"zones/{zone}")["rrsets"]
        return {
            (each["name"], each["type"]): sorted(
                ("!" if record["disabled"] else "") + record["content"] for record in each["records"]
            )
            for each in found
        }

    def dig(self, name: str) -> int:
        """Ask the DNS itself for an A record; the number of answers."""
        question = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split(".")) + b"\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(5)
            channel.sendto(b"\1\2\1\0\0\1\0\0\0\0\0\0" + question, ("127.0.0.1", self.dns_port))
            answer = channel.recv(4096)
        return int.from_bytes(answer[6:8], "big")
