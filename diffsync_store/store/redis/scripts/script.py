"""Running Lua inside Redis."""

from __future__ import annotations

import hashlib
from typing import Any

from diffsync_store.store.redis.connection.driver import redis, redis_errors


class Script:
    """One script: sent by its digest, and with its text when the server does not have it yet.

    While a cluster moves a slot, some of a store's keys are on one node and some on the other, and a script that meets a
    missing one fails in its midst. On a cluster each script therefore names a key besides that never exists: then no node
    begins it before all of the slot has arrived.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        if isinstance(client, redis.RedisCluster):
            keys = [*keys, f"{keys[0]}:none"]
        try:
            return client.evalsha(self._digest, len(keys), *keys, *args)
        except redis_errors.NoScriptError:
            return client.eval(self._text, len(keys), *keys, *args)

    def command(self, keys: list[str], args: list[Any]) -> list[Any]:
        """The call as a command, for a server that has the script."""
        return ["EVALSHA", self._digest, len(keys), *keys, *args]
