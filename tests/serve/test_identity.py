"""Who makes a request, and what is refused because it claims to be somebody else."""

from __future__ import annotations

import os
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from diffsync_store.project import ConfigError, Project, Role, ServeSettings, UserError
from diffsync_store.serve.identity import UnguardedRoute, require_guards
from diffsync_store.serve.identity.identity import InvalidName, checked_name
from diffsync_store.serve.identity.oidc import claim, groups_in
from diffsync_store.serve.identity.refusal import WrongToken
from diffsync_store.serve.identity.roles import RoleRules
from diffsync_store.serve.identity.routes import local_path
from diffsync_store.serve.identity.session import Sessions
from diffsync_store.serve.identity.tokens import TokenFile, add_token, hash_of, new_token, toml_lines
from diffsync_store.serve.server import with_address
from tests.serve.small_app import client

PROXY = {"header": "X-Forwarded-User", "groups_header": "X-Forwarded-Groups", "trusted": ["127.0.0.1/32"]}
ROLES: dict[Role, list[str]] = {"read": ["*"], "start": ["network"], "approve": ["leads", "user:alice"]}

RULES = RoleRules(ROLES)


def proxied(peer: str = "127.0.0.1") -> Any:
    return client({"proxy": PROXY, "roles": ROLES}, peer=peer)


# Without an identity


def test_without_identity_the_page_is_read_only_on_this_machine() -> None:
    page = client()
    assert page.get("/who").json()["roles"] == ["read"]
    refused = page.post("/decide", headers={"Origin": "http://127.0.0.1:8080"})
    assert refused.status_code == 403


def test_a_refused_decision_says_how_to_configure_an_identity() -> None:
    page = client()
    token = page.get("/who").json()["csrf"]
    headers = {"Origin": "http://127.0.0.1:8080", "X-CSRF-Token": token}
    refused = page.post("/api/v1/decide", headers=headers)
    assert refused.status_code == 403
    assert "read-only: add `serve: {identity: " in refused.json()["detail"]


def test_without_identity_another_machine_sees_nothing() -> None:
    assert client(peer="192.0.2.7").get("/api/v1/who").status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "diffs.example.com"])
def test_a_server_that_others_reach_needs_an_identity(host: str) -> None:
    with pytest.raises(ValidationError, match="add an identity"):
        ServeSettings(host=host)


def test_a_server_that_others_reach_needs_its_address() -> None:
    with pytest.raises(ValidationError, match="add base_url"):
        ServeSettings.model_validate({"host": "0.0.0.0", "identity": {"proxy": PROXY}})


def test_an_option_cannot_open_the_server_to_others() -> None:
    with pytest.raises(UserError, match="add an identity"):
        with_address(ServeSettings(), "0.0.0.0", None)
    assert with_address(ServeSettings(), "", 0).port > 0
    assert with_address(ServeSettings(), "::1", 81).origin == "http://[::1]:81"


@pytest.mark.parametrize(
    "secret", ["oidc: {issuer: 'https://id', client_id: x, client_secret: abc}", f"session_key: {'k' * 32}"]
)
def test_a_secret_in_the_file_is_refused(tmp_path: Path, secret: str) -> None:
    file = tmp_path / "syncs.yaml"
    file.write_text(f"serve: {{identity: {{{secret}}}}}\n", "utf-8")
    with pytest.raises(ConfigError, match=r"write \$\{VAR\}"):
        Project(file, {})


def test_secrets_of_the_file_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "syncs.yaml"
    file.write_text(
        "serve: {identity: {oidc: {issuer: '${ISSUER}', client_id: x, client_secret: '${OIDC_SECRET}'}}}\n", "utf-8"
    )
    project = Project(file, {"ISSUER": "https://id.example.com", "OIDC_SECRET": "hunter22"})
    oidc = project.serve_settings().identity.oidc
    assert oidc is not None
    assert oidc.client_secret is not None
    assert oidc.client_secret.get_secret_value() == "hunter22"
    assert project.secrets.redact("x hunter22") == "x ***"
    with pytest.raises(ConfigError, match="https"):
        Project(file, {"ISSUER": "http://id.example.com", "OIDC_SECRET": "hunter22"}).serve_settings()


# A proxy


def test_a_trusted_proxy_names_the_person_and_the_groups() -> None:
    found = proxied().get("/who", headers={"X-Forwarded-User": "bob", "X-Forwarded-Groups": "network, other"}).json()
    assert (found["name"], found["roles"], found["source"]) == ("bob", ["read", "start"], "proxy")


def test_a_forged_header_without_the_proxy_is_refused_and_not_ignored() -> None:
    page = proxied(peer="192.0.2.7")
    refused = page.get("/api/v1/who", headers={"X-Forwarded-User": "alice"})
    assert refused.status_code == 403
    assert "accepted from the proxy only" in refused.json()["detail"]
    assert page.get("/api/v1/who").status_code == 401


@pytest.mark.parametrize(
    "more",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "127.0.0.1, 127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"X-Forwarded-Host": "127.0.0.1:8080"},
    ],
)
def test_no_header_makes_an_address_a_trusted_one(more: dict[str, str]) -> None:
    refused = proxied(peer="192.0.2.7").get("/api/v1/who", headers={"X-Forwarded-User": "alice", **more})
    assert refused.status_code == 403


def test_groups_without_a_name_are_refused() -> None:
    assert proxied().get("/api/v1/who", headers={"X-Forwarded-Groups": "leads"}).status_code == 403


def test_two_names_are_refused() -> None:
    headers = [("X-Forwarded-User", "bob"), ("X-Forwarded-User", "alice")]
    assert proxied().get("/api/v1/who", headers=headers).status_code == 403


@pytest.mark.parametrize("name", ["", " ", "a" * 201, "al\u202eice", "al\u200bice", "alice\u00ad"])
def test_a_name_that_is_not_visible_is_refused(name: str) -> None:
    headers = {"X-Forwarded-User": name.encode()}
    assert proxied().get("/api/v1/who", headers=headers).status_code == 403
    with pytest.raises(InvalidName):
        checked_name(name)


def test_a_name_in_utf_8_is_read() -> None:
    headers = {"X-Forwarded-User": "Zoë Müller".encode()}
    assert proxied().get("/who", headers=headers).json()["name"] == "Zoë Müller"


def test_a_proxy_that_names_nobody_gives_no_role() -> None:
    assert proxied().get("/api/v1/who").status_code == 401


def test_an_ipv4_address_mapped_to_ipv6_is_the_same_address() -> None:
    page = proxied(peer="::ffff:127.0.0.1")
    assert page.get("/who", headers={"X-Forwarded-User": "bob"}).status_code == 200


@pytest.mark.parametrize("header", ["Cookie", "authorization", "X-Forwarded-For", "X User", "X_User"])
def test_a_header_with_another_meaning_cannot_name_people(header: str) -> None:
    with pytest.raises(ValidationError):
        ServeSettings.model_validate({"identity": {"proxy": {"header": header, "trusted": ["127.0.0.1/32"]}}})


# Roles


def test_a_group_passes_neither_for_a_person_nor_for_everybody() -> None:
    rules = RoleRules({"approve": ["user:alice"], "start": ["*"]})
    assert rules.roles("mallory", ["user:alice", "*"]) == {"start", "read"}
    assert rules.roles("alice", []) == {"start", "approve", "read"}
    assert rules.mentioned(["user:alice", "*"]) == []


def test_without_declared_roles_a_person_has_none() -> None:
    assert RoleRules({}).roles("alice", ["leads"]) == frozenset()


def test_a_person_without_the_role_gets_a_remedy() -> None:
    page = proxied()
    headers = {"X-Forwarded-User": "bob", "Origin": "http://127.0.0.1:8080"}
    token = page.get("/who", headers=headers).json()["csrf"]
    refused = page.post("/api/v1/decide", headers=headers | {"X-CSRF-Token": token})
    assert refused.status_code == 403
    assert "needs the role 'approve'" in refused.json()["detail"]


def test_a_route_without_a_guard_is_found_also_in_a_mounted_application() -> None:
    def open_route(request: Request) -> Response:
        return Response("")

    with pytest.raises(UnguardedRoute, match="has no guard"):
        require_guards(Starlette(routes=[Mount("/inner", routes=[Route("/x", open_route)])]).routes)


# Tokens


def token_file(folder: Path, *entries: str) -> Path:
    path = folder / "tokens.toml"
    path.write_text("\n".join(entries), "utf-8")
    path.chmod(0o600)
    return path


def with_token(folder: Path, *roles: Any) -> tuple[Any, str]:
    token = new_token()
    token_file(folder, toml_lines("ci", token, roles))
    return client({"tokens": {"file": "tokens.toml"}}, folder=folder), token


def test_a_token_has_the_roles_of_its_file(tmp_path: Path) -> None:
    page, token = with_token(tmp_path, "start")
    found = page.get("/api/v1/who", headers={"Authorization": f"Bearer {token}"}).json()
    assert (found["name"], found["roles"], found["source"], found["csrf"]) == ("ci", ["read", "start"], "token", "")


def test_a_token_decides_without_a_csrf_token(tmp_path: Path) -> None:
    page, token = with_token(tmp_path, "approve")
    headers = {"Authorization": f"Bearer {token}"}
    done = page.post("/api/v1/decide", data={"decision": "approve"}, headers=headers)
    assert done.json() == {"decision": "approve", "by": "ci"}


@pytest.mark.parametrize("header", ["Bearer x", "Bearer ", "Bearer dss_\x80", "Basic YTpi", "dss_abc"])
def test_a_wrong_token_is_refused_and_not_ignored(tmp_path: Path, header: str) -> None:
    page, _ = with_token(tmp_path, "read")
    refused = page.get("/api/v1/who", headers={"Authorization": header.encode("latin-1")})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("name", ["token", "access_token", "API_KEY"])
def test_a_token_in_the_url_is_refused(tmp_path: Path, name: str) -> None:
    page, token = with_token(tmp_path, "read")
    refused = page.get("/api/v1/who", params={name: token})
    assert refused.status_code == 403
    assert token not in refused.text


def test_wrong_tokens_are_limited_and_right_ones_from_elsewhere_are_not(tmp_path: Path) -> None:
    page, token = with_token(tmp_path, "read")
    codes = [page.get("/api/v1/who", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(11)]
    assert codes == [401] * 10 + [429]
    assert page.get("/api/v1/who", headers={"Authorization": f"Bearer {token}"}).status_code == 429


def test_a_token_that_is_removed_or_expired_is_refused_at_once(tmp_path: Path) -> None:
    first, second = new_token(), new_token()
    path = token_file(tmp_path, toml_lines("a", first, ("read",)), toml_lines("b", second, ("read",), date(2026, 1, 2)))
    tokens = TokenFile(path)
    assert tokens.identify(first).name == "a"
    assert tokens.identify(second, datetime(2026, 1, 2, 23, tzinfo=UTC)).name == "b"
    with pytest.raises(WrongToken, match="expired"):
        tokens.identify(second, datetime(2026, 1, 3, tzinfo=UTC))
    token_file(tmp_path, toml_lines("other", new_token(), ("read",)))
    with pytest.raises(WrongToken, match="unknown"):
        tokens.identify(first)
    path.unlink()
    with pytest.raises(WrongToken, match="cannot read"):
        tokens.identify(first)


@pytest.mark.parametrize(
    "entry",
    [
        "[ci]\nhash = 'sha256:00'\nroles = ['read']",
        f"[ci]\nhash = '{hash_of('x')}'\nroles = []",
        f"[ci]\nhash = '{hash_of('x')}'\nroles = ['admin']",
        f"[ci]\nhash = '{hash_of('x')}'\nroles = ['read']\ntoken = 'x'",
        f'["ci\\u202e"]\nhash = "{hash_of("x")}"\nroles = ["read"]',
        "[ci",
    ],
)
def test_a_wrong_token_file_is_refused(tmp_path: Path, entry: str) -> None:
    with pytest.raises(UserError, match="is wrong"):
        TokenFile(token_file(tmp_path, entry))


def test_a_token_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = token_file(tmp_path, toml_lines("ci", new_token(), ("read",)))
    path.chmod(0o666)
    with pytest.raises(UserError, match="Run: chmod go-w"):
        TokenFile(path)


def test_the_file_never_holds_the_token() -> None:
    token = new_token()
    assert token not in toml_lines("ci", token, ("read",))
    assert len(token) > 40


def test_a_token_is_added_to_the_file_of_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    first = add_token(path, "ci", ("read",), date(2030, 1, 1))
    second = add_token(path, "deploy", ("start", "approve"))
    assert path.stat().st_mode & 0o777 == 0o600
    tokens = TokenFile(path)
    assert [tokens.identify(each).name for each in (first, second)] == ["ci", "deploy"]
    with pytest.raises(UserError, match="has a token of ci already"):
        add_token(path, "ci", ("read",))
    with pytest.raises(UserError, match="is not a name"):
        add_token(path, 'a"b', ("read",))
    assert sorted(tmp_path.iterdir()) == [path]


def test_threads_share_a_token_file(tmp_path: Path) -> None:
    token = new_token()
    path = token_file(tmp_path, toml_lines("ci", token, ("read",)))
    tokens, names = TokenFile(path), list[str]()

    def ask() -> None:
        for number in range(50):
            os.utime(path, ns=(number, number))
            names.append(tokens.identify(token).name)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["ci"] * 200


# Sessions


def test_a_sign_in_keeps_nothing_of_the_session_before() -> None:
    sessions, session = Sessions(RULES, 60), {"id": "prepared", "csrf": "prepared", "groups": ["leads"]}
    sessions.begin(session, "bob", ["network", "unknown"])
    assert session["id"] != "prepared"
    assert "csrf" not in session
    assert session["groups"] == ["network"]


def test_a_session_ends_after_its_lifetime_although_it_is_used() -> None:
    now = [1000.0]
    sessions, session = Sessions(RULES, 60, lambda: now[0]), dict[str, Any]()
    sessions.begin(session, "bob", [])
    now[0] += 59
    assert sessions.identify(session)
    now[0] += 1
    assert sessions.identify(session) is None


def test_a_copy_of_the_cookie_is_of_no_use_after_the_sign_out() -> None:
    sessions, session = Sessions(RULES, 60), dict[str, Any]()
    sessions.begin(session, "bob", [])
    copy = dict(session)
    sessions.end(session)
    assert session == {}
    assert sessions.identify(copy) is None


@pytest.mark.parametrize("key", ["id", "name", "expires"])
def test_an_incomplete_session_is_nobody(key: str) -> None:
    sessions, session = Sessions(RULES, 60), dict[str, Any]()
    sessions.begin(session, "bob", [])
    del session[key]
    assert sessions.identify(session) is None


# OIDC


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/ok\r\nSet-Cookie: a=b",
        "/a b",
        "/\t/evil.example",
        "",
        "/sign-in",
        "/sign-out",
        "/" + "a" * 1000,
        "/\u202e",
    ],
)
def test_the_sign_in_leads_to_this_server_only(path: str) -> None:
    assert local_path(path) == "/"


@pytest.mark.parametrize("path", ["/", "/diffs/abc?model=vlan&text=%20x#top"])
def test_the_sign_in_leads_back_to_the_page(path: str) -> None:
    assert local_path(path) == path


def test_claims_and_groups_are_read_as_providers_write_them() -> None:
    claims = {"realm_access": {"roles": ["a"]}, "a.b": "x", "groups": "a, b c"}
    assert claim(claims, "realm_access.roles") == ["a"]
    assert claim(claims, "a.b") == "x"
    assert claim(claims, "groups.none") is None
    assert groups_in(claims["groups"]) == ["a", "b", "c"]
    assert groups_in(["a", 1, None]) == ["a"]
    assert groups_in(None) == groups_in(3) == []


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://id.example.com"},
        {"issuer": "ftp://127.0.0.1"},
        {"scopes": ["profile"]},
        {"client_id": ""},
    ],
)
def test_an_unsafe_provider_is_refused(change: dict[str, Any]) -> None:
    oidc = {"issuer": "https://id.example.com", "client_id": "x", **change}
    with pytest.raises(ValidationError):
        ServeSettings.model_validate({"identity": {"oidc": oidc}})


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "diffs.example.com"},
        {"base_url": "https://diffs.example.com/path"},
        {"base_url": "https://user@diffs.example.com"},
        {"identity": {"session_key": "short"}},
        {"identity": {"session_lifetime": "25h"}},
        {"identity": {"roles": {"admin": ["x"]}}},
    ],
)
def test_unsafe_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServeSettings.model_validate(settings)
