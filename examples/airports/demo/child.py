"""A server or worker as a child process with a log file, stopped with all processes that it started."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

STOP_SECONDS = 15.0


def tied_to_parent() -> list[str]:
    """Return a command prefix that ends the command together with this process; empty if the system has none."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


class Child:
    """A process in its own session: Ctrl-C in the terminal reaches only the parent, which stops its children in order.

    It also ends when the parent is killed.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str], cwd: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*tied_to_parent(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=cwd,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Poll the condition.

        Raises:
            RuntimeError: The process ended, or the condition was not true in time; the message has the end of the log.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self._end_of_log()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} was not ready after {seconds:.0f} seconds:\n{self._end_of_log()}")
            time.sleep(0.1)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Terminate the process; after `seconds`, kill it and every process that it started."""
        family = self._family()
        self.process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        finally:
            self._kill(family)

    def kill(self) -> None:
        """Kill the process and every process that it started."""
        self._kill(self._family())

    def _kill(self, family: list[int]) -> None:
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def _family(self) -> list[int]:
        """Return the pids of the process and all its descendants: Prefect's workers start each run in a new session."""
        family = [self.pid] if self.process.poll() is None else []
        pairs = _parents_and_children()
        for parent in family:  # the list grows during the loop
            family.extend(pid for ppid, pid in pairs if ppid == parent)
        return family

    def _end_of_log(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]


def _parents_and_children() -> list[tuple[int, int]]:
    """Return each process with its parent; empty if the system has no `ps`, as in small containers."""
    ps = shutil.which("ps")
    if ps is None:
        return []
    listed = subprocess.run([ps, "-A", "-o", "ppid=,pid="], capture_output=True, text=True, check=True).stdout
    return [(int(ppid), int(pid)) for ppid, pid in map(str.split, listed.splitlines())]
