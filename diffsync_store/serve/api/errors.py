"""The HTTP status of an error of the library."""

from pydantic import ValidationError
from starlette.exceptions import HTTPException

from diffsync_store.exceptions import (
    ChangeLimitExceeded,
    DiffNotApproved,
    DiffNotFound,
    DiffUnreadable,
    ObjectStoreException,
    StoreInUse,
    StoreNotFound,
    StoreReloaded,
    StoreUnavailable,
)
from diffsync_store.project import EXPECTED_ERRORS, ConfigError, UserError

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (DiffUnreadable, 409),
    (DiffNotFound, 404),
    (StoreNotFound, 409),
    (StoreUnavailable, 503),
    (StoreReloaded, 409),
    (StoreInUse, 409),
    (DiffNotApproved, 409),
    (ChangeLimitExceeded, 409),
    (ConfigError, 404),
    (UserError, 409),
    (ObjectStoreException, 400),
)
ERRORS = EXPECTED_ERRORS
"""Errors whose message is for the person who makes the request."""


def refusal_of(error: Exception, text: str) -> HTTPException:
    """Return the refusal for an expected error.

    Args:
        error: the error.
        text: its message without secrets.
    """
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 400)
    return HTTPException(status, text)


def wrong_input(error: ValidationError, what: str) -> HTTPException:
    """Return the refusal for a body or a query; it names the field, and never repeats the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or what
    return HTTPException(422, f"{what}: {place}: {first['msg']}. /api/v1/openapi.json describes it.")
