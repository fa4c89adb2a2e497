"""Make ids of stores and diffs for a run that has no id of its own."""

import secrets
from datetime import UTC, datetime


def new_id(name: str) -> str:
    """Return a readable id that nothing else has, such as `netbox-20261123T051542-1a2b3c`."""
    return f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
