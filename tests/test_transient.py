"""Which errors of real clients of a real service are transient, and when to retry."""

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest
import requests
import urllib3

from diffsync_store import ObjectNotCreated
from diffsync_store.exceptions import OutcomeUnknown
from diffsync_store.transient import LONGEST_WAIT, is_transient, retry_after, status_of, was_not_done
from tests.certificates import Certificates
from tests.http_service import CUT, DROP, STALL, Failure, HttpService

SECONDS = 0.3
Get = Callable[[str], object]


def get_by_httpx(url: str) -> object:
    return httpx.get(url, timeout=SECONDS, trust_env=False).raise_for_status()


def get_by_requests(url: str) -> object:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=SECONDS)
        answer.raise_for_status()
        return answer.content


def get_by_urllib3(url: str) -> object:
    with urllib3.PoolManager(retries=False, timeout=SECONDS) as pool:
        answer = pool.request("GET", url)
        if answer.status >= 400:
            raise RefusedError(answer)
        return answer.data


def get_by_urllib3_with_a_retry(url: str) -> object:
    with urllib3.PoolManager(retries=urllib3.Retry(1, status_forcelist=[500, 503]), timeout=SECONDS) as pool:
        return pool.request("GET", url).data


def get_by_urllib(url: str) -> object:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=SECONDS) as answer:
        return answer.read()


def get_by_http_client(url: str) -> object:
    host = url.split("//", 1)[1].split("/", 1)[0]
    is_tls = url.startswith("https")
    made = (http.client.HTTPSConnection if is_tls else http.client.HTTPConnection)(host, timeout=SECONDS)
    try:
        made.request("GET", "/")
        answer = made.getresponse()
        if answer.status >= 400:
            raise RefusedError(answer)
        return answer.read()
    finally:
        made.close()


class RefusedError(Exception):
    """An exception of a user's own client."""

    def __init__(self, response: Any) -> None:
        super().__init__("refused")
        self.response = response


CLIENTS = [
    *(get_by_httpx, get_by_requests, get_by_urllib3, get_by_urllib3_with_a_retry, get_by_urllib, get_by_http_client)
]
WITH_STATUS = [get for get in CLIENTS if get is not get_by_urllib3_with_a_retry]
by_each_client = pytest.mark.parametrize("get", CLIENTS)


def failure(get: Get, url: str) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each client has its own
        get(url)
    if isinstance(caught.value, urllib.error.HTTPError):
        caught.value.close()
    return caught.value


def failing(get: Get, how: Failure) -> Exception:
    with HttpService(failures=[how] * 2) as service:
        return failure(get, service.url)


@by_each_client
@pytest.mark.parametrize("how", [DROP, CUT, STALL])
def test_a_lost_answer_is_transient_and_may_have_been_applied(get: Get, how: str) -> None:
    error = failing(get, how)
    assert is_transient(error), repr(error)
    assert not was_not_done(error)


@by_each_client
def test_an_unreachable_service_is_transient_and_has_applied_nothing(get: Get) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://nobody.invalid"):
        error = failure(get, url)
        assert is_transient(error), repr(error)
        assert was_not_done(error), repr(error)


def test_an_exception_may_say_that_nothing_was_done() -> None:
    error = RuntimeError("rolled back")
    error.was_not_done = True  # type: ignore[attr-defined]
    assert was_not_done(error)
    unknown = OutcomeUnknown("Other calls were done.")
    unknown.__cause__ = ConnectionRefusedError()
    assert not was_not_done(unknown)


@pytest.mark.parametrize("get", WITH_STATUS)
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_busy_or_failing_service_is_transient(get: Get, status: int) -> None:
    error = failing(get, status)
    assert is_transient(error), repr(error)
    assert was_not_done(error) is (status < 500)
    assert status_of(error) == status


@pytest.mark.parametrize("get", WITH_STATUS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 412, 422, 451])
def test_a_refusal_is_not_transient(get: Get, status: int) -> None:
    assert not is_transient(failing(get, status))


def test_a_failure_after_the_clients_own_retries_is_transient() -> None:
    assert is_transient(failing(get_by_urllib3_with_a_retry, 503))


@by_each_client
def test_an_untrusted_certificate_is_not_transient(get: Get) -> None:
    with Certificates() as made:
        service = HttpService().with_certificate(made.file("server", "crt"), made.file("server", "key"))
        with service:
            error = failure(get, service.url)
    assert not is_transient(error), repr(error)


@pytest.mark.parametrize("get", WITH_STATUS)
def test_retry_after_is_read(get: Get) -> None:
    assert retry_after(failing(get, (429, {"Retry-After": "7"}))) == 7
    assert retry_after(
        failing(get, (503, {"retry-after": formatdate(time.time() + 90, usegmt=True)}))
    ) == pytest.approx(90, abs=2)
    assert retry_after(failing(get, (503, {"Retry-After": formatdate(time.time() - 90, usegmt=True)}))) == 0
    assert retry_after(failing(get, (429, {"Retry-After": "86400"}))) == LONGEST_WAIT
    for nonsense in ("soon", "", "inf", "nan", "Thu, 99 Nov 2026 25:00:00 GMT"):
        assert retry_after(failing(get, (429, {"Retry-After": nonsense}))) is None
    assert retry_after(failing(get, 503)) is None
    assert not was_not_done(failing(get, (503, {"Retry-After": "1"})))  # probably from a proxy


def caught(raising: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as found:  # noqa: PT011  # the test looks at it
        raising()
    return found.value


def test_an_error_with_a_transient_cause_is_transient() -> None:
    lost = failing(get_by_httpx, DROP)

    pages: dict[str, str] = {}

    def wrapped() -> None:
        raise RuntimeError("page 7") from lost

    def refused() -> None:
        raise ObjectNotCreated("site a") from lost

    def raised_during_handling() -> None:
        try:
            raise lost
        except httpx.HTTPError:
            raise RuntimeError("page 7")  # noqa: B904

    def hidden() -> None:
        try:
            raise lost
        except httpx.HTTPError:
            raise RuntimeError("page 7") from None

    def with_an_unrelated_error() -> object:
        try:
            raise lost
        except httpx.HTTPError:
            return pages["next"]

    assert is_transient(caught(wrapped))
    assert is_transient(caught(refused))
    assert is_transient(caught(raised_during_handling))
    assert not is_transient(caught(hidden))
    assert not is_transient(caught(with_an_unrelated_error))


def test_a_group_is_transient_if_all_its_errors_are() -> None:
    lost, wrong = ConnectionResetError("gone"), ValueError("mtu")
    assert is_transient(ExceptionGroup("pages", [lost, TimeoutError()]))
    assert not is_transient(ExceptionGroup("pages", [lost, wrong]))


@pytest.mark.parametrize(
    "error",
    [
        *(ValueError("mtu"), KeyError("mtu"), TypeError("mtu"), RuntimeError("mtu"), AssertionError()),
        *(FileNotFoundError("airports.csv"), PermissionError("airports.csv"), OSError(28, "No space left on device")),
        *(httpx.UnsupportedProtocol("ftp"), httpx.TooManyRedirects("20"), requests.exceptions.InvalidURL("http://")),
        *(urllib.error.URLError("unknown url type: ftp"), ssl.SSLCertVerificationError("self-signed")),
    ],
)
def test_other_errors_are_not_transient(error: Exception) -> None:
    assert not is_transient(error)
    assert not was_not_done(error)
    assert retry_after(error) is None


@pytest.mark.parametrize("code", [113, 101, 100])
def test_a_network_failure_is_transient(code: int) -> None:
    assert is_transient(OSError(code, "unreachable"))
    assert was_not_done(OSError(code, "unreachable"))


class ThrottledError(Exception):
    is_transient = True
    retry_after = 2.5


class LockedOutError(ConnectionError):
    is_transient = False


def test_an_exception_can_declare_itself_transient() -> None:
    assert is_transient(ThrottledError())
    assert retry_after(ThrottledError()) == 2.5
    assert not is_transient(LockedOutError())


class AdapterOfQueues:
    transient_errors: Any = (BlockingIOError, KeyError)


def test_an_adapter_can_add_transient_errors_or_have_none() -> None:
    adapter = AdapterOfQueues()
    assert is_transient(BlockingIOError(), adapter)
    assert is_transient(ConnectionResetError(), adapter)
    assert not is_transient(ValueError(), adapter)
    adapter.transient_errors = BlockingIOError
    assert is_transient(BlockingIOError(), adapter)
    adapter.transient_errors = None
    assert not is_transient(ConnectionResetError(), adapter)
    assert not is_transient(ThrottledError(), adapter)


class CutError(Exception):
    """Like the error of aiohttp for an incomplete answer."""

    status = 400


def test_an_error_below_a_lost_connection_is_not_an_answer_of_the_service() -> None:
    lost = ConnectionResetError("gone")
    lost.__cause__ = CutError()
    assert is_transient(lost)
    assert not is_transient(CutError())


class HostileError(Exception):
    """An exception whose properties raise."""

    @property
    def response(self) -> object:
        raise RuntimeError("no response yet")

    @property
    def headers(self) -> object:
        raise RuntimeError("no response yet")


def test_an_exception_whose_properties_raise_is_handled() -> None:
    assert not is_transient(HostileError())
    assert retry_after(HostileError()) is None
    circle = RuntimeError("a")
    circle.__cause__ = RuntimeError("b")
    circle.__cause__.__cause__ = circle
    assert not is_transient(circle)
