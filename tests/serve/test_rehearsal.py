"""On the page, what a rehearsal found to be refused is shown before somebody decides, and can be left out."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.serve.conftest import Served

REHEARSES = "approval: deletes, rehearse: true"


@pytest.fixture
def diff(served: Served) -> dict[str, Any]:
    """A diff without deletes, which needs no approval, and of which the database refuses a site."""
    with closing(sqlite3.connect(served.project.database)) as connection:
        connection.executescript(
            "delete from site where name = 'par';"
            "create trigger no_nyc before insert on site when new.name = 'nyc' begin select raise(abort, '<b>no</b>'); end;"
        )
    run = served.wait_for(served.post("/syncs/inventory/runs", "start", {"kind": "plan"}, 202))
    assert run["message"].endswith("The target would refuse 2 operations.")
    found: dict[str, Any] = served.get(f"/diffs/{run['diff_id']}")
    return found


@pytest.mark.parametrize("served", [REHEARSES], indirect=True)
def test_what_is_refused_ends_in_a_question_although_no_approval_is_needed(
    served: Served, diff: dict[str, Any]
) -> None:
    assert (diff["needs_approval"], diff["summary"]["delete"]) == (False, 0)
    found = diff["rehearsal"]
    assert (found["accepted"], found["refused"], found["is_decided"]) == (3, 2, False)
    assert [each["unique_id"] for each in found["operations"]] == ["nyc", "nyc__sw2"]
    path = f"/diffs/{diff['diff_id']}"
    text = served.client.get(path, headers=served.person("alice")).text
    assert "The target would refuse 2 of 5 operations" in text
    assert "&lt;b&gt;no&lt;/b&gt;" in text
    assert 'name="exclude_refused"' in text
    assert 'name="exclude_refused"' not in served.client.get(path, headers=served.person("bob")).text
    [waiting] = served.get("/waiting")["waiting"]
    assert (waiting["diff_id"], waiting["reason"]) == (diff["diff_id"], "approval")

    before = served.project.rows("select name from site")
    dry_run = served.wait_for(served.post(f"{path}/runs", "start", {"kind": "dry-run"}, 202))
    assert dry_run["message"] == "Dry run: nothing was changed. The target would refuse 2 operations."
    stopped = served.wait_for(served.post(f"{path}/runs", "start", {"kind": "apply"}, 202))
    assert stopped["state"] == "stopped"
    assert "approve the diff, where you can leave them out" in stopped["message"]
    assert served.project.rows("select name from site") == before

    headers = served.person("alice")
    form = {"decision": "approve", "checksum": diff["checksum"], "exclude_refused": "true"}
    form["csrf_token"] = headers.pop("X-CSRF-Token")
    checksum = served.get(path)["rehearsal"]["at"]
    [before_last], [at] = (
        re.findall('name="rehearsed_at" value="([^"]+)"', each)
        for each in (text, served.client.get(path, headers=served.person("alice")).text)
    )
    for seen in ("", before_last):  # the run that stopped has rehearsed it again
        stale = served.client.post(f"{path}/decision", data={**form, "rehearsed_at": seen}, headers=headers)
        assert stale.status_code == 409
        assert "was rehearsed again since. Look at it again." in stale.text
    assert served.get(path)["approval"] is None
    done = served.client.post(f"{path}/decision", data={**form, "rehearsed_at": at}, headers=headers)
    assert done.status_code == 303
    for run in served.get("/runs")["runs"]:
        served.wait_for(run)
    assert served.get("/runs")["runs"][0]["state"] == "done"
    assert sorted(served.project.rows("select name from site")) == [("ams",), ("ber",)]
    detail = served.get(path)
    assert (detail["rehearsal"]["at"], detail["rehearsal"]["is_decided"]) == (checksum, True)
    assert len(detail["approval"]["excluded"]) == 2


@pytest.mark.parametrize("served", ["approval: always"], indirect=True)
def test_a_diff_without_a_rehearsal_has_nothing_to_leave_out(served: Served) -> None:
    diff = served.new_diff()
    assert diff["rehearsal"] is None
    body = {"decision": "approve", "checksum": diff["checksum"], "exclude_refused": True}
    refused = served.api("POST", f"/diffs/{diff['diff_id']}/decision", "approve", json=body)
    assert "was not rehearsed" in refused.text
    assert refused.status_code in {409, 422}
