"""Which notifications were sent, so that each is sent once, whichever process sends it."""

from __future__ import annotations

import hashlib
import math
import secrets
from typing import Any

from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.keys import check_namespace, notice_of

_SENDING_SECONDS = 120
"""How long a process may take to send. If it dies, another one may send after that time."""
_SENT = b"sent"


class RedisNotices:
    """The notifications of one namespace. Threads may share it, as they share the connection.

    Args:
        connection: the connection; the caller closes it.
        namespace: the namespace of the stores.
    """

    def __init__(self, connection: Connection, namespace: str = "") -> None:
        self._redis: Any = connection.client
        self._namespace = check_namespace(namespace)

    def claim(self, name: str) -> str:
        """Return a token if this process shall send a notification; empty if another one has sent it, or is sending it.

        Args:
            name: of the notification; it may hold any character.
        """
        token = secrets.token_hex(8)
        with translated_errors():
            is_first = self._redis.set(self._key(name), token, nx=True, ex=_SENDING_SECONDS)
        return token if is_first else ""

    def confirm(self, name: str, seconds: float) -> None:
        """Remember for some time that a notification was sent."""
        with translated_errors():
            self._redis.set(self._key(name), _SENT, ex=math.ceil(seconds))

    def release(self, name: str, token: str) -> None:
        """Let another process send a notification that could not be sent."""
        with translated_errors():
            if self._redis.get(self._key(name)) == token.encode():
                self._redis.delete(self._key(name))

    def _key(self, name: str) -> str:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return notice_of(digest, self._namespace)
