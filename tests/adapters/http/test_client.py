import json
import logging
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from diffsync_store.adapters.http import HttpClient, HttpError, HttpSettings, NotJson, Redirected
from diffsync_store.adapters.http.pace import Pace
from diffsync_store.transient import is_transient, was_not_done
from tests.certificates import Certificates
from tests.http_service import CUT, DROP, STALL, Answer, Failure, HttpService, Request

SECRET = "s3cr3t-t0k3n"


class Echo(HttpService):
    """Answers with what it has received."""

    def respond(self, request: Request) -> Answer:
        content = {"method": request.method, "path": request.path, "headers": dict(request.headers)}
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(content).encode())


class Fixed(HttpService):
    """Gives each path its answer."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__()
        self.answers = answers

    def respond(self, request: Request) -> Answer:
        return self.answers.get(request.path, Answer(404))


opened: list[HttpClient] = []


def client_at(url: str, **settings: Any) -> HttpClient:
    client = HttpClient(HttpSettings.model_validate({"url": url, **settings}))
    opened.append(client)
    return client


def client_of(service: HttpService, **settings: Any) -> HttpClient:
    return client_at(service.url, **settings)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as service:
        yield service


# Credentials

CREDENTIALS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "authorization", ""),
    ({"token": SECRET}, "authorization", f"Bearer {SECRET}"),
    ({"token": SECRET, "token_scheme": "Token"}, "authorization", f"Token {SECRET}"),
    ({"token": SECRET, "token_scheme": ""}, "authorization", SECRET),
    ({"token": f"{SECRET}\n"}, "authorization", f"Bearer {SECRET}"),
    ({"token": SECRET, "token_header": "X-API-Key"}, "x-api-key", SECRET),
    ({"username": "me", "password": SECRET}, "authorization", "Basic bWU6czNjcjN0LXQwazNu"),
    ({"headers": {"X-Tenant": "blue"}}, "x-tenant", "blue"),
]


@pytest.mark.parametrize(("settings", "header", "value"), CREDENTIALS)
def test_credentials_travel_in_headers(echo: Echo, settings: dict[str, Any], header: str, value: str) -> None:
    answer = client_of(echo, **settings).get_json("devices/")
    assert answer["headers"].get(header, "") == value
    assert answer["path"] == "/devices/"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"url": f"https://me:{SECRET}@127.0.0.1/"}, "credentials"),
    ({"url": f"https://127.0.0.1/?key={SECRET}"}, "query"),
    ({"token": SECRET, "username": "me"}, "cannot be used together"),
    ({"token": "  "}, "empty"),
    ({"token": f"{SECRET}\nX: y"}, "printable"),
    ({"headers": {"X-Key": f"{SECRET}å"}}, "printable"),
    ({"password": SECRET}, "needs `username`"),
    ({"token": [SECRET]}, "valid string"),
    ({"tokn": SECRET}, "tokn"),
    ({"client_key": "x"}, "client_certificate"),
]


@pytest.mark.parametrize(("settings", "words"), WRONG)
def test_wrong_settings_are_named_without_their_secrets(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        HttpSettings.model_validate({"url": "https://127.0.0.1/", **settings})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_no_log_and_no_error_contains_a_secret(caplog: pytest.LogCaptureFixture, level: int) -> None:
    caplog.set_level(level)
    secrets = {"token": SECRET, "headers": {"X-Second": f"2-{SECRET}"}}

    class Repeats(HttpService):
        def respond(self, request: Request) -> Answer:
            body = json.dumps({"detail": f"Wrong token {request.headers['authorization']}"}).encode()
            return Answer(401, {"Content-Type": "application/json"}, body)

    with Repeats(failures=[503]) as service, capture_logs() as logged:
        client = client_of(service, **secrets)
        with pytest.raises(
            HttpError, match=r"GET /devices/ answered 401 Unauthorized: Wrong token Bearer \*\*\*"
        ) as caught:
            client.get("devices/", {"password": SECRET})
    assert caplog.records
    assert (
        SECRET not in f"{caplog.text}{logged}{caught.value!r}{caught.value}{caught.value.details}{client._settings!r}"
    )


def test_errors_can_be_pickled_and_keep_no_secret() -> None:
    errors: list[Exception] = []
    with Fixed(
        {
            "/page": Answer(200, {"Content-Type": "text/html"}, b"<p>Log in</p>"),
            "/away": Answer(302, {"Location": "http://x/"}),
        }
    ) as service:
        client = client_of(service, token=SECRET, attempts=1)
        for path in ("nowhere", "page", "away"):
            with pytest.raises(Exception) as caught:  # noqa: PT011  # each has its own class
                client.get_json(path, {"q": SECRET})
            errors.append(caught.value)
        service.failures[:] = [DROP]
        with pytest.raises(httpx.TransportError) as lost:
            client.send("POST", "devices/", body={"password": SECRET})
        errors.append(lost.value)
    for error in errors:
        content = pickle.dumps(error)
        copy = pickle.loads(content)
        assert (type(copy), str(copy)) == (type(error), str(error))
        assert is_transient(copy) == is_transient(error)
        assert SECRET.encode() not in content


def test_a_token_is_fetched_once_and_renewed_when_it_is_refused() -> None:
    class Issuer(HttpService):
        """Issues tokens, of which it accepts the second."""

        issued = 0

        def respond(self, request: Request) -> Answer:
            if request.path == "/token":
                assert request.headers["authorization"].startswith("Basic ")
                assert request.body == b"grant_type=client_credentials&scope=read"
                self.issued += 1
                body = {"access_token": f"token-{self.issued}", "expires_in": 3600}
                return Answer(200, {}, json.dumps(body).encode())
            return Answer(200 if request.headers["authorization"] == "Bearer token-2" else 401, {}, b"[]")

    with Issuer() as service:
        oauth2 = {"token_url": f"{service.url}/token", "client_id": "me", "client_secret": SECRET, "scope": "read"}
        client = client_of(service, oauth2=oauth2)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: client.get_json("devices/"), range(8))) == [[]] * 8
        assert service.issued == 2


def test_a_refused_client_is_an_error_without_its_secret() -> None:
    with HttpService(failures=[(401, {})]) as service:
        oauth2 = {"token_url": f"{service.url}/token", "client_id": "me", "client_secret": SECRET}
        with pytest.raises(HttpError, match="POST /token answered 401") as caught:
            client_of(service, oauth2=oauth2).get("devices/")
    assert SECRET not in str(caught.value)


def test_cookies_are_not_kept() -> None:
    with Fixed(
        {"/a": Answer(200, {"Set-Cookie": "session=1; Path=/"}, b"[]"), "/b": Answer(200, {}, b"[]")}
    ) as service:
        client = client_of(service)
        client.get("a")
        client.get("b")
        assert "cookie" not in service.received[1].headers


# Retries


@pytest.mark.parametrize("how", [500, 502, 503, 429, DROP, CUT])
def test_a_read_is_sent_again_after_a_transient_failure(how: Failure) -> None:
    with HttpService(failures=[how, how]) as service:
        assert client_of(service).get_json("devices/") == []
        assert len(service.requests) == 3


@pytest.mark.parametrize("how", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_not_sent_again(how: int) -> None:
    with HttpService(failures=[how]) as service, pytest.raises(HttpError, match=f"answered {how}"):
        client_of(service).get("devices/")
    assert len(service.requests) == 1


def test_the_number_of_attempts_ends() -> None:
    with HttpService(failures=[500] * 9) as service, pytest.raises(HttpError) as caught:
        client_of(service, attempts=3).get("devices/")
    assert len(service.requests) == 3
    assert is_transient(caught.value)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("how", [500, 502, 503, (503, {"Retry-After": "0"}), DROP, CUT])
def test_a_write_that_may_have_been_done_is_not_sent_again(method: str, how: Failure) -> None:
    with HttpService(failures=[how]) as service, pytest.raises((HttpError, httpx.TransportError)) as caught:
        client_of(service).send(method, "devices/", body={"name": "a"})
    assert len(service.requests) == 1
    assert is_transient(caught.value)
    assert not was_not_done(caught.value)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_write_that_was_not_done_is_sent_again_with_its_body(method: str) -> None:
    with HttpService(failures=[(429, {"Retry-After": "0"}), 429]) as service:
        client_of(service).send(method, "devices/", body={"name": "a"})
        assert [(each.method, each.body) for each in service.received] == [(method, b'{"name":"a"}')] * 3


def test_a_host_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(httpx.ConnectError, match=f"POST {url}/devices/: ") as caught:
        client_at(url, attempts=2).send("POST", "devices/", body={})
    assert was_not_done(caught.value)


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_kept_up_to_the_limit(as_date: bool) -> None:
    asked = formatdate(time.time() + 3600, usegmt=True) if as_date else "3600"
    with HttpService(failures=[(429, {"Retry-After": asked})]) as service:
        started = time.monotonic()
        client_of(service, max_wait=0.3).get("devices/")
        assert 0.3 <= time.monotonic() - started < 200


def test_retry_after_pauses_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    is_heard, pause = threading.Event(), Pace.pause

    def hear(pace: Pace, seconds: float) -> None:
        pause(pace, seconds)
        is_heard.set()

    monkeypatch.setattr(Pace, "pause", hear)
    with HttpService(failures=[(429, {"Retry-After": "1"})]) as service:
        client = client_of(service)
        first = threading.Thread(target=client.get, args=("devices/",))
        started = time.monotonic()
        first.start()
        assert is_heard.wait(100)
        client.get("sites/")
        assert time.monotonic() - started > 0.99
        first.join()


# Limits


def test_threads_share_a_client_and_its_rate() -> None:
    with HttpService() as service:
        client = client_of(service, max_calls_per_second=50)
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: client.get_json("devices/"), range(26))) == [[]] * 26
        assert time.monotonic() - started >= 25 / 50


def test_an_answer_that_does_not_come_is_lost() -> None:
    with HttpService(failures=[STALL]) as service:
        client = client_of(service, timeout=0.2, attempts=1)
        with pytest.raises(httpx.ReadTimeout, match=f"GET {service.url}/devices/: ") as caught:
            client.get("devices/")
        assert is_transient(caught.value)


def test_an_answer_in_small_pieces_ends_at_the_total_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not stop.wait(0.05):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        client = client_at(f"http://127.0.0.1:{server.getsockname()[1]}", total_timeout=0.3, attempts=1)
        with pytest.raises(httpx.ReadTimeout, match="was not complete after"):
            client.get("devices/")
        stop.set()
        thread.join()


def test_a_huge_answer_is_refused() -> None:
    with HttpService(lambda _: b"[" + b" " * 200_000 + b"]") as service:
        assert client_of(service, max_answer_mb=1).get_json("devices/") == []
        with pytest.raises(ValueError, match=r"longer than 0.1 MB. Request smaller pages"):
            client_of(service, max_answer_mb=0.1).get("devices/")


# Addresses


def test_parameters_join_those_of_the_path(echo: Echo) -> None:
    client = client_of(echo)
    assert client.get_json("devices/?site=1", {"limit": 5, "tag": ["a", "b"], "no": None})["path"] == (
        "/devices/?site=1&limit=5&tag=a&tag=b"
    )
    assert client.get_json(f"{echo.url}/devices/?after=2")["path"] == "/devices/?after=2"


@pytest.mark.parametrize("link", ["http://other.invalid/devices/", "//other.invalid/x", "http://127.0.0.1:1/devices/"])
def test_a_link_to_another_host_is_refused(echo: Echo, link: str) -> None:
    with pytest.raises(ValueError, match="The API links to http://"):
        client_of(echo, token=SECRET).get(link)
    assert not echo.requests


def test_a_read_is_redirected_within_the_host_only() -> None:
    with Echo() as other:
        answers = {
            "/old": Answer(301, {"Location": "/new/"}),
            "/new/": Answer(200, {}, b"[1]"),
            "/away": Answer(302, {"Location": f"{other.url}/new/?token=x"}),
            "/round": Answer(302, {"Location": "/round"}),
        }
        with Fixed(answers) as service:
            client = client_of(service, token=SECRET)
            assert client.get_json("old") == [1]
            assert service.received[-1].headers["authorization"] == f"Bearer {SECRET}"
            with pytest.raises(
                Redirected, match=r"GET /away is redirected to http://127.0.0.1/new/, which is not followed"
            ):
                client.get("away")
            with pytest.raises(Redirected, match="POST /old"):
                client.send("POST", "old", body={})
            with pytest.raises(HttpError, match="answered 302"):
                client.get("round")
        assert not other.requests


def test_proxies_of_the_environment_are_used_only_if_the_settings_say_so(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Fixed({}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert client_of(echo, token=SECRET).get_json("devices/")["path"] == "/devices/"
        assert not proxy.requests
        with pytest.raises(HttpError):
            client_of(echo, trust_environment=True).get("devices/")
        with pytest.raises(HttpError):
            client_of(echo, proxy=proxy.url).get("devices/")
        assert len(proxy.requests) == 2


# Answers


REASONS: list[tuple[bytes, str]] = [
    (b'{"detail": "No rights."}', ": No rights.$"),
    (b'{"name": ["Too long.", "Odd."], "site": {"id": ["Unknown."]}}', ": name: Too long.; Odd.; site: id: Unknown.$"),
    (b'{"errors": [{"field": "name", "message": "Too long."}]}', "Too long"),
    (b"<html><style>b {}</style><h1>Bad\n gateway</h1></html>", ": Bad gateway$"),
    (b"no", ": no$"),
    (b"", "$"),
]


@pytest.mark.parametrize(("body", "words"), REASONS)
def test_the_reason_of_a_refusal_is_one_line(body: bytes, words: str) -> None:
    start = "^POST /devices/ answered 400 Bad Request.*"
    with (
        Fixed({"/devices/": Answer(400, {}, body)}) as service,
        pytest.raises(HttpError, match=start + words) as caught,
    ):
        client_of(service).send("POST", "devices/", body={})
    assert "\n" not in str(caught.value)


def test_a_long_reason_is_cut() -> None:
    with Fixed({"/devices/": Answer(400, {}, b"x" * 100_000)}) as service, pytest.raises(HttpError) as caught:
        client_of(service).get("devices/")
    assert len(str(caught.value)) < 600


def test_an_answer_that_is_not_json_says_what_it_is() -> None:
    page = Answer(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html><title>Log in</title></html>")
    with Fixed({"/devices/": page, "/nothing/": Answer(204)}) as service:
        with pytest.raises(
            NotJson, match=r"with text/html instead of JSON: 'Log in'. Correct `url`, or the credentials"
        ):
            client_of(service).get_json("devices/")
        assert client_of(service).get_json("nothing/") is None


# TLS


def test_certificates_are_verified_by_the_given_authority() -> None:
    with Certificates() as made:
        service = Echo().with_certificate(made.file("server", "crt"), made.file("server", "key"))
        with service:
            with pytest.raises(httpx.ConnectError) as caught:
                client_of(service).get("devices/")
            assert not is_transient(caught.value)
            assert client_of(service, verify=made.file("ca", "crt")).get_json("devices/")["method"] == "GET"
            with capture_logs() as logged:
                client = client_of(service, verify=False)
                client.get("devices/")
                client.get("devices/")
            assert [entry["event"][:30] for entry in logged] == ["Certificates are not verified,"]


def test_a_client_shows_its_certificate() -> None:
    with Certificates() as made:
        own = {"certificate": made.file("server", "crt"), "key": made.file("server", "key")}
        with Echo().with_certificate(**own, authority_of_clients=made.file("ca", "crt")) as service:
            trust = {"verify": made.file("ca", "crt"), "attempts": 1}
            client = {"client_certificate": made.file("client", "crt"), "client_key": made.file("client", "key")}
            assert client_of(service, **trust, **client).get_json("devices/")["method"] == "GET"
            with pytest.raises(httpx.TransportError):
                client_of(service, **trust).get("devices/")


def test_a_missing_file_of_certificates_is_named() -> None:
    with pytest.raises(ValueError, match=r"`verify`: there is no file nowhere.pem"):
        client_at("https://127.0.0.1/", verify="nowhere.pem")
