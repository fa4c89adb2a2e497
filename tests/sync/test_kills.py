"""A sync that is killed at random points, over and over, ends where an undisturbed one ends.

`SYNC_KILLS` is the number of kills; more of them take longer: whoever goes on waits two seconds for the claim of the dead.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import traceback

import pytest

from diffsync_store.store.redis_diffs import RedisDiffs
from diffsync_store.sync.options import SyncOptions
from tests.sync.conftest import Bench, Sites

KILLS = int(os.environ.get("SYNC_KILLS", "6"))
SITES, DEVICES = 60, 50


def releases(seed: int) -> tuple[Sites, Sites]:
    """Two releases of some 3,000 records: creates, updates and deletes at both levels."""
    dice = random.Random(seed)

    def release() -> Sites:
        return {
            f"s{site:02}": (dice.choice("rq"), {f"d{device:02}": dice.choice("xyz") for device in range(DEVICES) if dice.random() < 0.8})
            for site in range(SITES)
            if dice.random() < 0.8
        }  # fmt: skip

    return release(), release()


def apply_and_die(bench: Bench, after: float, options: SyncOptions) -> bool:
    """Apply in a process that is killed so many seconds after its first call; tell whether it came to its end before."""
    process = os.fork()
    if process == 0:
        try:
            target = bench.target()
            assert target.system is not None
            timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL))

            def begin(call: str) -> None:
                assert target.system is not None
                target.system.before = lambda _: None
                timer.start()

            target.system.before = begin
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


@pytest.mark.slow
@pytest.mark.timeout(60 + 5 * KILLS)
@pytest.mark.parametrize("options", [SyncOptions(), SyncOptions(workers=4)], ids=["one worker", "four workers"])
def test_a_sync_killed_at_random_points_does_everything_once(bench: Bench, options: SyncOptions) -> None:
    dice = random.Random(4711)
    saved = bench.load(*releases(4711))
    operations = saved.record.operations
    assert operations > 2000
    kills = 0
    while kills < KILLS and not apply_and_die(bench, dice.uniform(0, 2 * 4.0 / KILLS), options):
        kills += 1
    bench.saved().apply(bench.source(), bench.target(), options=options)
    calls = bench.system.calls()
    assert kills > 0
    assert (len(calls), len(set(calls))) == (operations, operations)
    assert bench.settled()
    assert bench.saved().apply(bench.source(), bench.target()).applied_before
