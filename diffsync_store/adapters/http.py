"""The HTTP client that the adapters of APIs share: timeouts, retries, limits of rate, credentials that stay with their host."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from pydantic import Field, HttpUrl, SecretStr

try:
    import httpx
    import tenacity
except ImportError as error:
    raise ImportError(
        "This adapter needs the packages httpx and tenacity: pip install 'diffsync-store[rest]'"
    ) from error

from diffsync_store.adapters.mapped import AdapterSettings
from diffsync_store.transient import is_transient, retry_after, was_not_done

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_REASON = 500
"""Characters of an answer that an error shows."""


class HttpSettings(AdapterSettings):
    """How an API is reached."""

    url: HttpUrl
    """The address that all paths are below, such as `https://netbox.example.com/api/`."""
    token: SecretStr | None = None
    """Sent as `Authorization: SCHEME TOKEN`."""
    token_scheme: str = "Bearer"  # noqa: S105  # the name of a scheme
    """The word before the token."""
    token_header: str = "Authorization"  # noqa: S105  # the name of a header
    """Another header for the token, such as `X-API-Key`; it is sent there without a scheme."""
    username: str = ""
    """For basic authentication."""
    password: SecretStr | None = None
    headers: dict[str, SecretStr] = {}
    """More headers of each request."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds to wait for a connection, and for each piece of an answer."""
    verify: bool | Path = True
    """Whether certificates are checked; or the file of the authority that has signed them."""
    attempts: int = Field(default=5, ge=1)
    """How often a request that may pass is sent, the first time included."""
    max_calls_per_second: float | None = Field(default=None, gt=0)
    concurrency: int = Field(default=4, ge=1, le=64)
    """Pages that are asked for at once."""


class HttpError(Exception):
    """An API has refused a request.

    Attributes:
        response: the answer; its `status_code` says whether the failure may pass (`diffsync_store.transient`).
        details: the answer's JSON, where it is JSON.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.details = _json_of(response)
        super().__init__(f"{response.status_code} {response.reason_phrase}: {_reason(self.details, response)}")


class HttpClient:
    """Sends requests to one API. Threads may share it; `close` it at the end."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._base = str(settings.url).rstrip("/") + "/"
        self._client = httpx.Client(
            auth=_auth(settings),
            headers=_headers(settings),
            timeout=settings.timeout,
            verify=_tls(settings.verify),
            limits=httpx.Limits(max_connections=settings.concurrency + 4),
            follow_redirects=False,
        )
        self._pace = _Pace(settings.max_calls_per_second)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def url_of(self, path: str) -> str:
        """The whole address of a path, or of a link that the API has given.

        Raises:
            ValueError: the link leads to another host, which must not see the credentials.
        """
        url = urljoin(self._base, path)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            wanted, given = urlsplit(self._base), urlsplit(url)
            raise ValueError(
                f"The API links to {given.scheme}://{given.netloc}, and the adapter's `url` is {wanted.scheme}://{wanted.netloc}. "
                "Set `url` to the address that the API has for itself."
            )
        return url

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> httpx.Response:
        """Read; as `send`."""
        return self.send("GET", path, params=params)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, and send it again after a failure that may pass.

        A request that changes something is sent again only if the API has not done it.

        Raises:
            HttpError: the API has refused it.
            httpx.TransportError: it could not be reached, or its answer was lost.
        """
        request = self._client.build_request(method, self.url_of(path), params=params, json=body, headers=headers)
        if body is None and method in _READS:
            request.headers.pop("Content-Type", None)
        for attempt in self._attempts(method):
            with attempt:
                return self._send_once(request)
        raise AssertionError("a retry ends with an answer or an error")

    def _attempts(self, method: str) -> tenacity.Retrying:
        def may_pass(error: BaseException) -> bool:
            return is_transient(error) and (method in _READS or was_not_done(error))

        backoff = tenacity.wait_exponential_jitter(initial=0.2, max=30.0)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            asked = retry_after(error) if isinstance(error, Exception) else None
            return backoff(state) if asked is None else asked

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._settings.attempts),
            retry=tenacity.retry_if_exception(may_pass),
            wait=wait,
            reraise=True,
        )

    def _send_once(self, request: httpx.Request) -> httpx.Response:
        self._pace.wait()
        response = self._client.send(request)
        if response.is_redirect:
            target = urlsplit(urljoin(str(request.url), response.headers.get("Location", "")))
            raise ValueError(
                f"The API redirects to {target.scheme}://{target.netloc}{target.path}, and redirects are not followed. Correct `url`."
            )
        if response.is_error:
            raise HttpError(response)
        return response


class _Pace:
    """Keeps a distance between calls, over all threads."""

    def __init__(self, calls_per_second: float | None) -> None:
        self._distance = 1.0 / calls_per_second if calls_per_second else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        if not self._distance:
            return
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + self._distance
        time.sleep(max(0.0, mine - now))


def _auth(settings: HttpSettings) -> httpx.BasicAuth | None:
    if not settings.username:
        return None
    password = settings.password.get_secret_value() if settings.password is not None else ""
    return httpx.BasicAuth(settings.username, password)


def _headers(settings: HttpSettings) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": "diffsync-store"}
    headers |= {name: value.get_secret_value() for name, value in settings.headers.items()}
    if settings.token is not None:
        token = settings.token.get_secret_value()
        is_authorization = settings.token_header.lower() == "authorization"
        headers[settings.token_header] = f"{settings.token_scheme} {token}".strip() if is_authorization else token
    return headers


def _tls(verify: bool | Path) -> bool | ssl.SSLContext:
    return verify if isinstance(verify, bool) else ssl.create_default_context(cafile=str(verify))


def _json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, json.JSONDecodeError):
        return None


def _reason(details: Any, response: httpx.Response) -> str:
    text = explained(details) if details is not None else response.text
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


def explained(details: Any) -> str:
    """The errors in an answer's JSON as one sentence: `name: This field is required.`"""
    if isinstance(details, Mapping):
        parts = [
            explained(value)
            if key in {"detail", "error", "errors", "message", "non_field_errors", "__all__"}
            else f"{key}: {explained(value)}"
            for key, value in details.items()
            if value
        ]
        return "; ".join(parts)
    if isinstance(details, list):
        return "; ".join(explained(item) for item in details if item)
    return str(details)
