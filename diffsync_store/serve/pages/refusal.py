"""The answer of a page to an error that the reader can do something about."""

from starlette.exceptions import HTTPException

from diffsync_store.serve.api.errors import refusal_of
from diffsync_store.serve.services import Services


def refusal(services: Services, error: Exception) -> HTTPException:
    """Return the answer, without secrets."""
    return refusal_of(error, services.context.project.secrets.redact(str(error)))
