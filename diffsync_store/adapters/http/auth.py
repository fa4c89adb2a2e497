"""The credentials of requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

from diffsync_store.adapters.http.errors import HttpError, json_of
from diffsync_store.adapters.http.libraries import httpx
from diffsync_store.adapters.http.settings import ClientCredentials, HttpSettings

_SPARE_SECONDS = 30.0
"""A token is renewed this long before it expires."""


def auth_of(settings: HttpSettings) -> httpx.Auth | None:
    """Return the authentication of httpx that adds credentials to each request; None if headers contain them."""
    if settings.oauth2 is not None:
        return _TokenOfClient(settings.oauth2)
    if not settings.username:
        return None
    password = settings.password.get_secret_value() if settings.password is not None else ""
    return httpx.BasicAuth(settings.username, password)


def headers_of(settings: HttpSettings) -> dict[str, str]:
    """Return the headers of each request."""
    headers = {"Accept": "application/json", "User-Agent": "diffsync-store"}
    headers |= {name: value.get_secret_value() for name, value in settings.headers.items()}
    if settings.token is not None:
        token = settings.token.get_secret_value()
        is_authorization = settings.token_header.lower() == "authorization"
        headers[settings.token_header] = f"{settings.token_scheme} {token}".strip() if is_authorization else token
    return headers


class _TokenOfClient(httpx.Auth):
    """Adds a token of the client credentials grant. Threads share it: one of them fetches the token."""

    def __init__(self, credentials: ClientCredentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._token = ""
        self._expires = 0.0

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = yield from self._valid_token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        with self._lock:
            if self._token == token:
                self._token = ""  # it was revoked before its time
        request.headers["Authorization"] = f"Bearer {yield from self._valid_token()}"
        yield request

    def _valid_token(self) -> Generator[httpx.Request, httpx.Response, str]:
        with self._lock:
            if not self._token or time.monotonic() >= self._expires:
                response = yield self._request()
                response.read()
                if response.is_error:
                    raise HttpError(response, (self._credentials.client_secret.get_secret_value(),))
                answer = json_of(response)
                self._token = answer["access_token"]
                self._expires = time.monotonic() + float(answer.get("expires_in", 300)) - _SPARE_SECONDS
            return self._token

    def _request(self) -> httpx.Request:
        found = self._credentials
        form = {"grant_type": "client_credentials", **({"scope": found.scope} if found.scope else {})}
        request = httpx.Request("POST", str(found.token_url), data=form, headers={"Accept": "application/json"})
        basic = httpx.BasicAuth(found.client_id, found.client_secret.get_secret_value())
        return next(basic.auth_flow(request))
