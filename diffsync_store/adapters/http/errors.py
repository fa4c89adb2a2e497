"""What is wrong with an answer, in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from diffsync_store.adapters.http.libraries import httpx

LONGEST_REASON = 500
"""Characters of an answer that an error shows."""
_REDACTED = "***"
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_WITHOUT_NAME = frozenset({"detail", "error", "errors", "message", "msg", "non_field_errors", "__all__", "title"})
"""Keys that carry a reason and not the name of a field."""


class HttpError(Exception):
    """An API has refused a request.

    Attributes:
        response: the answer; its `status_code` says whether the failure is transient (`diffsync_store.transient`).
        details: the answer's JSON, with the credentials redacted; None if it is not JSON.
    """

    def __init__(self, response: httpx.Response, secrets: tuple[str, ...] = ()) -> None:
        self.response = response
        text = redacted(response.text, secrets)
        self.details = _json_or_none(text)
        reason = explained(self.details) if self.details is not None else _plain(text)
        super().__init__(f"{_described(response)}{f': {shortened(reason)}' if reason else ''}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy the status and the headers of the answer, and not its text."""
        answer = self.response.status_code, self.response.headers.multi_items()
        facts = {name: value for name, value in self.__dict__.items() if name != "response"}
        return _restored, (type(self), str(self), *answer), facts


class NotJson(ValueError):
    """An API has answered with something else than JSON, such as the page of a login."""

    @classmethod
    def of(cls, response: httpx.Response, secrets: tuple[str, ...] = ()) -> Self:
        """Describe an answer."""
        kind = response.headers.get("Content-Type", "no content type").partition(";")[0]
        start = shortened(_plain(redacted(response.text, secrets)), 120)
        return cls(
            f"{_described(response)} with {kind} instead of JSON: {start!r}. Correct `url`, or the credentials if it is a login page."
        )


class Redirected(ValueError):
    """An API redirects to an address to which no credentials are sent."""

    @classmethod
    def of(cls, request: httpx.Request, target: str) -> Self:
        """Describe the redirect of a request."""
        to = urlsplit(target)
        return cls(
            f"{request.method} {request.url.path} is redirected to {to.scheme}://{to.hostname}{to.path}, which is not followed: only "
            "reads follow a redirect, within the same scheme and host. Correct `url` or the path."
        )


def _restored(kind: type[HttpError], text: str, status: int, headers: list[tuple[str, str]]) -> HttpError:
    error = kind.__new__(kind, text)
    error.response = httpx.Response(status, headers=headers)
    return error


def json_of(response: httpx.Response, secrets: tuple[str, ...] = ()) -> Any:
    """Return the JSON of an answer; None if it has no content.

    Raises:
        NotJson: it is something else.
    """
    if not response.content:
        return None
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise NotJson.of(response, secrets) from None


def explained(details: Any) -> str:
    """Return the errors in an answer's JSON as one sentence: `name: This field is required.`"""
    if isinstance(details, Mapping):
        parts = [
            explained(value) if str(key) in _WITHOUT_NAME else f"{key}: {explained(value)}"
            for key, value in details.items()
            if value
        ]
        return "; ".join(parts)
    if isinstance(details, list):
        return "; ".join(explained(item) for item in details if item)
    return str(details)


def failure_in(answer: Mapping[str, Any]) -> str:
    """The error that some APIs put into an answer with a good status; empty if there is none."""
    error = answer.get("error") or answer.get("errors")
    if error:
        return shortened(explained(error))
    return shortened(explained(answer)) if answer.get("success") is False or answer.get("ok") is False else ""


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """Return the text without secrets: an API may repeat the token that it refuses."""
    for secret in secrets:
        text = text.replace(secret, _REDACTED)
    return text


def shortened(text: str, length: int = LONGEST_REASON) -> str:
    """Return the text in one line of at most this length."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _described(response: httpx.Response) -> str:
    request = response.request
    return f"{request.method} {request.url.path} answered {response.status_code} {response.reason_phrase}".rstrip()


def _plain(text: str) -> str:
    """Return the words of a page, without its markup."""
    return _TAGS.sub(" ", text[:20_000]) if text.lstrip()[:1] == "<" else text


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
