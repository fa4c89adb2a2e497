"""A truncated source makes deletes that guards suppress. On the page, only an approval releases them."""

from __future__ import annotations

import html
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from diffsync_store.runs import suppressed
from tests.serve.conftest import Served

DELETES = 125


@pytest.fixture
def diff(served: Served) -> dict[str, Any]:
    """The diff of a source of which a record cannot be read, and of a target with 125 more objects."""
    with closing(sqlite3.connect(served.project.database)) as connection, connection:
        connection.execute("delete from site")
        connection.executemany("insert into site values (?, 'eu', null, null)", [(f"s{n}",) for n in range(DELETES)])
    folder = served.project.folder / "data"
    (folder / "sites.csv").write_text("name,region,note,password\nams,eu,old,x\nber,eu,,y,too,many,columns\n", "utf-8")
    (folder / "devices.csv").write_text("site,name,serial\n", "utf-8")
    return served.new_diff()


def sites(served: Served) -> int:
    return len(served.project.rows("select name from site"))


def page(served: Served, diff: dict[str, Any], person: str = "alice") -> str:
    return str(served.client.get(f"/diffs/{diff['diff_id']}", headers=served.person(person)).text)


def offered(text: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'name="allow" value="([^"]*)"', text)]


def decide(served: Served, diff: dict[str, Any], *allow: str, person: str = "alice") -> Any:
    headers = served.person(person)
    data = {"decision": "approve", "checksum": diff["checksum"], "allow": list(allow)}
    data["csrf_token"] = headers.pop("X-CSRF-Token")
    return served.client.post(f"/diffs/{diff['diff_id']}/decision", data=data, headers=headers)


def wait(served: Served) -> None:
    for run in served.get("/runs")["runs"]:
        assert served.wait_for(run)["state"] == "done"


def test_suppressed_deletes_end_in_a_question_until_an_approval_releases_them(
    served: Served, diff: dict[str, Any]
) -> None:
    assert diff["summary"]["delete"] == DELETES
    text = page(served, diff)
    assert f"{DELETES} deletes of site" in text
    assert offered(text) == ["partial:site"]
    assert offered(page(served, diff, "bob")) == []
    # approved as it is: the deletes stay, and the page asks about them again
    assert decide(served, diff).status_code == 303
    wait(served)
    assert sites(served) >= DELETES
    assert offered(page(served, diff)) == ["partial:site"]
    # who may start runs can release nothing
    refused = served.api(
        "POST", f"/diffs/{diff['diff_id']}/runs", "start", json={"kind": "apply", "allow": ["partial:site"]}
    )
    assert refused.status_code == 422
    assert decide(served, diff, "partial:site", person="bob").status_code == 403
    form = {"kind": "apply", "allow": "partial:site"}
    served.client.post(f"/diffs/{diff['diff_id']}/runs", data=form, headers=served.person("bob"))
    wait(served)
    assert sites(served) >= DELETES
    # an approval that releases them is asked for, and is enough
    assert decide(served, diff, "partial:site").status_code == 303
    wait(served)
    assert sites(served) < DELETES
    shown = served.get(f"/diffs/{diff['diff_id']}")
    assert shown["approval"]["allowed"] == ["partial:site"]
    assert "Released: partial:site" in page(served, diff)


def test_an_approval_releases_only_what_guards_suppress(served: Served, diff: dict[str, Any]) -> None:
    for allow in ("partial:device", "everything", "delete:1000000"):
        answer = decide(served, diff, allow)
        assert answer.status_code == 409
        assert "Allow any of: partial:site" in answer.text
    assert served.get(f"/diffs/{diff['diff_id']}")["approval"] is None
    assert sites(served) == DELETES


def test_a_page_of_a_large_diff_does_not_count_what_is_suppressed_below_certain_objects(
    served: Served, diff: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = served.context.diffs().open(diff["diff_id"])
    [one] = [each for each in saved.record.suppressions if each.model == "site"]
    below = (replace(one, below=(("site", "s1"),), count=1),)
    saved.record = saved.record.model_copy(update={"suppressions": below})
    calls = list[Any]()
    monkeypatch.setattr(suppressed, "find_suppressions", lambda *given: calls.append(given))
    monkeypatch.setattr(suppressed, "_COUNTED", 10)
    assert [each.allowance for each in suppressed.find_suppressed(served.context, saved)] == [one.allowance]
    assert not calls
    suppressed.find_suppressed(served.context, saved, counts_all=True)
    assert len(calls) == 2
