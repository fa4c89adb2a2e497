"""No window of a sync is open: the page refuses to apply, waits for the window, or takes a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from diffsync_store.project import Window
from diffsync_store.runs import windows
from tests.serve.conftest import Served
from tests.servers import wait_until
from tests.waiting_diffs import SHORT, lives, shorten_lives

REASON = "outage of the core <b>"


@pytest.fixture
def diff(served: Served, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A diff of a sync whose windows are closed."""
    declared = served.context.project.sync("inventory")
    monkeypatch.setitem(vars(declared), "windows", [Window.model_validate({"allow": "0 0 29 2 *", "for": "1s"})])
    return served.new_diff()


def approve(served: Served, diff: dict[str, Any]) -> dict[str, Any]:
    body = {"decision": "approve", "checksum": diff["checksum"]}
    [run] = served.post(f"/diffs/{diff['diff_id']}/decision", "approve", body)["runs"]
    return dict(run)


def page(served: Served, diff: dict[str, Any], person: str = "bob") -> str:
    return str(served.client.get(f"/diffs/{diff['diff_id']}", headers=served.person(person)).text)


def start(served: Served, diff: dict[str, Any], person: str = "bob", **fields: str) -> Any:
    headers = served.person(person)
    data = {"kind": "apply", "csrf_token": headers.pop("X-CSRF-Token"), **fields}
    return served.client.post(f"/diffs/{diff['diff_id']}/runs", data=data, headers=headers)


def test_an_approved_diff_waits_and_a_reason_applies_it_at_once(served: Served, diff: dict[str, Any]) -> None:
    path, before = f"/diffs/{diff['diff_id']}", served.project.rows("select * from site")
    waiting = approve(served, diff)
    assert waiting["state"] == "waiting"
    assert waiting["message"].startswith("Approved, waits for the window that opens at ")
    assert "-02-29T00:00:00" in waiting["waits_until"]
    text = page(served, diff)
    assert waiting["message"] in text
    assert "No window of the sync is open" in text
    assert 'name="outside_window"' in text
    assert "hx-get" not in text.split('id="runs"')[1].split(">")[0]  # nothing changes for days
    [listed] = served.get("/waiting")["waiting"]
    assert listed["reason"] == "not applied"
    assert listed["window"].startswith("The next window opens at ")
    overview = served.client.get("/", headers=served.person("bob")).text
    assert "The run of ci-approve waits for the window that opens at " in overview
    assert listed["window"] not in overview
    assert "The run of ci-approve waits for it." in text
    assert "Apply when it opens" not in text
    refused = start(served, diff)
    assert refused.status_code == 409
    assert "no window of the sync inventory is open" in refused.text
    assert start(served, diff, "carol", outside_window=REASON).status_code == 403
    assert served.project.rows("select * from site") == before

    run = served.post(f"{path}/runs", "start", {"kind": "apply", "outside_window": REASON}, 202)
    assert served.wait_for(run)["state"] == "done"
    assert served.wait_for(waiting)["state"] == "stopped"
    assert served.project.rows("select * from site") != before
    override = served.get(path)["window_override"]
    assert (override["by"], override["reason"]) == ("ci-start", REASON)
    assert "outage of the core &lt;b&gt;" in page(served, diff)
    assert "outage of the core &lt;b&gt;" in served.client.get("/", headers=served.person("bob")).text


def test_a_run_that_waits_begins_when_the_window_opens(
    served: Served, diff: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_open: list[bool] = []
    monkeypatch.setattr(windows, "next_opening", lambda _, now: now + timedelta(seconds=0.2))
    monkeypatch.setattr(windows, "closing", lambda _, now: now + timedelta(hours=1) if is_open else None)
    run = approve(served, diff)
    assert run["state"] == "waiting"
    wait_until(lambda: datetime.fromisoformat(run["waits_until"]) < datetime.now(UTC), 120, "the time has come")
    assert served.get(f"/runs/{run['run_id']}")["state"] == "waiting"  # the clock was changed: no window is open yet
    is_open.append(True)
    assert served.wait_for(run)["state"] == "done"
    assert served.get(f"/diffs/{diff['diff_id']}")["window_override"] is None


def test_a_run_whose_window_closes_goes_on_in_the_next_one(
    served: Served, diff: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, is_next = served.project.rows("select * from site"), list[bool]()

    def closes_after_a_write(_: object, now: datetime) -> datetime | None:
        is_open = is_next or served.project.rows("select * from site") == before
        return now + timedelta(microseconds=1) if is_open else None

    monkeypatch.setattr(windows, "closing", closes_after_a_write)
    monkeypatch.setattr(windows, "next_opening", lambda _, now: now + timedelta(seconds=0.2))
    run = approve(served, diff)

    def message() -> str:
        return str(served.get(f"/runs/{run['run_id']}")["message"])

    wait_until(lambda: message().startswith("Stopped, because the window has closed."), 120, "it waits again")
    assert "They wait for the window that opens at " in message()
    assert served.get(f"/runs/{run['run_id']}")["state"] == "waiting"
    assert served.get(f"/diffs/{diff['diff_id']}")["application"] is None
    is_next.append(True)
    assert served.wait_for(run)["state"] == "done"
    assert served.get(f"/diffs/{diff['diff_id']}")["application"] is not None


def test_what_a_run_needs_that_waits_is_kept(
    served: Served, diff: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "next_opening", lambda _, now: now + timedelta(seconds=0.2))
    monkeypatch.setattr(windows, "closing", lambda *_: None)
    shorten_lives(served.context, diff["diff_id"])
    approve(served, diff)
    wait_until(lambda: min(lives(served.context, diff["diff_id"])) > SHORT, 120, "the run keeps them")


def test_a_rejection_and_the_end_of_the_server_end_a_run_that_waits(served: Served, diff: dict[str, Any]) -> None:
    run = approve(served, diff)
    served.post(f"/diffs/{diff['diff_id']}/decision", "approve", {"decision": "reject", "checksum": diff["checksum"]})
    ended = served.get(f"/runs/{run['run_id']}")
    assert (ended["state"], ended["message"]) == ("stopped", "ci-approve rejected the diff.")
    approve(served, diff)
    again = served.post(f"/diffs/{diff['diff_id']}/runs", "start", {"kind": "apply", "wait_for_window": True}, 202)
    assert again["state"] == "waiting"
    runner = served.app.state.services.runner
    runner.close()
    last = next(each for each in runner.runs() if each.run_id == again["run_id"])
    assert (last.state, last.message.split(".")[0]) == ("stopped", "The server stopped before the window opened")
    assert "Apply when it opens" in page(served, diff)
