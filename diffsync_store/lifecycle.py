"""Adapters that hold a connection say so with an `open` and a `close` of their own; most have neither."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_depths: dict[int, int] = {}
"""How often an adapter is open, by its id."""
_lock = threading.Lock()


@contextmanager
def opened(adapter: Any) -> Iterator[None]:
    """Call the adapter's `open` before the body and its `close` after it, also where the body raises.

    Either may be missing. A method that needs arguments is another one, and is not called. Inside of another `opened` of the same adapter
    this does nothing, so a program that opens its target itself may sync it. Where `open` raises, `close` is not called.
    """
    with _lock:
        depth = _depths[id(adapter)] = _depths.get(id(adapter), 0) + 1
    try:
        if depth > 1:
            yield
            return
        _call(adapter, "open")
        try:
            yield
        except BaseException as error:
            try:
                _call(adapter, "close")
            except Exception as second:  # noqa: BLE001  # the first error is the one to see
                error.add_note(f"The adapter could not be closed either: {type(second).__name__}: {second}")
            raise
        _call(adapter, "close")
    finally:
        with _lock:
            _depths[id(adapter)] -= 1
            if not _depths[id(adapter)]:
                del _depths[id(adapter)]


def _call(adapter: Any, name: str) -> None:
    method = getattr(adapter, name, None)
    if callable(method) and hasattr(type(adapter), name) and _needs_nothing(method):
        method()


def _needs_nothing(method: Any) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
