"""Run a function of a test module in another process, with messages over its standard input and output.

The process is a new interpreter, like that of a worker on another machine; it ends at a deadline.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 180.0


class ChildFailed(AssertionError):
    """The function raised, or the process died or reached its deadline."""


class Child:
    """A process that runs a top-level function of a module; arguments and result are sent as JSON.

    Used with `with`, which ends the process.
    """

    def __init__(self, function: Callable[..., Any], *, path: Sequence[Path] = (), **arguments: Any) -> None:
        self.name = f"{function.__module__}:{function.__qualname__}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, self.name, json.dumps(arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path)))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._deadline = threading.Timer(DEADLINE_SECONDS, self._process.kill)
        self._deadline.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._deadline.cancel()
        self._process.kill()
        self._process.communicate()

    def heard(self) -> Any:
        """Wait for the next message of the function."""
        return self._next("said")

    def tell(self, word: str = "go") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """Wait for the end of the process; return the result of the function."""
        result = self._next("result")
        self._process.wait(DEADLINE_SECONDS)
        return result

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(DEADLINE_SECONDS)

    def _next(self, kind: str) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildFailed(f"{self.name} ended with {self._process.wait(DEADLINE_SECONDS)} before its {kind}")
        message: dict[str, Any] = json.loads(line)
        if kind not in message:
            raise ChildFailed(f"{self.name}: waited for its {kind}, got {message.get('error', message)}")
        return message[kind]


def run(function: Callable[..., Any], *, path: Sequence[Path] = (), **arguments: Any) -> Any:
    """Run the function in another process; return its result."""
    with Child(function, path=path, **arguments) as child:
        return child.result()


def say(value: Any) -> None:
    """In the child: send a message to the test."""
    _send({"said": value})


def listen() -> str:
    """In the child: wait for a message of the test."""
    return sys.stdin.readline().strip()


def is_told(seconds: float = 0.001) -> bool:
    """In the child: return whether a message of the test arrives within the given time."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def _send(message: dict[str, Any]) -> None:
    os.write(_channel, json.dumps(message).encode() + b"\n")


def _main(name: str, arguments: str) -> None:
    module, _, function = name.partition(":")
    try:
        result = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    except Exception:  # noqa: BLE001  # the test is told of it
        _send({"error": traceback.format_exc()})
    else:
        _send({"result": result})


_channel = 1
if __name__ == "__main__":
    # The functions import this module by name and must use the same channel; nothing else may write to it.
    sys.modules["tests.store.child"] = sys.modules["__main__"]
    _channel = os.dup(1)
    os.dup2(2, 1)
    _main(*sys.argv[1:])
