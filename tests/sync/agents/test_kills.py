"""Agents that are killed and paused at random moments end where an undisturbed one ends: nothing is doubled, nothing is lost.

`AGENT_KILLS` is the number of rounds; each has another diff and other moments. `AGENT_SEED` is the first one.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from diffsync_store.agents import Agent
from diffsync_store.exceptions import SyncTakenOver
from diffsync_store.sync.options import SyncOptions
from tests.servers import RedisServer
from tests.sync.agents.inventory import Inventory, InventoryBench, MovingInventory, Strict, pause

ROUNDS = int(os.environ.get("AGENT_KILLS", "4"))
FIRST = int(os.environ.get("AGENT_SEED", "0"))
AGENTS = 4
LEASE = 0.5
ENDED, TAKEN_OVER, FAILED = 0, 5, 4


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


def start(bench: InventoryBench, dice: random.Random, name: str) -> int:
    """Start an agent in a process of its own, which may pause itself after a call; return its process id."""
    pauses_after = dice.choice([None, None, dice.randint(1, 20)])
    options = SyncOptions(
        workers=1 if pauses_after else dice.choice([1, 3])
    )  # a pause would stop the calls of other workers
    process = os.fork()
    if process:
        return process
    try:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        saved, source, target = bench.new_process()
        calls = iter(range(1, 10_000))
        assert target.system is not None
        target.system.after = lambda _: pause() if next(calls) == pauses_after else None
        saved.apply(source, target, options=options, agent=Agent(name=name, lease=LEASE, of=AGENTS))
        target.store.close()
        os._exit(ENDED)
    except SyncTakenOver:
        os._exit(TAKEN_OVER)
    except BaseException:  # noqa: BLE001  # the process ends here whatever it was
        traceback.print_exc()
    finally:
        os._exit(FAILED)


def wait(processes: list[int], until: float, *, continues: bool = False) -> dict[int, int]:
    """Return the status of each process that has ended, once all have or the time has come.

    Args:
        processes: their ids.
        until: when to give up.
        continues: those that pause.
    """
    ended: dict[int, int] = {}
    while len(ended) < len(processes) and time.monotonic() < until:
        for process in set(processes) - ended.keys():
            if continues:
                os.kill(process, signal.SIGCONT)
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                ended[process] = status
        time.sleep(0.005)
    return ended


def disturb(bench: InventoryBench, dice: random.Random) -> tuple[int, int]:
    """Run four agents, kill any of them at random moments, and continue those that have paused.

    Returns:
        How many were killed, and how many were taken over.
    """
    processes = [start(bench, dice, f"agent {number}") for number in range(AGENTS)]
    victims = dice.sample(processes, dice.randint(0, AGENTS))
    killed: set[int] = set()
    statuses: dict[int, int] = {}
    try:
        for victim in victims:
            time.sleep(dice.uniform(0, 0.25))
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        statuses |= wait(processes, time.monotonic() + dice.choice([LEASE / 3, 4 * LEASE]))
        left = [process for process in processes if process not in statuses]
        statuses |= wait(left, time.monotonic() + 100, continues=True)
    finally:
        for process in set(processes) - statuses.keys():
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    codes = [os.waitstatus_to_exitcode(status) for process, status in statuses.items() if process not in killed]
    assert set(statuses) == set(processes)
    assert set(codes) <= {ENDED, TAKEN_OVER}, codes
    return len(killed), codes.count(TAKEN_OVER)


@pytest.mark.timeout(200 + 40 * ROUNDS)
def test_agents_killed_and_paused_at_random_do_everything_once(server: RedisServer, tmp_path: Path) -> None:
    killed = 0
    for seed in range(FIRST, FIRST + ROUNDS):
        dice = random.Random(seed)
        bench = InventoryBench(server.url, tmp_path, (Inventory, MovingInventory)[seed % 2])
        try:
            saved = bench.prepare(dice)
            dead, taken_over = disturb(bench, dice)
            killed += dead
            if saved.journal().application() is None:
                assert dead, "somebody was killed, or the diff is applied"
                last, source, target = bench.new_process()
                last.apply(source, target, agent=Agent(name="last", lease=LEASE))
                target.store.close()
            application = saved.journal().application()
            assert application is not None, saved.round()
            calls = bench.system.calls()
            moved = sum(call.startswith("move ") for call in calls)
            assert len(calls) == len(set(calls)) == saved.record.operations - moved
            bench.require_in_sync()
            assert isinstance(bench.system, Strict)
            assert 1 <= bench.system.counted("sync_complete") <= 1 + dead + taken_over
            found = saved.round()
            assert found is not None
            assert found.closed_by
            assert found.units_done == found.units
        except BaseException as error:
            error.add_note(f"AGENT_SEED={seed} AGENT_KILLS=1")
            raise
        finally:
            bench.close()
    assert killed
