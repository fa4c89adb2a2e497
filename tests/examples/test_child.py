import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airports.demo.child import Child
from diffsync_flows.config.config import environment
from tests.servers import is_gone, wait_until

PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[tuple[Child, psutil.Process]]:
    """A child process that started another one in a new session, as Prefect's workers do."""
    file = tmp_path / "pid"
    command = [sys.executable, "-c", PARENT, str(file)]
    with Child("parent", command, log=tmp_path / "log", environment=environment(), cwd=tmp_path) as child:
        wait_until(lambda: file.exists() and file.read_text(), 100)
        yield child, psutil.Process(int(file.read_text()))


@pytest.mark.parametrize("end", [Child.stop, Child.kill])
def test_the_processes_of_a_child_end_with_it(family: tuple[Child, psutil.Process], end: object) -> None:
    child, grandchild = family
    assert callable(end)
    end(child)
    assert child.process.poll() is not None
    wait_until(lambda: is_gone(grandchild), 100)


def test_a_child_that_ignores_sigterm_is_killed_after_the_timeout(tmp_path: Path) -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    with Child(
        "deaf", [sys.executable, "-c", program], log=tmp_path / "log", environment=environment(), cwd=tmp_path
    ) as child:
        child.wait_until(lambda: "up" in (tmp_path / "log").read_text(), 100)
        began = time.monotonic()
        child.stop(seconds=0.2)
        assert time.monotonic() - began < 200
    assert child.process.returncode == -9


def test_the_error_of_a_dead_child_has_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such port')"]
    with (
        Child("server", command, log=tmp_path / "log", environment=environment(), cwd=tmp_path) as child,
        pytest.raises(RuntimeError, match="server ended with 1:\nno such port"),
    ):
        child.wait_until(lambda: False, 100)
