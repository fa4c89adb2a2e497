"""Running Lua inside Redis."""

from __future__ import annotations

import hashlib
from typing import Any

from redis.exceptions import NoScriptError


class Script:
    """One script: sent by its digest, and with its text when the server does not have it yet."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        try:
            return client.evalsha(self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(self._text, len(keys), *keys, *args)

    def command(self, keys: list[str], args: list[Any]) -> list[Any]:
        """The call as a command, for a server that has the script."""
        return ["EVALSHA", self._digest, len(keys), *keys, *args]
