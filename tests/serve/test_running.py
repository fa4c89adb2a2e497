"""What the threads of a server share: the runs of the library."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from diffsync_store.project import UserError
from diffsync_store.serve.running import LibraryRunner, RunStatus, Start
from tests.serve.conftest import Served
from tests.servers import wait_until

THREADS = 8


def test_of_several_people_who_apply_a_diff_at_once_one_does(served: Served) -> None:
    diff = served.new_diff()
    served.context.diffs().open(diff["diff_id"]).approve(by="ann", reason="")
    runner = LibraryRunner(served.context)

    def start(number: int) -> RunStatus | UserError:
        try:
            return runner.start(Start("apply", "", diff["diff_id"]), by=f"person-{number}")
        except UserError as error:
            return error

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(start, range(THREADS)))
        started = [each for each in answers if isinstance(each, RunStatus)]
        wait_until(lambda: all(run.has_ended for run in runner.runs()), 120, "the runs have ended")
        assert started
        assert {run.run_id for run in runner.runs()} == {run.run_id for run in started}
        assert all(run.state == "done" for run in runner.runs())
        applied = sum(
            sum(run.counts.get(name, 0) for name in ("created", "updated", "deleted")) for run in runner.runs()
        )
        assert applied == diff["operations"]
    finally:
        runner.close()


def test_an_applied_diff_is_undone_from_its_page(served: Served) -> None:
    queries = "select * from site order by name", "select * from device order by site, name"
    before = [served.project.rows(query) for query in queries]
    diff = served.new_diff()
    path = f"/diffs/{diff['diff_id']}"
    assert "Make an undo" not in served.client.get(path, headers=served.person("bob")).text
    refused = served.post(f"{path}/runs", "start", {"kind": "undo"}, 409)
    assert "Nothing of diff" in str(refused)
    served.context.diffs().open(diff["diff_id"]).approve(by="ann", reason="")
    assert served.wait_for(served.post(f"{path}/runs", "start", {"kind": "apply"}, 202))["state"] == "done"
    assert [served.project.rows(query) for query in queries] != before
    assert served.api("POST", f"{path}/runs", "read", json={"kind": "undo"}).status_code == 403
    assert "Make an undo" in served.client.get(path, headers=served.person("bob")).text
    assert "Make an undo" not in served.client.get(path, headers=served.person("carol")).text
    run = served.wait_for(served.post(f"{path}/runs", "start", {"kind": "undo"}, 202))
    assert (run["state"], run["kind"]) == ("done", "undo")
    assert f'href="{run["link"]}"' in served.client.get(path, headers=served.person("bob")).text
    assert f'<a href="{path}">' in served.client.get(run["link"], headers=served.person("bob")).text
    served.context.diffs().open(run["link"].removeprefix("/diffs/")).approve(by="ann", reason="")
    assert served.wait_for(served.post(f"{run['link']}/runs", "start", {"kind": "apply"}, 202))["state"] == "done"
    assert [served.project.rows(query) for query in queries] == before
    again = served.wait_for(served.post(f"{path}/runs", "start", {"kind": "undo"}, 202))
    assert (again["message"], again["link"]) == ("Nothing is left to undo.", "")
