"""Remember which steps of a flow run have ended, so that they are not repeated when the run is started again.

An input of the flow run holds the id of what the step made. Prefect's server has it when the call returns. An event would
not do: the server stores events later, and may not get all of them.
"""

from uuid import UUID

import httpx
from prefect import runtime
from prefect.client.orchestration import get_client

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.runtime.ids import artifact_key


def note_ended(step: str, name: str, made: str) -> None:
    """Remember that a step of this run has ended and was reported.

    Without an answer of Prefect, a run that is started again repeats the step.

    Args:
        step: The kind of step, such as `load`.
        name: What it worked on, such as the name of an adapter.
        made: Id of the store or the diff that it made.
    """
    with best_effort(f"Cannot note that the {step} of {name} has ended"), get_client(sync_client=True) as client:
        try:
            client.create_flow_run_input(_run_id(), _key(step, name), made)
        except httpx.HTTPStatusError as error:
            is_noted = error.response.status_code == httpx.codes.CONFLICT  # of a step that was repeated
            if not is_noted:
                raise


def has_ended(step: str, name: str, made: str) -> bool:
    """Return whether an earlier process of this run has noted the step; False if Prefect does not answer."""
    if int(runtime.flow_run.run_count) <= 1:
        return False
    try:
        with get_client(sync_client=True) as client:
            return client.read_flow_run_input(_run_id(), _key(step, name)) == made
    except httpx.HTTPError:
        return False


def _run_id() -> UUID:
    return UUID(runtime.flow_run.id)


def _key(step: str, name: str) -> str:
    return artifact_key(f"ended-{step}", name)
