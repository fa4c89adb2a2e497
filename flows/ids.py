"""Names for stores and diffs, made from a flow run so that a second attempt of the run finds what the first one made."""

import re
from datetime import UTC, datetime

from prefect import runtime

LONGEST = 128


def new_id(*names: str) -> str:
    """Readable, unique for the flow run, and within what a store takes, e.g. `registry-20261123T051542-1a2b3c4d5e6f`."""
    return id_of_run(runtime.flow_run.id, runtime.flow_run.scheduled_start_time, *names)


def id_of_run(flow_run_id: str, started: datetime, *names: str) -> str:
    """What `new_id` makes of a flow run.

    The end of its id tells it from others: ids of runs that are scheduled for one time begin alike (UUID version 7).
    """
    suffix = f"{started.astimezone(UTC):%Y%m%dT%H%M%S}-{flow_run_id[-12:]}"
    return f"{'-'.join(names)[: LONGEST - len(suffix) - 1]}-{suffix}"


def artifact_key(*names: str) -> str:
    """What Prefect takes as a key: lower-case letters, digits and single dashes."""
    return re.sub("[^a-z0-9]+", "-", "-".join(names).lower()).strip("-")[:LONGEST].strip("-") or "unnamed"
