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
