"""The pages of one diff: tree, totals by attribute, rejects, what field rules leave alone; and what waits for whom."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from diffsync_store.field_rules.left_alone import LeftAlone, Why
from diffsync_store.project import Project, ServeSettings, SyncContext
from diffsync_store.serve.app import create_app
from diffsync_store.serve.pages import page_routes
from diffsync_store.store.redis.keys import DiffKeys
from tests.serve.conftest import IDENTITY, Served
from tests.serve.small_app import ORIGIN


def page(served: Served, path: str, person: str = "bob", status: int = 200) -> str:
    answer = served.client.get(path, headers=served.person(person))
    assert answer.status_code == status, answer.text
    return str(answer.text)


def post(served: Served, path: str, data: dict[str, Any], person: str = "bob") -> Any:
    headers = served.person(person)
    return served.client.post(path, data=data | {"csrf_token": headers.pop("X-CSRF-Token")}, headers=headers)


def test_the_tree_leads_to_each_operation(served: Served) -> None:
    path = f"/diffs/{served.new_diff()['diff_id']}/tree"
    top = page(served, path)
    assert "site ams" in top
    assert "device ams__sw1" not in top
    opened = {
        each
        for at in re.findall(r"/tree\?at=(\d+)", top)
        for each in re.findall(r"device ams__\w+", page(served, f"{path}?at={at}"))
    }
    assert opened == {"device ams__sw1"}
    assert "has no element" in page(served, f"{path}?at=9999", status=404)
    page(served, f"{path}?at=x", status=422)


def test_totals_by_attribute_lead_to_their_operations(served: Served) -> None:
    path = f"/diffs/{served.new_diff()['diff_id']}"
    text = page(served, path)
    assert 'href="?model=site&amp;attribute=region&amp;action=update">1</a>' in text
    assert page(served, f"{path}?model=site&attribute=region&action=update").count('<li class="update">') == 1


def test_rejects_are_listed_and_those_that_are_marked_are_retried(served: Served) -> None:
    with closing(sqlite3.connect(served.project.database)) as connection, connection:
        for name in ("ber", "nyc"):
            connection.execute(
                f"create trigger refuse_{name} before insert on site when new.name = '{name}' begin select raise(abort, 'full'); end"
            )
    diff = served.new_diff()
    path = f"/diffs/{diff['diff_id']}"
    assert "Nothing was rejected." in page(served, f"{path}/rejects")
    body = {"decision": "approve", "checksum": diff["checksum"]}
    for run in served.post(f"{path}/decision", "approve", body)["runs"]:
        served.wait_for(run)
    text = page(served, f"{path}/rejects")
    assert "full" in text
    ids = re.findall(r'name="select" value="(\w+)" checked', text)
    rejected = served.get(f"{path}/operations", state="rejected")["operations"]
    assert ids == [each["id"] for each in rejected]
    assert 'name="select"' not in page(served, f"{path}/rejects", "carol")
    [waiting] = served.get("/waiting")["waiting"]
    assert (waiting["reason"], waiting["role"], waiting["people"]) == ("not finished", "start", ["network"])

    with closing(sqlite3.connect(served.project.database)) as connection, connection:
        connection.execute("drop trigger refuse_ber")
        connection.execute("drop trigger refuse_nyc")
    nothing = post(served, f"{path}/runs", {"kind": "retry-rejected", "scope": "marked"})
    assert nothing.status_code == 422
    [ber] = [each["id"] for each in rejected if each["unique_id"] == "ber"]
    assert (
        post(served, f"{path}/runs", {"kind": "retry-rejected", "scope": "marked", "select": [ber]}).status_code == 303
    )
    served.wait_for(served.get("/runs")["runs"][0])
    assert ("ber",) in served.project.rows("select name from site")
    assert ("nyc",) not in served.project.rows("select name from site")
    assert post(served, f"{path}/runs", {"kind": "retry-rejected", "scope": "all", "select": [ber]}).status_code == 303
    served.wait_for(served.get("/runs")["runs"][0])
    assert ("nyc",) in served.project.rows("select name from site")


def test_what_field_rules_leave_alone_is_listed_with_its_values(served: Served) -> None:
    saved = served.context.diffs().open(served.new_diff()["diff_id"])
    diff_id = saved.record.diff_id
    one = LeftAlone(
        model="site",
        unique_id="<b>ams",
        why=Why.CHANGED,
        attribute="region",
        applied="eu",
        has_applied=True,
        target="us",
        source="af",
    )
    record = saved.record.model_copy(update={"left_alone": {"site": {Why.CHANGED: 101}}})
    keys = DiffKeys(diff_id, saved.namespace)
    saved._redis.rpush(keys.left_alone, *[one.model_dump_json(exclude_defaults=True)] * 101)
    saved._redis.set(keys.record, record.model_dump_json())
    assert "101 of site (changed)" in page(served, f"/diffs/{diff_id}")
    text = page(served, f"/diffs/{diff_id}/left-alone")
    assert "&lt;b&gt;ams" in text
    assert "<td>eu</td><td>us</td><td>af</td>" in text
    assert text.count("<td>af</td>") == 100
    assert page(served, f"/diffs/{diff_id}/left-alone?start=100").count("<td>af</td>") == 1


def test_what_waits_for_whom_is_in_the_api(served: Served) -> None:
    assert served.get("/waiting") == {"waiting": []}
    first = served.new_diff()
    [one] = served.get("/waiting")["waiting"]
    assert (one["diff_id"], one["sync"], one["reason"], one["role"]) == (
        first["diff_id"],
        "inventory",
        "approval",
        "approve",
    )
    assert one["people"] == ["leads"]
    journal = served.context.diffs().open(first["diff_id"]).journal()
    journal.request_approval("run-1", by="brave-fox", link="http://127.0.0.1/run-1", seconds=600)
    second = served.new_diff()
    newest, older = served.get("/waiting")["waiting"]
    assert (newest["diff_id"], newest["newer"], newest["runs"]) == (second["diff_id"], 0, [])
    assert (older["diff_id"], older["newer"], older["runs"][0]["by"]) == (first["diff_id"], 1, "brave-fox")
    assert older["until"]
    served.post(
        f"/diffs/{second['diff_id']}/decision", "approve", {"decision": "reject", "checksum": second["checksum"]}
    )
    assert [each["diff_id"] for each in served.get("/waiting")["waiting"]] == [first["diff_id"]]
    described = served.get("/openapi.json")["paths"]["/api/v1/waiting"]["get"]
    assert described["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/WaitingList"
    }


def test_what_the_rules_decide_is_shown_and_filtered(served: Served, tmp_path: Path, redis_server: Any) -> None:
    file = tmp_path / "syncs.yaml"
    rules = "[{model: device, then: apply}, {action: delete, then: hold}, {action: update, then: review, approvers: 2}]"
    file.write_text(file.read_text("utf-8").replace("approval: always", f"approval: always, rules: {rules}"), "utf-8")
    with SyncContext(Project(file, {}), redis_server.url) as context:
        app = create_app(context, ServeSettings.model_validate({"identity": IDENTITY}), pages=page_routes())
        with TestClient(app, base_url=ORIGIN, client=("127.0.0.1", 50001), follow_redirects=False) as client:
            again = replace(served, app=app, client=client, context=context)
            diff = again.new_diff()
            path = f"/diffs/{diff['diff_id']}"
            assert {(each["model"], each["action"], each["decision"]) for each in diff["rulings"]} == {
                ("device", "create", "apply"),
                ("site", "create", "review"),
                ("site", "update", "review"),
                ("site", "delete", "hold"),
            }
            assert diff["approvers"] == 2
            text = page(again, path)
            assert "What the rules decide" in text
            assert "review</a> by 2 people" in text
            held = page(again, f"{path}?decision=hold")
            assert held.count('<li class="delete">') == 1
            assert '<li class="create">' not in held
            [one] = again.get(f"{path}/operations", decision="hold")["operations"]
            assert (one["unique_id"], one["decision"]) == ("par", "hold")
            assert "delete" in one["rule"]
            again.post(f"{path}/decision", "approve", {"decision": "approve", "checksum": diff["checksum"]})
            for run in again.get("/runs")["runs"]:
                assert again.wait_for(run)["state"] == "done"
            assert "2 different people must approve it" in page(again, path)
            assert [each["reason"] for each in again.get("/waiting")["waiting"]] == ["approval"]
            decision = {"decision": "approve", "checksum": diff["checksum"]}
            second = client.post(f"/api/v1{path}/decision", json=decision, headers=again.person("alice"))
            assert second.status_code == 200, second.text
            for run in again.get("/runs")["runs"]:
                assert again.wait_for(run)["state"] == "done"
            assert [each["reason"] for each in again.get("/waiting")["waiting"]] == ["hold"]
            assert "a rule with hold suppresses what is left" in page(again, "/")
