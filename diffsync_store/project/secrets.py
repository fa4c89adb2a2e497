"""Collect the secrets of a project, and redact them in texts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from traceback import format_exception
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from diffsync_store.project.errors import EXPECTED_ERRORS, UserError
from diffsync_store.redaction import (
    REDACTED,
    contains_input,
    format_reason,
    is_secret_name,
    redact_credentials,
    redact_error,
    url_passwords,
)
from diffsync_store.transient import is_transient, retry_after

MIN_LENGTH = 4
"""Minimum characters of a secret that is redacted. Shorter texts occur in any message."""


class Secrets:
    """The secrets of one project."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def add(self, values: Any) -> None:
        """Add every text of a value, at any depth, and the password of one that is a URL."""
        for text in _texts(values):
            self._texts.update(part for part in (text, *url_passwords(text)) if len(part) >= MIN_LENGTH)

    def add_settings(self, settings: Any, name: str = "") -> None:
        """Add the secrets of an adapter's validated settings, at any depth.

        A value is secret if its type is pydantic's SecretStr or SecretBytes, or if its name is a secret name, e.g. `api_key`. The
        password of a URL is secret. Other values, such as a host or a folder, stay readable.
        """
        if isinstance(settings, SecretStr | SecretBytes):
            self.add(settings)
        elif isinstance(settings, BaseModel | dict):
            for part, value in dict(settings).items():
                self.add_settings(value, str(part))
        elif isinstance(settings, list | tuple | set | frozenset):
            for value in settings:
                self.add_settings(value, name)
        elif is_secret_name(name):
            self.add(settings)
        elif settings is not None:
            self.add(list(url_passwords(str(settings))))

    def redact(self, text: str) -> str:
        """Return a text with the secrets, and everything that looks like a credential, redacted."""
        return redact_credentials(self._without_secrets(text))

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self._texts, key=len, reverse=True):
            text = text.replace(secret, REDACTED)
        return text

    @contextmanager
    def redacted_errors(self) -> Iterator[None]:
        """Replace an error that contains a secret by one with its redacted text.

        An error that the user can fix becomes a UserError, a transient one stays transient.
        """
        try:
            yield
        except Exception as error:
            text = "".join(format_exception(error))
            if self._without_secrets(text) == text and not contains_input(error):
                redact_error(error, None)
                raise
            raise self._redacted(error) from None

    def _redacted(self, error: Exception) -> Exception:
        message = self.redact(format_reason(error) if contains_input(error) else f"{type(error).__name__}: {error}")
        if is_transient(error):
            transient = ConnectionError(message)
            vars(transient)["retry_after"] = retry_after(error)
            return transient
        return UserError(self.redact(str(error))) if isinstance(error, EXPECTED_ERRORS) else RuntimeError(message)


def _texts(values: Any) -> Iterable[str]:
    if isinstance(values, SecretStr):
        return [values.get_secret_value()]
    if isinstance(values, SecretBytes):
        return [values.get_secret_value().decode(errors="replace")]
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list):
        return [text for value in values for text in _texts(value)]
    return [values] if isinstance(values, str) else []
