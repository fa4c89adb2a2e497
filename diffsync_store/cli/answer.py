"""The answer of a person: a line of standard input, and terminals that do not show what is typed."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def read_line() -> str:
    """Read a line of standard input, without its end.

    A signal interrupts it at any moment: `input()` misses one that comes just before it reads, so that after Ctrl-C it
    waits for another key.

    Raises:
        EOFError: the input has ended.
    """
    descriptor = _descriptor()
    if descriptor is not None:
        line = _read_bytes(descriptor).decode(sys.stdin.encoding, sys.stdin.errors or "strict")
    else:
        line = sys.stdin.readline() if sys.stdin else ""
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


@contextmanager
def without_echo() -> Iterator[None]:
    """Let the terminal not show what is typed, and drop what was typed before. Without a terminal, change nothing."""
    descriptor = _descriptor()
    if descriptor is None or not is_terminal():
        yield
        return
    before = termios.tcgetattr(descriptor)
    hidden = [*before]
    hidden[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, hidden)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def is_terminal() -> bool:
    """Whether standard input is a terminal."""
    descriptor = _descriptor()
    return descriptor is not None and os.isatty(descriptor)


def _descriptor() -> int | None:
    """Return the descriptor of standard input. What replaces it in a test may have none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _read_bytes(descriptor: int) -> bytes:
    """Read a line; the rest of the input is for the next question."""
    line = b""
    with _signals() as signals:
        while not line.endswith(b"\n"):
            while descriptor not in select.select([descriptor, *signals], [], [])[0]:
                os.read(signals[0], 1)  # the handler of the signal runs before the next wait
            if not (byte := os.read(descriptor, 1)):
                break
            line += byte
    return line


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Yield descriptors that have a byte for each signal. Only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield [reader]
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        os.close(reader)
        os.close(writer)
