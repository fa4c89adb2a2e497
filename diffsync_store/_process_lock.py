"""Locks that a whole process shares."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any


def process_lock() -> Any:
    """A lock for what takes a moment; nobody has it when a child process is forked."""
    lock = RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
