"""NetBoxClient: the shared HTTP client with NetBox's manners: the form of what is written, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from threading import Lock
from typing import Any

import httpx

from diffsync_store.adapters.http import HttpClient, HttpError
from diffsync_store.adapters.netbox import slugs
from diffsync_store.adapters.netbox.object_types import list_of, permission
from diffsync_store.adapters.netbox.settings import NetBoxSettings

Version = tuple[int, int]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OF_RECORD = frozenset({"IntegrityError", "DataError"})
"""Exceptions of the database that NetBox answers with a 500 although a record is the cause; nothing was written then."""
_OF_SLUG = frozenset({"slug", "__all__", "non_field_errors"})
"""Keys of the errors that a taken slug gives; the last two are for slugs that are unique below another record."""


class NetBoxError(HttpError):
    """NetBox has refused a request."""

    def __init__(self, error: HttpError, hint: str = "", secrets: tuple[str, ...] = ()) -> None:
        super().__init__(error.response, secrets)
        if self.is_of_record:
            self.is_transient = False
        if hint:
            self.args = (f"{self} {hint}",)

    @property
    def is_of_record(self) -> bool:
        """True if the database has refused a record, so that the same request fails again."""
        return isinstance(self.details, Mapping) and self.details.get("exception") in _OF_RECORD


class NetBoxClient(HttpClient):
    """Sends requests to a NetBox. Threads may share it; `close` it at the end."""

    def __init__(self, settings: NetBoxSettings) -> None:
        super().__init__(settings)
        self._message = settings.changelog_message
        self._blanks: dict[str, set[str]] = {}
        self._lock = Lock()

    @cached_property
    def version(self) -> Version:
        """Return the version of the NetBox, such as 4, 6."""
        found = re.match(r"(\d+)\.(\d+)", str(self.get_json("status/").get("netbox-version")))
        return (int(found[1]), int(found[2])) if found else (4, 0)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, as `HttpClient.send`; what is written gets NetBox's form."""
        path = path if path.endswith("/") or "?" in path else f"{path}/"
        try:
            if method in _READS:
                return super().send(method, path, params=params, body=body, headers=headers)
            return self._write(method, path, body, headers)
        except HttpError as error:
            raise NetBoxError(error, self._hint(method, path, error), self._settings.secrets) from error

    def _write(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None) -> httpx.Response:
        bodies = [dict(item) for item in (body if isinstance(body, list) else [body or {}])]
        made = slugs.add_slugs(bodies, path) if method == "POST" else set()
        while True:
            formed = [self._form(method, path, item) for item in bodies]
            sent = (formed if isinstance(body, list) else formed[0]) or None
            try:
                return super().send(method, path, body=sent, headers=headers)
            except HttpError as error:
                if error.response.status_code != 400 or not self._mend(path, bodies, made, error.details):
                    raise

    # The form of what is written

    def _form(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return a record in the form that NetBox accepts."""
        blanks = self._blanks.get(list_of(path), ())
        formed = {key: "" if value is None and key in blanks else value for key, value in body.items()}
        if method == "POST":
            formed = {key: value for key, value in formed.items() if value is not None}  # NetBox has a value of its own
        if self._message:
            formed["changelog_message"] = self._message
        return formed

    # Refusals that another form mends

    def _mend(self, path: str, bodies: list[dict[str, Any]], made: set[int], details: Any) -> bool:
        """Give records that NetBox has refused another form; True if there is one to try.

        Text that is empty is null in some fields and blank in others. The slug of a new record may be taken.
        """
        found = False
        for place, errors in _errors_of(bodies, details):
            if place in made and not errors.keys() - _OF_SLUG:
                made.discard(place)
                bodies[place]["slug"] = slugs.other_slug(bodies[place][slugs.source_of_slug(path) or "slug"])
                found = True
            elif self._learn_blanks(
                path, {key for key in errors if key in bodies[place] and bodies[place][key] is None}
            ):
                found = True
        return found

    def _learn_blanks(self, path: str, keys: set[str]) -> bool:
        with self._lock:
            known = self._blanks.setdefault(list_of(path), set())
            new = keys - known
            self._blanks[list_of(path)] = known | new
        return bool(new)

    # What a refusal means

    def _hint(self, method: str, path: str, error: HttpError) -> str:
        status = error.response.status_code
        if status == 403 and path != "status/":
            return self._hint_of_rights(method, path)
        if status == 404 and error.details is None:
            return f"NetBox has no list at {path!r}. Correct `from`, or `url`."
        if status == 412:
            return "The record was changed meanwhile. Load again."
        return ""

    def _hint_of_rights(self, method: str, path: str) -> str:
        try:
            super().send("GET", "status/")
        except HttpError:
            return "NetBox does not accept the token. Correct `token`."
        wanted = f"The user of the token needs the permission `{permission(method, path)}`"
        return f"{wanted}." if method in _READS else f"{wanted}, and the token must allow writing."


def _errors_of(bodies: list[dict[str, Any]], details: Any) -> list[tuple[int, Mapping[str, Any]]]:
    """Places of records with what is wrong with them. Of a list that is changed, NetBox names the first error and no record."""
    if isinstance(details, list) and len(details) == len(bodies):
        return [(place, found) for place, found in enumerate(details) if isinstance(found, Mapping) and found]
    if isinstance(details, Mapping) and len(bodies) == 1:
        return [(0, details)]
    if isinstance(details, Mapping):
        return [(place, details) for place, body in enumerate(bodies) if details.keys() & body.keys()]
    return []
