"""A command in a terminal: a pseudo-terminal with a size, whose keys a test presses."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Run a command with a terminal as its input, output and error output."""

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], *, columns: int = 80
    ) -> None:
        self._parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        kept = {name: value for name, value in environment.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env={**kept, "TERM": "xterm-256color"},
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(child)
        self.output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(100)
        os.close(self._parent)

    def press(self, keys: str) -> None:
        os.write(self._parent, keys.encode())

    def read_until(self, text: str, timeout: float = 100) -> str:
        """Read until the output has a text; return all of it, without colours."""
        deadline = time.monotonic() + timeout
        while text not in self.plain:
            assert time.monotonic() < deadline, f"no {text!r} in {self.plain}"
            assert self._read(0.2), f"ended without {text!r}: {self.plain}"
        return self.plain

    def wait(self, timeout: float = 100) -> int:
        """Read the rest; return the exit code."""
        deadline = time.monotonic() + timeout
        while self._read(0.2):
            assert time.monotonic() < deadline, self.plain
        return self.process.wait(100)

    @property
    def plain(self) -> str:
        return _SEQUENCE.sub("", self.output).replace("\r\n", "\n")

    def _read(self, seconds: float) -> bool:
        """Read what there is; return False at the end of the output."""
        if not select.select([self._parent], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._parent, 65536)
        except OSError:  # Linux reports the end as an error
            return False
        self.output += data.decode(errors="replace")
        return bool(data)
