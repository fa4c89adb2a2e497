"""Requests that claim an identity that they do not have."""

from starlette.authentication import AuthenticationError


class Refused(AuthenticationError):
    """A claim is false or forged: the request ends with 403, and is not served as that of nobody."""

    status = 403


class WrongToken(Refused):
    """A token is unknown, or no longer valid."""

    status = 401


class TooManyAttempts(Refused):
    """An address has sent too many wrong tokens."""

    status = 429
