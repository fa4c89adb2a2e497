"""The API: a pipeline reads, starts, approves, and each answer is as openapi.json says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from diffsync_store.serve.api.routes import ENDPOINTS
from diffsync_store.serve.security.audit import LOGGER
from tests.saved_pages import write_element
from tests.serve.conftest import Served


@pytest.fixture
def diff(served: Served) -> dict[str, Any]:
    return served.new_diff()


def decision(diff: dict[str, Any], choice: str = "approve", **more: Any) -> dict[str, Any]:
    return {"decision": choice, "checksum": diff["checksum"], **more}


def test_a_pipeline_loads_reads_approves_applies_and_reads_the_result(served: Served, diff: dict[str, Any]) -> None:
    path = f"/diffs/{diff['diff_id']}"
    assert diff["needs_approval"]
    operations = served.get(f"{path}/operations")["operations"]
    assert len(operations) == diff["operations"] > 3
    answer = served.post(f"{path}/decision", "approve", decision(diff, comment="CHG-1"))
    assert (answer["approval"]["by"], answer["approval"]["comment"]) == ("ci-approve", "CHG-1")
    run = served.wait_for(answer["runs"][0])
    assert (run["state"], run["by"]) == ("done", "ci-approve")
    result = served.get(f"{path}/result")
    assert result["by_state"] == {"done": diff["operations"]}
    assert result["application"]["by"] == "ci-approve"
    assert ("nyc", "us") in served.project.rows()


def test_what_an_approval_excludes_is_not_applied(served: Served, diff: dict[str, Any]) -> None:
    path = f"/diffs/{diff['diff_id']}"
    delete = served.get(f"{path}/operations", action="delete")["operations"]
    excluded = [delete[0]["id"], '{"action": "update"}']
    answer = served.post(f"{path}/decision", "approve", decision(diff, exclude=excluded))
    served.wait_for(answer["runs"][0])
    states = {each["id"]: each["state"] for each in served.get(f"{path}/operations")["operations"]}
    assert states[delete[0]["id"]] == "suppressed"
    assert ("par", "eu") in served.project.rows()


def test_an_exclusion_that_matches_nothing_approves_nothing(served: Served, diff: dict[str, Any]) -> None:
    for wrong in ("vlan", "0" * 24, "{}x"):
        served.post(f"/diffs/{diff['diff_id']}/decision", "approve", decision(diff, exclude=[wrong]), 409)
    assert served.get(f"/diffs/{diff['diff_id']}")["approval"] is None


def test_a_rejected_diff_is_not_applied(served: Served, diff: dict[str, Any]) -> None:
    path = f"/diffs/{diff['diff_id']}"
    answer = served.post(f"{path}/decision", "approve", decision(diff, "reject", comment="not tonight"))
    assert answer["runs"] == []
    problem = served.post(f"{path}/runs", "start", {"kind": "apply"}, 409)
    assert "rejected" in problem["detail"]
    assert ("nyc", "us") not in served.project.rows()


def test_who_may_start_cannot_replace_an_approval(served: Served, diff: dict[str, Any]) -> None:
    problem = served.post(f"/diffs/{diff['diff_id']}/runs", "start", {"kind": "apply"}, 409)
    assert "needs an approval" in problem["detail"]
    assert ("nyc", "us") not in served.project.rows()


def test_a_dry_run_changes_nothing(served: Served, diff: dict[str, Any]) -> None:
    run = served.wait_for(served.post(f"/diffs/{diff['diff_id']}/runs", "start", {"kind": "dry-run"}, 202))
    assert sum(run["counts"].values()) == diff["operations"]
    assert ("nyc", "us") not in served.project.rows()
    assert served.get(f"/diffs/{diff['diff_id']}/result")["by_state"] == {"pending": diff["operations"]}


def test_an_approval_is_refused_for_another_diff(served: Served, diff: dict[str, Any]) -> None:
    other = served.new_diff()
    problem = served.post(f"/diffs/{other['diff_id']}/decision", "approve", decision(diff), 409)
    assert "not about the diff" in problem["detail"]
    assert served.get(f"/diffs/{other['diff_id']}")["approval"] is None


def test_an_approval_is_refused_after_the_diff_has_changed(served: Served, diff: dict[str, Any]) -> None:
    saved = served.context.diffs().open(diff["diff_id"])
    [first, *_] = saved.texts()
    write_element(saved._redis, saved._keys.elements, 0, first.decode().replace('"model"', '"model" '))
    served.post(f"/diffs/{diff['diff_id']}/decision", "approve", decision(diff), 409)


def test_each_decision_and_start_is_a_line_of_the_log(
    served: Served, diff: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", LOGGER)
    path = f"/diffs/{diff['diff_id']}"
    served.post(f"{path}/decision", "approve", {**decision(diff), "checksum": "0" * 64}, 409)
    served.post(f"{path}/decision", "approve", decision(diff, "reject", comment="a\nb\u202e"))
    served.post(f"{path}/runs", "start", {"kind": "apply"}, 409)
    lines = [record.getMessage().split(" ", 2) for record in caplog.records if record.name == LOGGER]
    facts = [(event, json.loads(text)) for _, event, text in lines]
    assert [(event, found["by"], found["outcome"]) for event, found in facts if "by" in found] == [
        ("decision", "ci-approve", "refused"),
        ("decision", "ci-approve", "done"),
        ("start", "ci-start", "refused"),
    ]
    assert facts[1][1]["comment"] == "a\\nb\\u202e"
    assert not any(token in caplog.text for token in served.tokens.values())


def test_an_applied_diff_is_not_decided_again(served: Served, diff: dict[str, Any]) -> None:
    path = f"/diffs/{diff['diff_id']}/decision"
    served.wait_for(served.post(path, "approve", decision(diff))["runs"][0])
    assert "Nothing is left to decide" in served.post(path, "approve", decision(diff, "reject"), 409)["detail"]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({"model": "device"}, lambda each: each["model"] == "device"),
        ({"action": "delete"}, lambda each: each["action"] == "delete"),
        ({"attribute": "region"}, lambda each: any(change["attribute"] == "region" for change in each["changes"])),
        ({"text": "NYC"}, lambda each: "nyc" in json.dumps(each)),
        ({"state": "pending"}, lambda each: each["state"] == "pending"),
        ({"state": "done"}, lambda each: each["state"] == "done"),
    ],
)
def test_operations_are_filtered_and_read_page_by_page(
    served: Served, diff: dict[str, Any], query: dict[str, str], kept: Any
) -> None:
    path = f"/diffs/{diff['diff_id']}/operations"
    every = served.get(path)["operations"]
    expected, found = [each["id"] for each in every if kept(each)], list[str]()
    start: int | None = 0
    while start is not None:
        page = served.get(path, **query, limit=1, start=start)
        found += [each["id"] for each in page["operations"]]
        start = page["next_start"]
    assert found == expected


def test_no_answer_has_a_secret(served: Served, diff: dict[str, Any]) -> None:
    path = f"/diffs/{diff['diff_id']}"
    for answer in (served.get(f"{path}/operations"), served.get(f"{path}/operations", text="secret"), served.get(path)):
        assert "secret-" not in json.dumps(answer)
    assert served.get(f"{path}/operations", text="secret-1")["operations"] == []


def test_names_with_scripts_and_direction_marks_are_data(served: Served) -> None:
    name = "<script>alert(1)</script>\u202e"
    rows = served.project.folder / "data/sites.csv"
    rows.write_text(rows.read_text("utf-8") + f'"{name}",eu,,\n', "utf-8")
    diff = served.new_diff()
    answer = served.api("GET", f"/diffs/{diff['diff_id']}/operations")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert name in {each["unique_id"] for each in answer.json()["operations"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/diffs/none", 404),
        ("/diffs/..%2f..%2fetc%2fpasswd", 404),
        ("/diffs/%2e%2e", 404),
        ("/diffs/*", 400),
        ("/diffs/a%00b", 400),
        ("/diffs/" + "a" * 200, 400),
        ("/syncs/none", 404),
        ("/runs/none", 404),
        ("/none", 404),
        ("/diffs?limit=0", 422),
        ("/diffs?limit=100000", 422),
        ("/diffs?start=-1", 422),
        ("/diffs?sync=inventory&sync=other", 422),
        ("/diffs?unknown=1", 422),
    ],
)
def test_a_wrong_address_is_refused_with_a_problem(served: Served, path: str, status: int) -> None:
    answer = served.api("GET", path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"{", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"kind=plan", "application/x-www-form-urlencoded", 415),
        (b'{"kind": "plan", "host": "x"}', "application/json", 422),
        (b'{"kind": "undo"}', "application/json", 422),
    ],
)
def test_a_wrong_body_starts_nothing(served: Served, content: bytes, kind: str, status: int) -> None:
    path = "/syncs/inventory/runs"
    answer = served.api("POST", path, "start", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert served.get("/runs")["runs"] == []


def test_decisions_of_one_identity_are_limited(served: Served) -> None:
    path, body = "/diffs/none/decision", {"decision": "approve", "checksum": "0" * 64}
    codes = [served.api("POST", path, "approve", json=body).status_code for _ in range(31)]
    assert codes == [404] * 30 + [429]


# OpenAPI


def pattern_of(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def test_every_answer_is_as_openapi_says(served: Served, diff: dict[str, Any]) -> None:
    document = served.get("/openapi.json")
    path = f"/diffs/{diff['diff_id']}"
    approve = served.api("POST", f"{path}/decision", "approve", json=decision(diff))
    run = approve.json()["runs"][0]
    served.wait_for(run)
    answers = [
        approve,
        served.api("POST", "/syncs/inventory/runs", "start", json={"kind": "plan"}),
        served.api("POST", f"{path}/runs", "start", json={"kind": "dry-run"}),
        *(
            served.api("GET", each)
            for each in (
                "/me", "/syncs", "/syncs/inventory", "/waiting", "/diffs", path, f"{path}/operations", f"{path}/result", "/runs",
                f"/runs/{run['run_id']}", "/diffs/none", "/diffs?limit=0",
            )
        ),
        served.api("POST", f"{path}/decision", "read", json={}),
    ]  # fmt: skip
    asked = set()
    for answer in answers:
        url = answer.request.url.path
        [found] = [name for name in document["paths"] if pattern_of(name).fullmatch(url)]
        operation = document["paths"][found][answer.request.method.lower()]
        asked.add(operation["operationId"])
        described = operation["responses"][str(answer.status_code)]["content"]
        schema = {**described[answer.headers["content-type"]]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(answer.json())
    assert asked == {each.handle.__name__ for each in ENDPOINTS}


def test_openapi_describes_each_route_and_each_schema_is_valid(served: Served) -> None:
    document = served.get("/openapi.json")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    routes = {
        (method, route.path)
        for route in filter(lambda route: isinstance(route, Route), served.app.routes)
        for method in route.methods - {"HEAD"}
        if route.path.startswith("/api/")
    }
    assert described == routes - {("GET", "/api/v1/openapi.json")}
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name
