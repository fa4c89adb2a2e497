"""Handle forks and the end of the process for open stores.

A forked child process is another writer than its parent. It writes each change at once, instead of buffering, because it may end by
`os._exit`, which runs no code of the library.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import structlog

from diffsync_store.exceptions import ObjectAlreadyExists, ObjectStoreException


class _Store(Protocol):
    """The attributes of a Redis store that this module uses."""

    store_id: str
    _store_lock: Any

    def close(self) -> None: ...
    def _prepare_to_fork(self) -> None: ...
    def _reset_in_child(self) -> None: ...
    def _replace_lock(self) -> None: ...


_LOCK_TIMEOUT = 60.0
"""Seconds to wait, before a fork, for a thread that holds the lock of a store."""

_open: weakref.WeakValueDictionary[int, _Store] = weakref.WeakValueDictionary()
_forking: list[_Store] = []
"""Stores whose lock this process holds during a fork."""


def register(store: _Store) -> None:
    """Flush the store when the process ends."""
    _open[id(store)] = store
    _register_with_multiprocessing()


def unregister(store: _Store) -> None:
    """Do not flush the store when the process ends."""
    _open.pop(id(store), None)


def close_logging_errors(store: _Store) -> None:
    """Close a store where no caller can catch an error; log it instead."""
    try:
        store.close()
    except (ObjectStoreException, ObjectAlreadyExists) as error:
        structlog.get_logger().error(f"Store {store.store_id!r}: its pending changes are lost. {error}")


def _stores() -> list[_Store]:
    return [store for reference in _open.valuerefs() if (store := reference()) is not None]


@atexit.register
def _close_open_stores() -> None:
    for store in _stores():
        close_logging_errors(store)


def _register_with_multiprocessing() -> None:
    """Close stores at the end of a child process of multiprocessing, which runs its own finalizers and then `os._exit`."""
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None and _registered_exit.pid != os.getpid():
        _registered_exit.pid = os.getpid()
        util.Finalize(None, _close_open_stores, exitpriority=100)


class _RegisteredExit:
    """The process whose exit is registered with multiprocessing."""

    pid = 0


_registered_exit = _RegisteredExit()


def _before_fork() -> None:
    for store in _stores():
        if store._store_lock.acquire(timeout=_LOCK_TIMEOUT):
            _forking.append(store)
            with suppress(ObjectStoreException, ObjectAlreadyExists):  # the changes stay pending in this process
                store._prepare_to_fork()


def _after_fork(begin: Callable[[_Store], None] | None = None) -> None:
    while _forking:
        store = _forking.pop()
        if begin is not None:
            begin(store)
        store._store_lock.release()


def _after_fork_in_child() -> None:
    for store in _stores():
        if store not in _forking:  # a thread of the parent held its lock
            store._replace_lock()
    _after_fork(lambda store: store._reset_in_child())
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:  # it clears its finalizers at the start of a child, and then calls this function
        util.register_after_fork(_registered_exit, lambda _: _register_with_multiprocessing())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
