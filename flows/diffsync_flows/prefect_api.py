"""Translate failures of Prefect's API into one sentence that says what to do."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import MissingContextError
from prefect.settings import PREFECT_API_URL
from pydantic import ValidationError

from diffsync_store.project import UserError

PAGE = 200
"""Maximum rows in one answer of Prefect's API."""
EXAMPLE = "such as http://127.0.0.1:4200/api"
NO_SERVER = (
    f"No Prefect server is configured. Set PREFECT_API_URL, {EXAMPLE}, or use a profile that sets it (see `prefect config "
    "view`). Otherwise Prefect would start a temporary server for this command alone."
)
API_SUFFIX_HINT = f"Set PREFECT_API_URL to the address that ends in /api, {EXAMPLE}."
NO_ACCESS = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
NO_SUCH_PATH = (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED)


class PrefectUnreachable(UserError):
    """No Prefect API answers at PREFECT_API_URL."""


def require_prefect() -> None:
    """Check that Prefect's API answers, before any work begins.

    Raises:
        PrefectUnreachable: No server is configured, or it does not answer as Prefect does.
    """
    with translated_api_errors():
        try:
            with get_client(sync_client=True) as client:
                client.read_work_pools(limit=1)
        except ValidationError as error:
            raise PrefectUnreachable(
                f"The server at {PREFECT_API_URL.value()} is not Prefect. {API_SUFFIX_HINT}"
            ) from error


@contextmanager
def translated_api_errors() -> Iterator[None]:
    """Raise a failure of the API as PrefectUnreachable.

    Raises:
        PrefectUnreachable: No server is configured, it cannot be reached, or it refuses the request.
    """
    address = PREFECT_API_URL.value()
    if not address:
        raise PrefectUnreachable(NO_SERVER)
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise PrefectUnreachable(_refusal(address, error.response)) from error
    except json.JSONDecodeError as error:
        raise PrefectUnreachable(f"The server at {address} answers with a web page. {API_SUFFIX_HINT}") from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise PrefectUnreachable(
            f"Cannot reach Prefect's API at {address} ({error}). Check PREFECT_API_URL and that the server runs."
        ) from error


@contextmanager
def best_effort(failure: str, *errors: type[Exception]) -> Iterator[None]:
    """Log an error of the body as a warning, so that a report or a look-up does not fail the run.

    Args:
        failure: The beginning of the warning, such as "Cannot publish the artifact".
        errors: What to catch besides an HTTP error.
    """
    caught: tuple[type[Exception], ...] = (httpx.HTTPError, *errors)
    try:
        yield
    except caught as error:
        _logger().warning("%s: %s", failure, error)


def _logger() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    """Return the logger of the flow run; outside of one, that of this package."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("diffsync_flows")


def _refusal(address: str, response: httpx.Response) -> str:
    if response.status_code in NO_ACCESS:
        return (
            f"Prefect's API at {address} denies access ({response.status_code}). Set PREFECT_API_AUTH_STRING to the server's "
            "user:password, or PREFECT_API_KEY for Prefect Cloud."
        )
    if response.status_code in NO_SUCH_PATH:
        return f"The server at {address} has no Prefect API there ({response.status_code}). {API_SUFFIX_HINT}"
    reason = response.text[:200] if response.is_client_error else "see the server's log"
    return f"Prefect's API at {address} answers with status {response.status_code}: {reason}"
