"""Adapters that hold a connection say so with an `open` and a `close` of their own; most have neither."""

from collections.abc import Iterator
from contextlib import contextmanager

from diffsync_store import Adapter


@contextmanager
def opened(adapter: Adapter) -> Iterator[None]:
    """Let the adapter open and close what it needs around the body."""
    _call(adapter, "open")
    try:
        yield
    finally:
        _call(adapter, "close")


def _call(adapter: Adapter, name: str) -> None:
    method = getattr(adapter, name, None)
    if callable(method):
        method()
