"""Detect another Prefect server that uses the same project in the same Redis.

Each of the two would take the other's newest stores and leases.
"""

import socket
from collections.abc import Iterator
from functools import cache
from uuid import uuid4

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import VariableCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.runtime.context import SyncContext
from diffsync_store import ObjectStoreException
from diffsync_store.printable import printable
from diffsync_store.redaction import redact_url_passwords

VARIABLE = "diffsync_server"
"""Prefect variable with the server's id. The server's address cannot identify it, because it differs between hosts."""
FORGET_SECONDS = 7 * 86400
"""After this time without a run, a server no longer counts."""
CHECK_FAILED = "Cannot check whether another Prefect server uses the same Redis"


def server_id() -> str:
    """Return the id of the Prefect server; the first call creates it."""
    return _id_of(PREFECT_API_URL.value())


@cache
def _id_of(_: str | None) -> str:
    with get_client(sync_client=True) as client:
        found = client.read_variable_by_name(VARIABLE)
        if found is None:
            try:
                found = client.create_variable(VariableCreate(name=VARIABLE, value=uuid4().hex))
            except ObjectAlreadyExists:  # another process was faster
                found = client.read_variable_by_name(VARIABLE)
    return str(found.value) if found else ""


def other_servers(context: SyncContext, server: str) -> Iterator[str]:
    """Yield a warning for each other Prefect server that used the project's Redis within the last week."""
    config = context.project
    address = redact_url_passwords(PREFECT_API_URL.value() or "without an address")
    description = f"{address}, as {socket.gethostname()} reaches it"
    for name, at in context.stores().register_user(server, description, expires_after=FORGET_SECONDS).items():
        yield (
            f"Another Prefect server ({printable(name)}) used {config.store_address()} at {at:%Y-%m-%d %H:%M:%S} UTC with the "
            f"same project {config.declared.project!r}. Each server takes the other's newest stores and leases. Give each "
            "file its own `project` and deploy again, or use another Redis or database. A server that has stopped no longer "
            "counts after a week."
        )


def warn_of_other_servers(context: SyncContext) -> None:
    """Log a warning for each other Prefect server."""
    with best_effort(CHECK_FAILED, ObjectStoreException):
        for warning in other_servers(context, server_id()):
            get_run_logger().warning("%s", warning)
