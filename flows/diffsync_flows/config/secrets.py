"""Secrets that were read from the configuration, and texts without them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from traceback import format_exception
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from diffsync_flows.runtime.errors import KNOWN, UserError
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

SHORTEST = 4
"""What is shorter is no secret, and blotting it out would make every message unreadable."""


class Secrets:
    """What this process has read, and must not show."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def keep(self, values: Any) -> None:
        """Take in every text of the value, however deep, and the password of one that is a URL."""
        for text in _texts(values):
            self._texts.update(part for part in (text, *url_passwords(text)) if len(part) >= SHORTEST)

    def keep_settings(self, settings: Any, name: str = "") -> None:
        """Take in what is secret in an adapter's checked settings, however deep; a folder or a host stays readable.

        Secret is what has pydantic's type for it, what stands under a name that says so, and a URL's password.
        """
        if isinstance(settings, SecretStr | SecretBytes):
            self.keep(settings)
        elif isinstance(settings, BaseModel | dict):
            for part, value in dict(settings).items():
                self.keep_settings(value, str(part))
        elif isinstance(settings, list | tuple | set | frozenset):
            for value in settings:
                self.keep_settings(value, name)
        elif is_secret_name(name):
            self.keep(settings)
        elif settings is not None:
            self.keep(list(url_passwords(str(settings))))

    def redact(self, text: str) -> str:
        return redact_credentials(self._without_known(text))

    def _without_known(self, text: str) -> str:
        for secret in sorted(self._texts, key=len, reverse=True):
            text = text.replace(secret, REDACTED)
        return text

    @contextmanager
    def redacted_errors(self) -> Iterator[None]:
        """An error that would show a secret is replaced by its redacted text: it ends up in states, logs and stores.

        A fault stays one, and what is worth another attempt stays so.
        """
        try:
            yield
        except Exception as error:
            shown = "".join(format_exception(error))
            if self._without_known(shown) == shown and not contains_input(error):
                redact_error(error, None)
                raise
            raise self._redacted(error) from None

    def _redacted(self, error: Exception) -> Exception:
        told = self.redact(format_reason(error) if contains_input(error) else f"{type(error).__name__}: {error}")
        if is_transient(error):
            passing = ConnectionError(told)
            vars(passing)["retry_after"] = retry_after(error)
            return passing
        return UserError(self.redact(str(error))) if isinstance(error, KNOWN) else RuntimeError(told)


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
