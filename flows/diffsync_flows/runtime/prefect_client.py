"""Reaching Prefect's API: what keeps a command from it is told in one sentence, with what to do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from pydantic import ValidationError

from diffsync_flows.runtime.errors import UserError

PAGE = 200
"""Most that Prefect's API returns at once."""
EXAMPLE = "such as http://127.0.0.1:4200/api"
NO_SERVER = (
    f"No Prefect server is named: set PREFECT_API_URL, {EXAMPLE}, or use a profile that has it (`prefect config view` shows "
    "it). Without it Prefect would start a server of its own for this command, and forget it."
)
API_SUFFIX_HINT = f"PREFECT_API_URL names the address that ends in /api, {EXAMPLE}"
NO_ACCESS = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
NOT_THERE = (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED)


class PrefectUnreachable(UserError):
    """Prefect's API does not answer as one."""


def require_prefect() -> None:
    """Ask Prefect's API for something, before anything is done with it.

    Raises:
        PrefectUnreachable: none is named, or it does not answer as Prefect's API does.
    """
    with translated_api_errors():
        try:
            with get_client(sync_client=True) as client:
                client.read_work_pools(limit=1)
        except ValidationError as error:
            raise PrefectUnreachable(f"{PREFECT_API_URL.value()} is not Prefect's: {API_SUFFIX_HINT}") from error


@contextmanager
def translated_api_errors() -> Iterator[None]:
    """What Prefect's API answers in the body, where it is not what was asked for, is a fault.

    Raises:
        PrefectUnreachable: none is named, it cannot be reached, or it refuses.
    """
    address = PREFECT_API_URL.value()
    if not address:
        raise PrefectUnreachable(NO_SERVER)
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise PrefectUnreachable(_refused(address, error.response)) from error
    except json.JSONDecodeError as error:
        raise PrefectUnreachable(f"{address} answers with a page, not as Prefect's API: {API_SUFFIX_HINT}") from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise PrefectUnreachable(
            f"Prefect's API cannot be reached: see that PREFECT_API_URL names it and that it runs. It is {address} ({error})"
        ) from error


@contextmanager
def best_effort(what: str, *errors: type[Exception]) -> Iterator[None]:
    """What is told or looked at beside a run's work does not fail the run: the log says `what`, and why.

    Args:
        what: that could not be done.
        errors: what is forgiven besides an API that does not answer.
    """
    caught: tuple[type[Exception], ...] = (httpx.HTTPError, *errors)
    try:
        yield
    except caught as error:
        get_run_logger().warning("%s: %s", what, error)


def _refused(address: str, response: httpx.Response) -> str:
    if response.status_code in NO_ACCESS:
        return (
            f"Prefect's API at {address} refuses ({response.status_code}): set PREFECT_API_AUTH_STRING to the server's "
            "user:password, or PREFECT_API_KEY for Prefect Cloud."
        )
    if response.status_code in NOT_THERE:
        return f"{address} has no such address ({response.status_code}) as Prefect's API has: {API_SUFFIX_HINT}"
    told = response.text[:200] if response.is_client_error else "see its log"
    return f"Prefect's API at {address} answers with {response.status_code}: {told}"
