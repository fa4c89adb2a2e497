"""What the routes of the page and of the API work with."""

from dataclasses import dataclass
from typing import Any

from diffsync_store.project import SyncContext
from diffsync_store.serve.running import Runner
from diffsync_store.serve.security.protection import Protection


@dataclass(frozen=True)
class Services:
    """The parts of one server; `request.app.state.services`. Threads share it."""

    context: SyncContext[Any]
    runner: Runner
    protection: Protection
