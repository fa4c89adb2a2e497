"""A web application with an empty database, its PostgreSQL and its Valkey."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

import httpx

from tests.servers import PostgresServer, RedisServer, Server

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # of the dumps, which are public


class WebServer(Server):
    """An application below `/api/`, and the servers that it needs."""

    start_seconds = 150.0

    def __init__(self) -> None:
        super().__init__()
        self.postgres = PostgresServer()
        self.redis = RedisServer("valkey")
        self.token = TOKEN
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(self.postgres)
            self._stack.enter_context(self.redis)
            return super().__enter__()
        except BaseException:
            self._stack.close()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            super().__exit__(*error)
        finally:
            self._stack.close()

    def client(self, token: str = TOKEN) -> httpx.Client:
        """A client beside the adapter under test, to prepare and to look."""
        headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=200)

    def is_ready(self) -> bool:
        try:
            with self.client() as client:
                return client.get("dcim/manufacturers/", timeout=100).is_success
        except httpx.TransportError:
            return False
