"""What stands in front of the routes: each attack is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from diffsync_store.serve.security.addresses import forwarded_address
from diffsync_store.serve.security.audit import LOGGER
from diffsync_store.serve.security.body_limit import MAX_BODY
from diffsync_store.serve.security.rate_limit import MAX_KEYS, Limit, RateLimits
from tests.serve.small_app import ORIGIN, client
from tests.serve.test_identity import PROXY

ALICE = {"X-Forwarded-User": "alice"}
PROXIED = {"proxy": PROXY, "roles": {"approve": ["user:alice", "user:bob"]}}


@pytest.fixture
def page() -> Any:
    return client(PROXIED)


def token_of(page: Any, name: str = "alice") -> str:
    token: str = page.get("/who", headers={"X-Forwarded-User": name}).json()["csrf"]
    return token


def decide(page: Any, token: str | None, **headers: str) -> Any:
    data = {"decision": "approve"} | ({} if token is None else {"csrf_token": token})
    return page.post("/decide", data=data, headers={**ALICE, "Origin": ORIGIN, **headers})


# Cross-site requests


def test_a_form_with_its_token_is_accepted(page: Any) -> None:
    assert decide(page, token_of(page)).json() == {"decision": "approve", "by": "alice"}


def test_a_token_in_a_header_is_accepted(page: Any) -> None:
    assert decide(page, None, **{"X-CSRF-Token": token_of(page)}).status_code == 200


def test_the_referer_is_enough_where_a_browser_sends_no_origin(page: Any) -> None:
    headers = {**ALICE, "Referer": f"{ORIGIN}/diffs/x"}
    done = page.post("/decide", data={"csrf_token": token_of(page)}, headers=headers)
    assert done.status_code == 200


@pytest.mark.parametrize("token", [None, "", "wrong", "\u202e"])
def test_a_form_without_the_right_token_is_refused(page: Any, token: str | None) -> None:
    token_of(page)
    refused = decide(page, token)
    assert refused.status_code == 403
    assert "no valid csrf_token" in refused.text


def test_a_form_without_a_session_is_refused(page: Any) -> None:
    token = token_of(page)
    page.cookies.clear()
    assert decide(page, token).status_code == 403


def test_the_token_of_another_person_is_refused(page: Any) -> None:
    token = token_of(page, "bob")
    assert decide(page, token).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8081"},
        {"Origin": "https://127.0.0.1:8080"},
        {"Origin": f"{ORIGIN}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_from_another_site_is_refused_even_with_a_token(page: Any, headers: dict[str, str]) -> None:
    assert decide(page, token_of(page), **headers).status_code == 403


def test_a_request_without_origin_and_referer_is_refused(page: Any) -> None:
    refused = page.post("/decide", data={"csrf_token": token_of(page)}, headers=ALICE)
    assert refused.status_code == 403
    assert "Bearer" in refused.text


def test_a_json_body_does_not_replace_the_token(page: Any) -> None:
    body = {"csrf_token": token_of(page)}
    refused = page.post("/api/v1/decide", json=body, headers={**ALICE, "Origin": ORIGIN})
    assert refused.status_code == 403


# Hosts, headers, methods


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "[::1", "127.0.0.1@evil.example"]
)
def test_another_host_name_is_refused(page: Any, host: str) -> None:
    assert page.get("/who", headers={**ALICE, "Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "LOCALHOST:1"])
def test_the_names_of_this_machine_are_accepted(page: Any, host: str) -> None:
    assert page.get("/who", headers={**ALICE, "Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/who", "/missing", "/fail", "/api/v1/decide"])
def test_every_answer_has_the_headers(path: str) -> None:
    found = client(PROXIED).get(path, headers=ALICE).headers
    policy = found["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"
    assert path == "/fail" or found["cache-control"] == "no-store"


def test_https_adds_secure_cookies_and_strict_transport() -> None:
    page = client(PROXIED, base_url="https://diffs.example.com")
    answer = page.get("/who", headers=ALICE)
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-diffsync-session=")
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "strict-transport-security" in answer.headers


def test_the_cookie_is_hidden_from_scripts_and_other_sites(page: Any) -> None:
    cookie = page.get("/who", headers=ALICE).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "max-age=28800" in cookie


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_decides_nothing(page: Any, method: str) -> None:
    headers = {**ALICE, "Origin": ORIGIN, "X-CSRF-Token": token_of(page)}
    assert page.request(method, "/api/v1/decide", headers=headers).status_code == 405


def test_the_error_of_the_server_shows_no_secret(page: Any) -> None:
    answer = page.get("/fail", headers=ALICE)
    assert answer.status_code == 500
    assert "hunter2" not in answer.text


def test_errors_of_the_api_are_problem_json(page: Any) -> None:
    answer = page.get("/api/v1/missing", headers=ALICE)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() >= {"type", "title", "status", "detail"}


def test_what_a_request_says_is_escaped_in_a_page() -> None:
    answer = client(PROXIED).get("/<script>alert(1)</script>", headers=ALICE)
    assert "<script>" not in answer.text


# Sizes and rates


def test_an_oversized_body_is_refused_by_its_length(page: Any) -> None:
    refused = page.post("/api/v1/decide", content=b"x" * (MAX_BODY + 1), headers=ALICE)
    assert refused.status_code == 413


def test_an_oversized_body_without_a_length_is_refused(page: Any) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    headers = {**ALICE, "Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
    token_of(page)
    assert page.post("/api/v1/decide", content=chunks(), headers=headers).status_code == 413


@pytest.mark.parametrize("length", ["-1", "abc", "99999999999999999999"])
def test_a_wrong_length_is_refused(page: Any, length: str) -> None:
    assert page.post("/api/v1/decide", headers={**ALICE, "Content-Length": length}).status_code == 413


def test_a_limit_finds_bursts_and_slow_searches() -> None:
    now = [0.0]
    limits = RateLimits(Limit(2, 10), Limit(4, 1000), clock=lambda: now[0])
    assert [limits.take("a"), limits.take("a")] == [0, 0]
    assert limits.take("a") == 10
    assert limits.take("b") == 0
    now[0] = 500
    assert [limits.take("a"), limits.take("a")] == [0, 0]
    now[0] = 600
    assert limits.take("a") == 400
    now[0] = 1000
    assert limits.take("a") == 0


def test_a_limit_forgets_what_is_unused_for_longest() -> None:
    limits = RateLimits(Limit(1, 1000))
    for number in range(MAX_KEYS + 1):
        limits.count(str(number))
    assert not limits.is_exhausted("0")
    assert limits.is_exhausted(str(MAX_KEYS))


def test_threads_share_a_limit() -> None:
    limits, allowed = RateLimits(Limit(50, 1000)), list[float]()
    threads = [threading.Thread(target=lambda: allowed.extend(limits.take("a") for _ in range(25))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(0) == 50


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["10.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["10.0.0.1", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1, 127.0.0.1"], "198.51.100.1"),
        ("127.0.0.1", ["<script>"], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_address_of_a_client_is_the_last_one_before_the_proxy(peer: str, forwarded: list[str], found: str) -> None:
    from ipaddress import ip_network

    assert forwarded_address(peer, forwarded, [ip_network("127.0.0.1/32")]) == found


# The log


def test_a_refused_request_is_logged_in_one_line_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    page = client(PROXIED, peer="192.0.2.7")
    headers = {b"X-Forwarded-User": "alice\u202e".encode(), b"Authorization": b"Bearer hunter2-token"}
    page.get("/who", headers=headers)
    [line] = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert line.startswith('audit request {"address": "192.0.2.7", "outcome": "refused"')
    assert "hunter2" not in caplog.text
