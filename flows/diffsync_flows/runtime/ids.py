"""Make ids of stores and diffs from the flow run, so that a retry finds what the first attempt made."""

import hashlib
import json
import re
from datetime import UTC, datetime

from prefect import runtime

MAX_LENGTH = 128
DIGEST_LENGTH = 8
SIMPLE = re.compile(rf"(?!.*-(progress|totals|shards|[0-9a-f]{{{DIGEST_LENGTH}}})$)[a-z0-9]+(-[a-z0-9]+)*")
"""A name that a key can contain unchanged: it has no suffix that keys use."""


def new_id(*names: str) -> str:
    """Return a readable id that is unique to the flow run, such as `registry-20261123T051542-1a2b3c4d5e6f`."""
    return id_of_run(runtime.flow_run.id, runtime.flow_run.scheduled_start_time, *names)


def id_of_run(flow_run_id: str, started: datetime, *names: str) -> str:
    """Return the id that `new_id` makes in a flow run.

    It contains the last digits of the run's id: ids of runs with the same scheduled time start alike (UUID version 7).
    """
    suffix = f"{started.astimezone(UTC):%Y%m%dT%H%M%S}-{flow_run_id[-12:]}"
    return f"{'-'.join(names)[: MAX_LENGTH - len(suffix) - 1]}-{suffix}"


def of_this_run(key: str) -> str:
    """Return a key for an artifact of this flow run only: Prefect's cards of artifacts lead to all artifacts with a key."""
    run_id = runtime.flow_run.id
    return f"{key}-{run_id[-12:]}" if run_id else key


def artifact_key(kind: str, *names: str) -> str:
    """Return the beginning of a key for an artifact, or a file name: lower-case letters, digits and single dashes.

    Different names give different keys; a digest is appended where the remaining letters are the same.

    Args:
        kind: The kind of artifact, such as `load`; letters, digits and dashes.
        *names: Names of the adapters or the sync.
    """
    slug = re.sub("[^a-z0-9]+", "-", "-".join((kind, *names)).lower()).strip("-")
    if all(map(SIMPLE.fullmatch, names)) and (len(names) == 1 or "-" not in "".join(names)) and len(slug) <= MAX_LENGTH:
        return slug
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{slug[: MAX_LENGTH - DIGEST_LENGTH - 1].strip('-')}-{digest}"
