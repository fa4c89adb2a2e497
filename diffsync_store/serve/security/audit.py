"""Record who did what: one line of the log for each sign-in, decision, start and refused request."""

import json
import logging

from starlette.requests import Request

from diffsync_store.printable import printable
from diffsync_store.serve.security.addresses import client_address

LOGGER = "diffsync_store.serve.audit"
_MAX = 500


class Audit:
    """Writes the lines, each an event and its facts as JSON. Threads may share it.

    Values from people are shown with each invisible character as its escape, so that nobody can forge a line.
    """

    def __init__(self) -> None:
        self._log = logging.getLogger(LOGGER)

    def record(self, request: Request, event: str, *, by: str = "", outcome: str = "done", **facts: str) -> None:
        """Write a line.

        Args:
            request: the request.
            event: what was done, such as `decision`.
            by: who did it; by default who makes the request.
            outcome: `done`, `refused` or `failed`.
            facts: more, such as `diff_id`.
        """
        user = request.user
        who = {"by": by or user.name or "-", "source": user.source, "address": client_address(request)}
        self._write(logging.INFO, event, {**who, "outcome": outcome, **facts})

    def refused(self, address: str, reason: str) -> None:
        """Write a line about a request that was refused before anything was done.

        Args:
            address: of the client.
            reason: why.
        """
        self._write(logging.WARNING, "request", {"address": address, "outcome": "refused", "reason": reason})

    def _write(self, level: int, event: str, facts: dict[str, str]) -> None:
        shown = {name: printable(value)[:_MAX] for name, value in facts.items()}
        self._log.log(level, "audit %s %s", event, json.dumps(shown))
