"""BehindTcpProxy: a system behind a TCP connection, such as a database, whose faults a TcpProxy makes."""

from __future__ import annotations

from abc import abstractmethod

import pytest

from diffsync_store.adapter import Adapter
from diffsync_store.store.base import BaseStore
from diffsync_store.testing.proxies.tcp import TcpProxy
from diffsync_store.testing.system import Fault, Side, SystemUnderTest

_NO_SERVICE = 9
"""The port of the discard service, where nothing listens."""


class BehindTcpProxy(SystemUnderTest):
    """A system under test that an adapter reaches through a proxy, which cuts connections.

    Args:
        proxy: the proxy in front of the system; the caller starts and stops it.
    """

    reads = rb"(?i)\bSELECT\b"
    """What is in the bytes of a call that reads."""
    writes = rb"(?i)\b(INSERT|UPDATE|DELETE)\b"
    """What is in the bytes of a call that writes."""
    ends = rb"(?i)\bCOMMIT\b"
    """What is in the bytes of the call after which a write is done."""

    def __init__(self, proxy: TcpProxy) -> None:
        self.proxy = proxy
        proxy.clear()

    @abstractmethod
    def make_adapter_at(self, port: int, store: BaseStore) -> Adapter:
        """Return a new adapter of the system at this port of 127.0.0.1, over a store."""

    def make_adapter(self, store: BaseStore) -> Adapter:
        return self.make_adapter_at(self.proxy.port, store)

    def make_unreachable_adapter(self, store: BaseStore) -> Adapter:
        return self.make_adapter_at(_NO_SERVICE, store)

    def fail_next(self, fault: Fault, on: Side, times: int = 1) -> None:
        if fault == "lost answer":
            self.proxy.lose_answers(self.ends, every=10**9)
        elif fault == "reset":
            self.proxy.cut_before(self.reads if on == "read" else self.writes, times)
        else:
            pytest.skip(f"A connection of {type(self).__name__} has no fault {fault!r}.")
