"""A sync of the airport registry that is killed at random points, over and over, ends where an undisturbed one ends.

`SYNC_KILLS` is the number of kills in each case; more of them take longer: whoever goes on waits two seconds for the
claim of the dead. From 50 on, the sync of the whole registry into an empty target is among the cases.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.sync import scheduler
from diffsync_store.sync.options import SyncOptions
from tests.conftest import demand
from tests.servers import RedisServer
from tests.sync import airports
from tests.sync.conftest import Bench
from tests.sync.systems import System

KILLS = int(os.environ.get("SYNC_KILLS", "3"))
SPREAD = 7919
"""A prime: its multiples spread the calls at which the sync is killed."""
MANY = 50


class Airports(Bench):
    """Two releases of the registry, and a target that keeps every call."""

    adapter: type[airports.Registry] = airports.Registry

    def source(self) -> airports.Registry:  # type: ignore[override]
        return self.adapter("source", self.store("source"))

    def target(self) -> airports.Registry:  # type: ignore[override]
        return self.adapter("target", self.store("target"), self.system)

    def prepare(self, old: Path | None, new: Path) -> SavedDiff:
        for side, release in ((self.source(), new), (self.target(), old)):
            with side.store.loading():
                if release is not None:
                    side.read(release)
            if side.system is not None:
                side.system.fill(side)
            side.store.close()
        self.diffs.compare(self.source(), self.target(), self.name)
        return self.saved()

    def equals(self, release: Path) -> bool:
        """Whether the target's system and its store hold a release."""
        wanted = airports.Registry("wanted").read(release)
        held = {
            (name, obj.get_unique_id()): obj.get_attrs()
            for name in wanted.get_all_model_names()
            for obj in wanted.get_all(name)
        }
        assert not self.target().diff_from(self.source()).has_diffs()
        return self.system.records() == held


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer("valkey") as running:
        yield running


@pytest.fixture
def bench(server: RedisServer, tmp_path: Path) -> Iterator[Airports]:
    made = Airports(server.url, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def releases() -> tuple[Path, Path]:
    return demand(airports.releases)


def apply_and_die(bench: Airports, when: str, call: int, seconds: float, options: SyncOptions) -> bool:
    """Apply in a process that is killed at a call of the system; tell whether it came to its end before.

    Args:
        bench: the stores, the saved diff and the target's system.
        when: before the call, after it, or so many `seconds` after it began.
        call: its number.
        seconds: up to which it may be anywhere.
        options: of the sync.
    """
    process = os.fork()
    if process == 0:
        try:
            target, calls = bench.target(), count(1)
            system = target.system = System(bench.system.path)

            def die(_: str) -> None:
                if next(calls) == call:
                    if when == "meanwhile":
                        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
                    else:
                        os.kill(os.getpid(), signal.SIGKILL)

            setattr(system, "after" if when == "after" else "before", die)
            result = RedisDiffs(url=bench.url).open(bench.name).apply(bench.source(), target, options=options)
            target.store.close()
            os._exit(0 if result.is_complete else 3)
        except BaseException:  # noqa: BLE001  # the process ends here whatever it was
            traceback.print_exc()
        finally:
            os._exit(4)
    status = os.waitpid(process, 0)[1]
    assert status in {0, signal.SIGKILL}, f"the sync ended with {status}"
    return status == 0


CASES = {
    "one worker": (airports.Registry, SyncOptions()),
    "four workers": (airports.Registry, SyncOptions(workers=4)),
    "moves": (airports.Moving, SyncOptions()),
    "bulk": (airports.Bulk, SyncOptions(batch_size=20)),
    "bulk and workers": (airports.Bulk, SyncOptions(batch_size=20, workers=4)),
    "small windows": (airports.Bulk, SyncOptions(batch_size=20)),
    "deletes at their places": (airports.Bulk, SyncOptions(deletes_last=False)),
}


@pytest.mark.slow
@pytest.mark.timeout(400 + 20 * KILLS)
@pytest.mark.parametrize("case", CASES)
def test_a_sync_killed_at_many_points_does_everything_once(
    bench: Airports, releases: tuple[Path, Path], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.adapter, options = CASES[case]
    if case == "small windows":  # of the diff, of which one is in memory
        monkeypatch.setattr(scheduler, "_WINDOW", 300)
        monkeypatch.setattr(scheduler, "_MAX_WINDOW", 300)
    saved = bench.prepare(*releases)
    assert saved.record.operations > 2000
    kill_repeatedly(bench, saved, options, releases[1])


@pytest.mark.slow
@pytest.mark.timeout(600 + 20 * KILLS)
@pytest.mark.skipif(KILLS < MANY, reason=f"takes minutes: set SYNC_KILLS to {MANY} or more")
def test_a_sync_into_an_empty_target_killed_at_many_points_does_everything_once(
    bench: Airports, releases: tuple[Path, Path]
) -> None:
    saved = bench.prepare(None, releases[0])
    assert saved.record.operations > 30_000
    kill_repeatedly(bench, saved, SyncOptions(), releases[0])


def kill_repeatedly(bench: Airports, saved: SavedDiff, options: SyncOptions, wanted: Path) -> None:
    kills, has_ended = 0, False
    widest = 2 * saved.record.operations // (3 * KILLS)
    while kills < KILLS and not has_ended:
        when = ("meanwhile", "before", "after")[kills % 3]
        call = 1 + (kills + 1) * SPREAD % widest
        has_ended = apply_and_die(bench, when, call, kills % 5 * 0.005, options)
        kills += not has_ended
    assert kills == KILLS or has_ended
    result = bench.saved().apply(bench.source(), bench.target(), options=options)
    assert result.is_complete
    calls = bench.system.calls()
    assert len(calls) == len(set(calls))
    moved = sum(call.startswith("move ") for call in calls)
    assert len(calls) == saved.record.operations - moved
    assert moved > 0 or bench.adapter is not airports.Moving
    assert bench.equals(wanted)
    assert bench.saved().apply(bench.source(), bench.target()).applied_before
