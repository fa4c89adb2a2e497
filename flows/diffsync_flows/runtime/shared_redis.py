"""Whether another Prefect server has the same project in the same Redis: each would take the other's newest stores and leases."""

import socket
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from uuid import uuid4

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import VariableCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL

from diffsync_flows.config.config import Config, read_config
from diffsync_flows.runtime.prefect_client import best_effort
from diffsync_store import ObjectStoreException
from diffsync_store.printable import printable
from diffsync_store.redaction import redact_url_passwords

VARIABLE = "diffsync_server"
"""Prefect's variable with the id of the server: its address is another one on every host."""
FORGOTTEN_AFTER = 7 * 86400
"""Seconds after which a server that is gone is not in the way any more."""
NOT_KNOWN = "It is not known whether another Prefect server uses the same Redis"


def server_id() -> str:
    """The id of the Prefect server, which it is given when it is asked for the first time."""
    return _id_of(PREFECT_API_URL.value())


@cache
def _id_of(_: str | None) -> str:
    with get_client(sync_client=True) as client:
        found = client.read_variable_by_name(VARIABLE)
        if found is None:
            try:
                found = client.create_variable(VariableCreate(name=VARIABLE, value=uuid4().hex))
            except ObjectAlreadyExists:  # another process was first
                found = client.read_variable_by_name(VARIABLE)
    return str(found.value) if found else ""


def other_servers(config: Config, server: str) -> Iterator[str]:
    """A sentence for each other Prefect server that has used the project's place in Redis within the last week."""
    address = redact_url_passwords(PREFECT_API_URL.value() or "without an address")
    with closing(config.open_stores()) as stores:
        met = stores.register_user(
            server, f"{address}, as {socket.gethostname()} reaches it", expires_after=FORGOTTEN_AFTER
        )
    for told, at in met.items():
        yield (
            f"Another Prefect server ({printable(told)}) was at {config.store_address()} at {at:%Y-%m-%d %H:%M:%S} UTC under the "
            f"same project {config.declared.project!r}: each takes the other's newest stores and leases. Give each file a "
            "`project` of its own and deploy it again, or give it another Redis or database. A server that is gone is forgotten "
            "after a week."
        )


def warn_of_other_servers() -> None:
    """Say in the flow run's log that another Prefect server is in the way."""
    with best_effort(NOT_KNOWN, ObjectStoreException):
        for told in other_servers(read_config(), server_id()):
            get_run_logger().warning("%s", told)
