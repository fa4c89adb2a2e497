"""Every route of the application: which role it needs, and what happens without it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.routing import Mount, Route

from diffsync_store.serve.identity import role_of, walk
from tests.serve.conftest import PEOPLE, Served
from tests.serve.small_app import ORIGIN

PUBLIC = {"/healthz", "/sign-in", "/sign-in/callback", "/sign-out", "/signed-out"}
DECIDING = {"/diffs/{diff_id}/decision", "/api/v1/diffs/{diff_id}/decision"}


def guarded_routes(served: Served) -> list[tuple[str, str, str]]:
    """Return method, path and role of each route that needs one."""
    routes = [route for route in walk(served.app.routes) if isinstance(route, Route)]
    assert all(isinstance(route, Route | Mount) for route in walk(served.app.routes))
    return [
        (method, re.sub(r"\{\w+(:\w+)?\}", "some-id", route.path), str(role_of(route)))
        for route in routes
        for method in sorted((route.methods or set()) - {"HEAD"})
        if role_of(route) != "public"
    ]


def test_only_the_known_routes_are_public(served: Served) -> None:
    routes = [route for route in walk(served.app.routes) if isinstance(route, Route)]
    assert {route.path for route in routes if role_of(route) == "public"} <= PUBLIC
    assert {route.path for route in routes if role_of(route) == "approve"} >= DECIDING
    changing = {route.path: role_of(route) for route in routes if (route.methods or set()) & {"POST", "PUT", "DELETE"}}
    assert {path for path, role in changing.items() if role not in {"start", "approve"}} <= PUBLIC


def test_every_route_refuses_nobody(served: Served) -> None:
    for method, path, _ in guarded_routes(served):
        answer = served.client.request(method, path, headers={"Origin": ORIGIN})
        assert answer.status_code in {401, 403}, (method, path)


@pytest.mark.parametrize("person", PEOPLE)
def test_every_route_refuses_a_person_without_its_role(served: Served, person: str) -> None:
    headers = served.person(person)
    held = {"alice": {"read", "approve"}, "bob": {"read", "start"}, "carol": {"read"}}[person]
    for method, path, role in guarded_routes(served):
        answer = served.client.request(method, path, headers=headers)
        assert (answer.status_code == 403) == (role not in held), (method, path, answer.text)


@pytest.mark.parametrize("role", ["read", "start", "approve"])
def test_every_route_refuses_a_token_without_its_role(served: Served, role: str) -> None:
    headers = {"Authorization": f"Bearer {served.tokens[role]}"}
    for method, path, needed in guarded_routes(served):
        answer = served.client.request(method, path, headers=headers)
        assert (answer.status_code == 403) == (needed not in {"read", role}), (method, path)


def test_every_changing_route_needs_a_csrf_token_and_the_origin_of_the_page(served: Served) -> None:
    headers = served.person("alice")
    for method, path, _ in guarded_routes(served):
        if method == "GET":
            continue
        for change in ({"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": ""}, {"Origin": "https://evil.example"}):
            answer = served.client.request(method, path, headers=headers | change)
            assert answer.status_code == 403, (method, path)


def test_other_methods_are_refused_on_every_route(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.tokens['approve']}"}
    known: dict[str, set[str]] = {}
    for method, path, _ in guarded_routes(served):
        known.setdefault(path, set()).add(method)
    for path, methods in known.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"} - methods:
            assert served.client.request(method, path, headers=headers).status_code in {403, 405}, (method, path)


# The forms of the page


def form(served: Served, diff: dict[str, Any], person: str = "alice", **changes: Any) -> Any:
    headers = served.person(person)
    data = {
        "decision": "approve",
        "checksum": diff["checksum"],
        "comment": "CHG-1",
        "csrf_token": headers.pop("X-CSRF-Token"),
        **changes,
    }
    return served.client.post(f"/diffs/{diff['diff_id']}/decision", data=data, headers=headers)


def test_the_form_of_the_page_approves_and_leads_back(served: Served) -> None:
    diff = served.new_diff()
    update = served.get(f"/diffs/{diff['diff_id']}/operations", action="update")["operations"][0]
    answer = form(served, diff, exclude=[update["id"], ""], by="mallory")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/diffs/{diff['diff_id']}")
    approval = served.get(f"/diffs/{diff['diff_id']}")["approval"]
    assert (approval["by"], approval["comment"]) == ("alice", "CHG-1")
    assert len(approval["excluded"]) == 1
    served.wait_for(served.get("/runs")["runs"][0])


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"checksum": "0" * 64}, 409),
        ({"checksum": ""}, 422),
        ({"decision": "maybe"}, 422),
        ({"comment": "x" * 2001}, 422),
        ({"exclude": ["nothing"]}, 409),
        ({"csrf_token": ""}, 403),
    ],
)
def test_a_wrong_form_decides_nothing(served: Served, changes: dict[str, Any], status: int) -> None:
    diff = served.new_diff()
    assert form(served, diff, **changes).status_code == status
    assert served.get(f"/diffs/{diff['diff_id']}")["approval"] is None


def test_a_comment_keeps_no_invisible_characters(served: Served) -> None:
    diff = served.new_diff()
    form(served, diff, decision="reject", comment="ok\u202e\r\nline two")
    assert served.get(f"/diffs/{diff['diff_id']}")["approval"]["comment"] == "ok\\u202e\nline two"


def test_the_page_starts_a_comparison(served: Served) -> None:
    answer = served.client.post("/syncs/inventory/runs", data={"kind": "plan"}, headers=served.person("bob"))
    assert answer.status_code == 303
    assert served.wait_for(served.get("/runs")["runs"][0])["by"] == "bob"
