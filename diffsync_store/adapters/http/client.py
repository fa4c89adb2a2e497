"""HttpClient: timeouts, retries, limits of rate, and credentials that stay with their host."""

from __future__ import annotations

import math
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import Any
from urllib.parse import urljoin, urlsplit

import structlog

from diffsync_store.adapters.http.auth import auth_of, headers_of
from diffsync_store.adapters.http.errors import HttpError, Redirected, json_of
from diffsync_store.adapters.http.libraries import httpx, tenacity
from diffsync_store.adapters.http.pace import Pace
from diffsync_store.adapters.http.settings import HttpSettings
from diffsync_store.transient import is_transient, retry_after, was_not_done

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_REDIRECTS = 5
_BACKOFF = tenacity.wait_exponential(multiplier=0.2, max=30.0) + tenacity.wait_random(0.0, 0.2)


class HttpClient:
    """Sends requests to one API. Threads may share it; `close` it at the end."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._base = str(settings.url).rstrip("/") + "/"
        self.time_left: Callable[[], float] | None = None
        """Returns the seconds that are left for all requests, and raises when there are none; None for no limit."""
        self._pace = Pace(settings.max_calls_per_second)
        self._writing: AbstractContextManager[Any] = Lock() if settings.one_write_at_a_time else nullcontext()
        self._client = httpx.Client(
            auth=auth_of(settings),
            headers=headers_of(settings),
            timeout=httpx.Timeout(settings.timeout, connect=settings.connect_timeout, pool=None),
            verify=_tls(settings),
            limits=httpx.Limits(max_connections=settings.concurrency + 4),
            proxy=settings.proxy.get_secret_value() if settings.proxy is not None else None,
            trust_env=settings.trust_environment,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # a session would outlive its credentials
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def url_of(self, path: str) -> str:
        """Return the whole address of a path, or of a link that the API has given.

        Raises:
            ValueError: the link leads to another host, which must not see the credentials.
        """
        url = urljoin(self._base, path)
        if _origin(url) != _origin(self._base):
            given, wanted = urlsplit(url), urlsplit(self._base)
            raise ValueError(
                f"The API links to {given.scheme}://{given.hostname}, and the adapter's `url` is {wanted.scheme}://{wanted.netloc}. "
                "Set `url` to the address that the API uses in its links."
            )
        return url

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> httpx.Response:
        """Read; as `send`."""
        return self.send("GET", path, params=params)

    def get_json(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON at a path; as `send`.

        Raises:
            NotJson: the answer is something else, such as the page of a login.
        """
        return self.json_of(self.get(path, params))

    def json_of(self, response: httpx.Response) -> Any:
        """Return the JSON of an answer; None if it has no content.

        Raises:
            NotJson: it is something else.
        """
        return json_of(response, self._settings.secrets)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, and send it again after a transient failure.

        A request that changes something is sent again only if the API certainly has not done it.

        Raises:
            HttpError: the API has refused it.
            httpx.TransportError: the API could not be reached, or its answer was lost.
            Redirected: the API redirects to an address that must not see the credentials.
        """
        url = httpx.URL(self.url_of(path))
        given = {name: value for name, value in (params or {}).items() if value is not None}
        request = self._request(method, url.copy_merge_params(given) if given else url, body, headers)
        for attempt in self._attempts(method, url.path):
            with attempt, nullcontext() if method in _READS else self._writing:
                return self._follow(request)
        raise AssertionError("a retry ends with an answer or an error")

    def _attempts(self, method: str, path: str) -> Iterator[tenacity.AttemptManager]:
        def may_pass(error: BaseException) -> bool:
            return is_transient(error) and (method in _READS or was_not_done(error))

        def note(state: tenacity.RetryCallState) -> None:
            reason = str(_error_of(state))
            structlog.get_logger().info(
                "A request is sent again", method=method, path=path, attempt=state.attempt_number + 1, reason=reason
            )

        return iter(
            tenacity.Retrying(
                stop=tenacity.stop_after_attempt(self._settings.attempts),
                retry=tenacity.retry_if_exception(may_pass),
                wait=self._pause,
                before_sleep=note,
                reraise=True,
            )
        )

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt: what the API asks for, or longer and longer; with jitter, so that threads spread."""
        error, longest = _error_of(state), min(self._settings.max_wait, self._left())
        asked = None if error is None else retry_after(error, longest)
        if asked is None:
            return min(_BACKOFF(state), longest)
        self._pace.pause(asked)
        return asked + random.uniform(0.0, 0.1)  # noqa: S311  # no secret

    def _follow(self, request: httpx.Request) -> httpx.Response:
        """Send a request once, and follow redirects of reads within the API."""
        response = self._send_once(request)
        for _ in range(_MOST_REDIRECTS):
            if not response.has_redirect_location:
                break
            response = self._send_once(self._redirected(request, response))
        if not response.is_success:
            raise HttpError(response, self._settings.secrets)
        return response

    def _redirected(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        target = urljoin(str(response.request.url), response.headers["Location"])
        if request.method not in _READS or _origin(target) != _origin(self._base):
            raise Redirected.of(request, target)
        return self._request(request.method, httpx.URL(target), None, request.headers)

    def _request(self, method: str, url: httpx.URL, body: Any, headers: Mapping[str, str] | None) -> httpx.Request:
        request = self._client.build_request(method, url, json=body, headers=headers)
        request.url = _LoggedUrl(url)
        return request

    def _left(self) -> float:
        return math.inf if self.time_left is None else self.time_left()

    def _send_once(self, request: httpx.Request) -> httpx.Response:
        self._pace.wait()
        left = self._left()
        if left < math.inf:
            limits = request.extensions["timeout"].items()
            request.extensions["timeout"] = {
                name: left if seconds is None else min(seconds, left) for name, seconds in limits
            }
        deadline = time.monotonic() + self._settings.total_timeout
        try:
            with closing(self._client.send(request, stream=True)) as response:
                content = b"".join(self._chunks(response, deadline))
        except (httpx.TransportError, httpx.DecodingError) as error:
            self._left()
            reason = str(error) or type(error).__name__
            raise type(error)(f"{request.method} {request.url}: {reason}", request=_without_secrets(request)) from error
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in _OF_THE_TRANSFER]
        return httpx.Response(response.status_code, headers=headers, content=content, request=_without_secrets(request))

    def _chunks(self, response: httpx.Response, deadline: float) -> Iterator[bytes]:
        size, most = 0, self._settings.max_answer_mb * 1e6
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > most:
                raise ValueError(
                    f"The answer of {response.request.url.path} is longer than {self._settings.max_answer_mb:g} MB. "
                    "Request smaller pages, or raise `max_answer_mb`."
                )
            self._left()
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout(
                    f"The answer was not complete after {self._settings.total_timeout:g} s.", request=response.request
                )
            yield chunk


def _without_secrets(request: httpx.Request) -> httpx.Request:
    """Return a request without headers, query and body, so that an error may keep it."""
    return httpx.Request(request.method, str(request.url))


class _LoggedUrl(httpx.URL):
    """A URL as httpx logs it and as errors show it: without the query, which may contain personal data."""

    def __str__(self) -> str:
        return str(httpx.URL(self).copy_with(query=None))


_OF_THE_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that describe the bytes on the wire, which are decoded now."""


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _tls(settings: HttpSettings) -> bool | ssl.SSLContext:
    if settings.url.scheme != "https" and settings.proxy is None:
        return False  # to read the certificates takes a tenth of a second
    if settings.verify is False:
        structlog.get_logger().warning(
            "Certificates are not verified, so anyone on the network can read the credentials. Set `verify` to the file of the certificate authority.",
            url=str(settings.url),
        )
    if isinstance(settings.verify, bool) and settings.client_certificate is None:
        return settings.verify
    for name in ("verify", "client_certificate", "client_key"):
        file = getattr(settings, name)
        if not isinstance(file, bool | None) and not file.is_file():
            raise ValueError(f"`{name}`: there is no file {file}.")
    return _context(settings)


def _context(settings: HttpSettings) -> ssl.SSLContext:
    verify = settings.verify
    if isinstance(verify, bool):
        context = httpx.create_ssl_context(verify=verify, trust_env=settings.trust_environment)
    else:
        context = ssl.create_default_context(cafile=str(verify))
    if settings.client_certificate is not None:
        context.load_cert_chain(settings.client_certificate, settings.client_key)
    return context
