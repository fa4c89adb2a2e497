"""Run Lua scripts inside Redis."""

from __future__ import annotations

import hashlib
from typing import Any

from diffsync_store.store.redis.connection.driver import redis, redis_errors
from diffsync_store.store.redis.scripts.source import read_source


class Script:
    """A Lua script; `name` is its file below `lua/`, without `.lua`. Data reaches it as keys and arguments only.

    It is sent by its digest, and with its text if the server does not have it yet.

    While a cluster moves a slot, some keys of a store are on one node and some on the other, and a script that meets a
    missing key fails halfway. On a cluster, each script therefore names one more key, which never exists: no node begins
    the script before the whole slot has arrived.
    """

    def __init__(self, name: str) -> None:
        self._text = read_source(name)
        self.digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        """Run the script and return its answer."""
        keys = _with_missing_key(client, keys)
        try:
            return client.evalsha(self.digest, len(keys), *keys, *args)
        except redis_errors.NoScriptError:
            return client.eval(self._text, len(keys), *keys, *args)

    def command(self, client: Any, keys: list[str], args: list[Any]) -> list[Any]:
        """Return the call as a command, for a server that has the script."""
        keys = _with_missing_key(client, keys)
        return ["EVALSHA", self.digest, len(keys), *keys, *args]


def _with_missing_key(client: Any, keys: list[str]) -> list[str]:
    return [*keys, f"{keys[0]}:none"] if isinstance(client, redis.RedisCluster) else keys
