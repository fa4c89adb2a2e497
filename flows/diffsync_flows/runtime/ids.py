"""Names for stores and diffs, made from a flow run so that a second attempt of the run finds what the first one made."""

import hashlib
import json
import re
from datetime import UTC, datetime

from prefect import runtime

LONGEST = 128
DIGEST = 8
SIMPLE = re.compile(rf"(?!.*-(progress|totals|[0-9a-f]{{{DIGEST}}})$)[a-z0-9]+(-[a-z0-9]+)*")
"""A name that a key can have as it is: it does not end as a key may, behind the name."""


def new_id(*names: str) -> str:
    """Readable, unique for the flow run, and within what a store takes, e.g. `registry-20261123T051542-1a2b3c4d5e6f`."""
    return id_of_run(runtime.flow_run.id, runtime.flow_run.scheduled_start_time, *names)


def id_of_run(flow_run_id: str, started: datetime, *names: str) -> str:
    """What `new_id` makes of a flow run.

    The end of its id tells it from others: ids of runs that are scheduled for one time begin alike (UUID version 7).
    """
    suffix = f"{started.astimezone(UTC):%Y%m%dT%H%M%S}-{flow_run_id[-12:]}"
    return f"{'-'.join(names)[: LONGEST - len(suffix) - 1]}-{suffix}"


def artifact_key(kind: str, *names: str) -> str:
    """What Prefect takes as a key, and a file system as a name: lower-case letters, digits and single dashes.

    Others than these names have another key: where the letters that are left do not tell them apart, a digest does.

    Args:
        kind: what it is of, such as `load`; letters, digits and dashes.
        *names: of the adapters or the sync.
    """
    slug = re.sub("[^a-z0-9]+", "-", "-".join((kind, *names)).lower()).strip("-")
    if all(map(SIMPLE.fullmatch, names)) and (len(names) == 1 or "-" not in "".join(names)) and len(slug) <= LONGEST:
        return slug
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:DIGEST]
    return f"{slug[: LONGEST - DIGEST - 1].strip('-')}-{digest}"
