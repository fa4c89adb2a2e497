"""Sign in with a provider over real HTTP, and what a wrong answer or a prepared session does."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import itsdangerous
import pytest
from starlette.testclient import TestClient

from tests.serve.oidc_provider import Faults, OidcProvider, signed_by_other_key, signed_by_secret, unsigned
from tests.serve.small_app import ORIGIN, client

KEY = "k" * 40
ROLES = {"read": ["*"], "start": ["network"], "approve": ["leads"]}
COOKIE = "diffsync-session"


@pytest.fixture(scope="module")
def running() -> Iterator[OidcProvider]:
    with OidcProvider() as provider:
        yield provider


@pytest.fixture
def provider(running: OidcProvider) -> OidcProvider:
    running.faults, running.user, running.groups_in_token = Faults(), "alice", True
    return running


@pytest.fixture
def page(provider: OidcProvider) -> TestClient:
    return client({"oidc": provider.settings, "roles": ROLES, "session_key": KEY})


def go_to_provider(page: TestClient, after: str = "/who") -> str:
    """Begin to sign in; return the address at which the provider sends the person back."""
    begun = page.get("/sign-in", params={"next": after})
    assert begun.status_code == 302, begun.text
    back = httpx2.get(begun.headers["location"], timeout=100).headers["location"]
    assert back.startswith(f"{ORIGIN}/sign-in/callback?")
    return back.removeprefix(ORIGIN)


def sign_in(page: TestClient, after: str = "/who") -> Any:
    return page.get(go_to_provider(page, after))


def test_a_person_signs_in_decides_and_signs_out(page: TestClient, provider: OidcProvider) -> None:
    begun = page.get("/who")
    assert (begun.status_code, begun.headers["location"]) == (303, "/sign-in?next=%2Fwho")
    done = sign_in(page)
    assert (done.status_code, done.headers["location"]) == (303, f"{ORIGIN}/who")
    who = page.get("/who").json()
    assert (who["name"], who["roles"], who["source"]) == ("alice", ["approve", "read"], "oidc")
    headers = {"Origin": ORIGIN}
    decided = page.post("/decide", data={"decision": "approve", "csrf_token": who["csrf"]}, headers=headers)
    assert decided.json() == {"decision": "approve", "by": "alice"}
    copy = page.cookies[COOKIE]
    out = page.post("/sign-out", data={"csrf_token": who["csrf"]}, headers=headers)
    assert out.headers["location"] == f"{ORIGIN}/signed-out"
    assert f"{provider.issuer}/end" in page.get("/signed-out").text
    assert page.get("/api/v1/who").status_code == 401
    page.cookies.set(COOKIE, copy, domain="127.0.0.1")
    assert page.get("/api/v1/who").status_code == 401


def test_groups_of_the_userinfo_count_if_the_token_has_none(page: TestClient, provider: OidcProvider) -> None:
    provider.groups_in_token = False
    sign_in(page)
    assert page.get("/who").json()["roles"] == ["approve", "read"]


def test_a_person_of_no_listed_group_has_no_more_than_everybody(page: TestClient, provider: OidcProvider) -> None:
    provider.user = "mallory"
    sign_in(page)
    assert page.get("/who").json()["roles"] == ["read"]


def test_an_api_request_is_not_led_to_the_sign_in(page: TestClient) -> None:
    assert page.get("/api/v1/who").status_code == 401


WRONG = {
    "another nonce": Faults(claims={"nonce": "other"}),
    "no nonce": Faults(claims={"nonce": None}),
    "another audience": Faults(claims={"aud": "another-client"}),
    "a list without this audience": Faults(claims={"aud": ["another-client"]}),
    "no audience": Faults(claims={"aud": None}),
    "another issuer": Faults(claims={"iss": "http://127.0.0.1:1"}),
    "no issuer": Faults(claims={"iss": None}),
    "expired": Faults(claims={"exp": 1_700_000_000}),
    "no end": Faults(claims={"exp": None}),
    "of the future": Faults(claims={"iat": 10_000_000_000, "exp": 10_000_000_300}),
    "for another party": Faults(claims={"azp": "another-client", "aud": ["diffsync-store", "another-client"]}),
    "no name": Faults(claims={"preferred_username": None}),
    "a list of names": Faults(claims={"preferred_username": ["alice"]}),
    "an invisible name": Faults(claims={"preferred_username": "al\u202eice"}),
    "the groups of another": Faults(claims={"groups": None}, userinfo={"sub": "id-of-bob", "groups": ["leads"]}),
    "not signed": Faults(sign=unsigned),
    "signed by the client's secret": Faults(sign=signed_by_secret),
    "signed by another key": Faults(sign=signed_by_other_key),
    "not a token": Faults(sign=lambda _: "not.a.token"),
    "empty": Faults(sign=lambda _: ""),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_answer_of_the_provider_signs_nobody_in(page: TestClient, provider: OidcProvider, kind: str) -> None:
    provider.faults = WRONG[kind]
    refused = sign_in(page)
    assert refused.status_code == 403, refused.text
    assert page.get("/api/v1/who").status_code == 401


def test_a_provider_that_names_another_issuer_is_refused(page: TestClient, provider: OidcProvider) -> None:
    provider.faults = Faults(issuer="https://id.example.com")
    refused = page.get("/sign-in")
    assert refused.status_code == 502
    assert "another issuer" in refused.text


def test_a_provider_that_does_not_answer_is_said() -> None:
    page = client({"oidc": {"issuer": "http://127.0.0.1:1", "client_id": "x"}})
    refused = page.get("/sign-in")
    assert refused.status_code == 502
    assert "does not answer" in refused.text


@pytest.mark.parametrize("change", ["other state", "no state", "other browser", "no code", "other code"])
def test_a_callback_that_this_browser_did_not_ask_for_is_refused(page: TestClient, change: str) -> None:
    back = go_to_provider(page)
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    if change == "other browser":
        page.cookies.clear()
    changes = {
        "other state": {"state": "x"},
        "no state": {"state": ""},
        "no code": {"code": ""},
        "other code": {"code": "x"},
    }
    refused = page.get("/sign-in/callback", params={**query, **changes.get(change, {})})
    assert refused.status_code == 403
    assert page.get("/api/v1/who").status_code == 401


def test_a_callback_counts_once(page: TestClient) -> None:
    back = go_to_provider(page)
    assert page.get(back).status_code == 303
    assert page.get(back).status_code == 403


def test_an_error_of_the_provider_is_shown_without_its_text(page: TestClient) -> None:
    go_to_provider(page)
    query = {"error": "access_denied", "error_description": "<script>alert(1)</script>"}
    refused = page.get("/sign-in/callback", params=query)
    assert "access_denied" in refused.text
    assert "alert" not in refused.text
    assert "alert" not in page.get("/sign-in/callback", params={"error": "<script>alert(1)</script>"}).text


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil.example", "/sign-out"])
def test_the_sign_in_leads_to_no_other_site(page: TestClient, after: str) -> None:
    assert sign_in(page, after).headers["location"] == f"{ORIGIN}/"


def test_a_session_that_somebody_prepared_is_replaced(page: TestClient) -> None:
    sign_in(page)
    first, token = page.cookies[COOKIE], page.get("/who").json()["csrf"]
    sign_in(page)
    assert page.cookies[COOKIE] != first
    assert page.get("/who").json()["csrf"] != token


def signed(session: dict[str, Any], key: str) -> str:
    return itsdangerous.TimestampSigner(key).sign(b64encode(json.dumps(session).encode())).decode()


def content(cookie: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b64decode(cookie.rsplit(".", 2)[0]))
    return found


def test_a_forged_or_expired_cookie_is_nobody(page: TestClient) -> None:
    sign_in(page)
    own = content(page.cookies[COOKIE])
    cookies = {
        "other key": signed(own, "x" * 40),
        "no signature": b64encode(json.dumps(own).encode()).decode(),
        "changed": b64encode(json.dumps({**own, "name": "root"}).encode()).decode()
        + page.cookies[COOKIE][page.cookies[COOKIE].index(".") :],
        "expired": signed({**own, "expires": time.time() - 1}, KEY),
        "no end": signed({name: value for name, value in own.items() if name != "expires"}, KEY),
        "empty": "",
        "null": "null",
    }
    for kind, cookie in cookies.items():
        page.cookies.clear()
        page.cookies.set(COOKIE, cookie, domain="127.0.0.1")
        assert page.get("/api/v1/who").status_code == 401, kind
    page.cookies.clear()
    page.cookies.set(COOKIE, signed(own, KEY), domain="127.0.0.1")
    assert page.get("/api/v1/who").json()["name"] == "alice"


def test_the_cookie_holds_no_token_and_only_the_listed_groups(page: TestClient, provider: OidcProvider) -> None:
    provider.faults = Faults(claims={"groups": ["leads", *(f"group-{number}" for number in range(500))]})
    sign_in(page)
    cookie = page.cookies[COOKIE]
    assert len(cookie) < 1000
    assert content(cookie)["groups"] == ["leads"]
    assert content(cookie).keys() <= {"id", "name", "groups", "expires"}


def test_sign_ins_are_limited(page: TestClient) -> None:
    codes = [page.get("/sign-in").status_code for _ in range(11)]
    assert codes == [302] * 10 + [429]


def test_a_secret_of_the_provider_is_in_no_address_of_the_browser(page: TestClient) -> None:
    begun = page.get("/sign-in")
    assert "client-secret" not in begun.headers["location"]
    assert "code_verifier" not in begun.headers["location"]
