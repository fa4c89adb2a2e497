"""The pages: what they show is escaped, and holds no secret, no script and no address of another host."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest

from diffsync_store.diffs import DiffRecord, repository
from diffsync_store.report.values import Piece, marked
from diffsync_store.serve.pages import operations
from diffsync_store.serve.pages.totals import heading
from diffsync_store.serve.running import RunStatus
from diffsync_store.store.redis.diffs import diff as diff_module
from diffsync_store.store.redis.diffs import pages
from diffsync_store.suppression import Suppression
from tests.serve.conftest import Served

NAME = "<script>alert(1)</script>\u202e"


@pytest.fixture
def diff(served: Served) -> dict[str, Any]:
    rows = served.project.folder / "data/sites.csv"
    rows.write_text(rows.read_text("utf-8") + f'"{NAME}",eu,,\n', "utf-8")
    return served.new_diff()


def page(served: Served, path: str, person: str = "alice") -> str:
    answer = served.client.get(path, headers=served.person(person))
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_names_and_values_of_records_are_escaped(served: Served, diff: dict[str, Any]) -> None:
    shown = page(served, f"/diffs/{diff['diff_id']}")
    history = served.client.get(
        "/history", params={"model": "site", "unique_id": NAME}, headers=served.person("bob")
    ).text
    for text in (shown, history):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in text
        assert "<script>" not in text
        assert "\u202e" not in text
    assert "\x1b" not in shown


@pytest.mark.parametrize("path", ["/", "/diffs/DIFF", "/diffs/DIFF?action=delete", "/history?model=site&unique_id=nyc"])
def test_a_page_has_no_secret_no_inline_code_and_no_other_host(served: Served, diff: dict[str, Any], path: str) -> None:
    text = page(served, path.replace("DIFF", diff["diff_id"]))
    assert "secret-" not in text
    text = text.replace('<script src="/static/htmx.min.js" defer></script>', "")
    text = text.replace('<script src="/static/page.js" defer></script>', "")
    assert not re.search(r"<script|<style|\sstyle=|\s(hx-)?on[\w:-]+=|javascript:|https?://", text)


def test_only_who_may_decide_gets_the_form(served: Served, diff: dict[str, Any]) -> None:
    path = f"/diffs/{diff['diff_id']}"
    assert f'value="{diff["checksum"]}"' in page(served, path)
    for person in ("bob", "carol"):
        assert "Approve and apply" not in page(served, path, person)
    assert "Dry run" in page(served, path, "bob")
    assert 'value="apply"' not in page(served, path, "bob")


def test_filters_show_what_fits(served: Served, diff: dict[str, Any]) -> None:
    text = page(served, f"/diffs/{diff['diff_id']}?model=site&action=delete&text=par")
    assert text.count('<li class="delete">') == 1
    assert '<li class="create">' not in text
    assert "No operation fits" in page(served, f"/diffs/{diff['diff_id']}?text=none-of-them")
    wrong = served.client.get(f"/diffs/{diff['diff_id']}?action=drop", headers=served.person("bob"))
    assert wrong.status_code == 422


def test_a_long_diff_is_shown_page_by_page(served: Served, diff: dict[str, Any]) -> None:
    text = page(served, f"/diffs/{diff['diff_id']}?limit=2&model=site")
    assert text.count('form="decide" name="exclude"') == 2
    seen, rest = [], f"/diffs/{diff['diff_id']}?limit=2&model=site"
    while rest:
        seen += re.findall(r'form="decide" name="exclude" value="(\w+)"', page(served, rest))
        following = re.search(r'href="([^"]*)" rel="next"', page(served, rest, "carol"))
        rest = f"/diffs/{diff['diff_id']}{html.unescape(following[1])}&limit=2" if following else ""
    every = served.get(f"/diffs/{diff['diff_id']}/operations", model="site")["operations"]
    assert seen == [each["id"] for each in every]


def test_marks_are_kept_on_the_way_to_another_page(served: Served, diff: dict[str, Any]) -> None:
    operations = served.get(f"/diffs/{diff['diff_id']}/operations", model="site")["operations"]
    first, second = operations[0]["id"], operations[-1]["id"]
    whole = '{"action": "delete", "model": "site"}'
    data = {"exclude": [first, second, whole], "model": "site", "start": "", "csrf_token": "", "comment": "no"}
    answer = served.client.post(f"/diffs/{diff['diff_id']}/marks", data=data, headers=served.person("alice"))
    assert answer.status_code == 303
    assert "comment" not in answer.headers["location"]
    assert "csrf" not in answer.headers["location"]
    text = page(served, answer.headers["location"] + f"&text={operations[0]['unique_id']}&limit=1")
    assert f'name="exclude" value="{first}" checked' in text
    assert f'<input type="hidden" form="decide" name="exclude" value="{second}">' in text
    assert "1 more marked on other pages" in text
    assert f'name="exclude" value="{html.escape(whole, quote=True).replace("&quot;", "&#34;")}" checked' in text
    many = {"exclude": [f"{number:024x}" for number in range(501)]}
    refused = served.client.post(f"/diffs/{diff['diff_id']}/marks", data=many, headers=served.person("alice"))
    assert refused.status_code == 422


def test_a_search_ends_in_time_and_continues(
    served: Served, diff: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_SECONDS", -1)
    for module in (operations, diff_module, repository, pages):
        monkeypatch.setattr(module, "PAGE", 2)
    served.context.diffs().open(diff["diff_id"]).drop()
    diff = served.new_diff()
    path, parts = f"/diffs/{diff['diff_id']}", 0
    query = "?text=par"
    while "No operation of this part of the diff fits." in (text := page(served, path + query, "carol")):
        following = re.search(r'href="([^"]*)" rel="next" [^>]*hx-trigger="load, click">Search on', text)
        assert following, text
        query, parts = html.unescape(following[1]), parts + 1
    assert parts
    assert text.count('<li class="delete">') == 1


def test_a_page_that_watches_runs_is_loaded_again_when_they_have_ended(served: Served, diff: dict[str, Any]) -> None:
    path, asked = f"/diffs/{diff['diff_id']}", {"HX-Request": "true", "HX-Target": "runs"}
    answer = served.client.get(path, headers=served.person("alice") | asked)
    assert answer.headers["HX-Refresh"] == "true"
    assert 'hx-trigger="every 2s"' not in answer.text
    run = RunStatus("run-1", "apply", "inventory", diff["diff_id"], "alice", "running")
    with mock.patch.object(served.app.state.services.runner, "runs", return_value=[run]):
        answer = served.client.get(path, headers=served.person("alice") | asked)
    assert "HX-Refresh" not in answer.headers
    assert 'hx-trigger="every 2s"' in answer.text


def test_the_heading_says_what_guards_hold() -> None:
    held = Suppression("site", "delete", "the load is partial", "partial:site")
    facts: dict[str, Any] = {
        "diff_id": "d",
        "source_name": "a",
        "target_name": "b",
        "elements": 0,
        "operations": 0,
        "ttl": 1,
    }
    record = DiffRecord(
        **facts,
        summary={"delete": 3, "update": 1},
        by_model={"site": {"delete": 2}},
        suppressions=(held,),
        created=datetime.now(UTC),
    )
    assert heading(record) == "3 deletes (2 suppressed by guards), 1 update, 0 creates"


def test_the_overview_shows_diffs_loads_and_since_when_both_sides_are_equal(served: Served) -> None:
    assert "No diff is saved." in page(served, "/")
    diff = served.new_diff()
    text = page(served, "/")
    assert "waits for approval" in text
    assert "Never seen in sync." in text
    assert text.count("complete") == 2
    body = {"decision": "approve", "checksum": diff["checksum"]}
    for run in served.post(f"/diffs/{diff['diff_id']}/decision", "approve", body)["runs"]:
        served.wait_for(run)
    text = page(served, "/")
    assert "applied by" in text
    assert "Last in sync with the load of" in text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("10.0.0.1", "10.0.0.2", ([Piece("10.0.0."), Piece("1", True)], [Piece("10.0.0."), Piece("2", True)])),
        ("same", "same", ([Piece("same")], [Piece("same")])),
        ("abc", "xyz", ([Piece("abc", True)], [Piece("xyz", True)])),
        ("\u202e", "", ([Piece("\\u202e", True)], [])),
    ],
)
def test_what_differs_inside_of_values_is_marked(old: str, new: str, expected: Any) -> None:
    left, right = marked(old, new)
    assert ([p for p in left if p.text], [p for p in right if p.text]) == expected


def test_an_unknown_diff_is_a_page_with_a_remedy(served: Served) -> None:
    answer = served.client.get("/diffs/none", headers=served.person("bob"))
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


def test_static_files_are_served_and_nothing_beside_them(served: Served) -> None:
    assert served.client.get("/static/page.css").headers["content-type"].startswith("text/css")
    for name in ("htmx.min.js", "page.js"):
        assert served.client.get(f"/static/{name}").headers["content-type"].startswith("text/javascript")
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"):
        assert served.client.get(path).status_code == 404
