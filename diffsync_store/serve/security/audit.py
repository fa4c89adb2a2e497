"""Record who did what: one line of the log for each sign-in, decision and start."""

from typing import Any

import structlog
from starlette.requests import Request

from diffsync_store.printable import printable
from diffsync_store.serve.security.addresses import client_address

LOGGER = "diffsync_store.serve.audit"
_MAX = 500


class Audit:
    """Writes the lines. Threads may share it."""

    def __init__(self, logger: Any = None) -> None:
        self._log = logger or structlog.get_logger(LOGGER)

    def record(self, request: Request, event: str, *, by: str = "", outcome: str = "done", **facts: str) -> None:
        """Write a line. Values from people are shown with each invisible character as its escape, so that no line is forged.

        Args:
            request: the request.
            event: what was done, such as `decision`.
            by: who did it; by default who makes the request.
            outcome: `done`, `refused` or `failed`.
            facts: more, such as `diff_id`.
        """
        user = request.user
        self._log.info(
            f"audit {event}",
            by=printable(by or user.name or "-"),
            source=user.source,
            address=client_address(request),
            outcome=outcome,
            **{name: printable(value)[:_MAX] for name, value in facts.items()},
        )

    def refused(self, address: str, reason: str) -> None:
        """Write a line about a request that was refused before anything was done.

        Args:
            address: of the client.
            reason: why.
        """
        self._log.warning("audit refused", address=address, reason=printable(reason)[:_MAX])
