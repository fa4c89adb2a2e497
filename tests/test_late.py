from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import late


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(late, "sleep", found.append)
    return found


def start_everything() -> list[int]:
    """Start threads, works of a pool and processes; return what they have answered."""
    answers: list[int] = []
    for number in range(5):
        thread = threading.Thread(target=answers.append, args=(number,))
        thread.start()
        thread.join()
    with ThreadPoolExecutor(2) as pool:
        answers += pool.map(lambda number: 10 + number, range(5))
    for number in range(2):
        command = [sys.executable, "-I", "-S", "-c", f"raise SystemExit({20 + number})"]
        answers.append(subprocess.run(command, check=False).returncode)
    return answers


def test_what_a_test_starts_is_late_and_does_the_same(pauses: list[float]) -> None:
    found = []
    for seed in ("1", "1", "2"):
        with late.starts(seed, "test"):
            assert start_everything() == [*range(5), *range(10, 15), 20, 21]
        found.append(sorted(pause for pause in pauses if pause))
        pauses.clear()
    assert found[0] == found[1] != found[2]
    assert found[0]
    assert max(found[0]) <= late.MOST_SECONDS


def test_nothing_is_late_without_a_seed(pauses: list[float]) -> None:
    before = threading.Thread.start, ThreadPoolExecutor.submit, subprocess.Popen.__init__
    with late.starts(None, "test"):
        assert (threading.Thread.start, ThreadPoolExecutor.submit, subprocess.Popen.__init__) == before
        start_everything()
    with late.starts("1", "test"):
        pass
    assert (threading.Thread.start, ThreadPoolExecutor.submit, subprocess.Popen.__init__) == before
    assert pauses == []


def test_only_so_many_starts_are_late(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "MOST_STARTS", 2)
    with late.starts("1", "test"):
        start_everything()
    assert len([pause for pause in pauses if pause]) == 2
