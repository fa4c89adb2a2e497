"""Open and close adapters that have the methods `open` and `close`, such as those with a connection."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffsync_store._process_lock import process_lock


class _Use:
    """The state of one open adapter, shared by all threads that use it."""

    def __init__(self) -> None:
        self.users = 0
        self.thread: int | None = None
        """The thread that opens or closes it, while the others wait."""
        self.is_open = False
        self.failure: BaseException | None = None
        """The error of `open`."""


_uses: dict[int, _Use] = {}
"""By `id` of the adapter."""
_changed = threading.Condition(process_lock())


@contextmanager
def opened(adapter: Any) -> Iterator[None]:
    """Call the adapter's `open` before the block and its `close` after it, even if the block raises.

    Either method may be missing. A method that requires arguments is not called. A nested `opened` of the same adapter calls
    neither, so a program may open its target before a sync. If `open` raises, `close` is not called.

    Threads may use one adapter at the same time: the first opens it, the others wait until it is open, and the last closes it.
    If `open` raises, all waiting threads raise the same error.
    """
    use = _join(adapter)
    if use is None:
        yield
        return
    try:
        _ensure_open(adapter, use)
        yield
    except BaseException as error:
        try:
            _leave(adapter, use)
        except Exception as second:  # noqa: BLE001  # the first error is the important one
            error.add_note(f"Closing the adapter failed too: {type(second).__name__}: {second}")
        raise
    _leave(adapter, use)


def _join(adapter: Any) -> _Use | None:
    """Count this thread as a user; return None inside the adapter's own `open` or `close`."""
    me = threading.get_ident()
    with _changed:
        while (use := _uses.get(id(adapter))) is not None and not use.users:  # another thread is closing it
            if use.thread == me:
                return None
            _changed.wait()
        if use is None:
            use = _uses[id(adapter)] = _Use()
            use.thread = me
        elif use.thread == me:
            return None
        use.users += 1
        return use


def _ensure_open(adapter: Any, use: _Use) -> None:
    with _changed:
        if use.thread != threading.get_ident():
            _changed.wait_for(lambda: use.thread is None)
            if use.failure is not None:
                raise use.failure
            return
    try:
        _call(adapter, "open")
        use.is_open = True
    except BaseException as error:
        use.failure = error
        raise
    finally:
        with _changed:
            use.thread = None
            if not use.is_open:
                del _uses[id(adapter)]  # the next thread tries again
            _changed.notify_all()


def _leave(adapter: Any, use: _Use) -> None:
    with _changed:
        use.users -= 1
        if use.users or not use.is_open:
            return
        use.thread = threading.get_ident()
    try:
        _call(adapter, "close")
    finally:
        with _changed:
            del _uses[id(adapter)]
            _changed.notify_all()


def _forget_other_threads() -> None:
    """Forget what other threads of the parent process started, because they do not exist in a forked child."""
    for name, use in list(_uses.items()):
        if use.thread not in {None, threading.get_ident()}:
            del _uses[name]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


def _call(adapter: Any, name: str) -> None:
    method = getattr(adapter, name, None)
    if callable(method) and hasattr(type(adapter), name) and _takes_no_arguments(method):
        method()


def _takes_no_arguments(method: Any) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
