"""Locks that survive a fork."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any


def process_lock() -> Any:
    """Return a lock for short critical sections. A fork waits for it, so that it is free in the child."""
    lock = RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
