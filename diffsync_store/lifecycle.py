"""Adapters that hold a connection say so with an `open` and a `close` of their own; most have neither."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffsync_store._process_lock import process_lock


class _Use:
    """That an adapter is open, for all that use it at the same time."""

    def __init__(self) -> None:
        self.users = 0
        self.thread: int | None = None
        """The thread that opens or closes it; the others wait."""
        self.is_open = False
        self.failure: BaseException | None = None
        """Why it could not be opened."""


_uses: dict[int, _Use] = {}
"""By the ids of the adapters."""
_changed = threading.Condition(process_lock())


@contextmanager
def opened(adapter: Any) -> Iterator[None]:
    """Call the adapter's `open` before the body and its `close` after it, also where the body raises.

    Either may be missing. A method that needs arguments is another one, and is not called. Inside of another `opened` of the same adapter
    this calls neither, so a program that opens its target itself may sync it. Where `open` raises, `close` is not called.

    Threads may use one adapter at the same time: the first one opens it, the others wait until it is open, and the last one closes
    it. Where `open` raises, those that wait raise the same.
    """
    use = _join(adapter)
    if use is None:
        yield
        return
    try:
        _see_to_it_that_it_is_open(adapter, use)
        yield
    except BaseException as error:
        try:
            _leave(adapter, use)
        except Exception as second:  # noqa: BLE001  # the first error is the one to see
            error.add_note(f"The adapter could not be closed either: {type(second).__name__}: {second}")
        raise
    _leave(adapter, use)


def _join(adapter: Any) -> _Use | None:
    """Be one of those who use the adapter; None where its own `open` or `close` does so."""
    me = threading.get_ident()
    with _changed:
        while (use := _uses.get(id(adapter))) is not None and not use.users:  # it is being closed
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


def _see_to_it_that_it_is_open(adapter: Any, use: _Use) -> None:
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
                del _uses[id(adapter)]  # whoever comes now tries again
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
    """In a child process that was forked: what another thread has begun there never ends here."""
    for name, use in list(_uses.items()):
        if use.thread not in {None, threading.get_ident()}:
            del _uses[name]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


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
