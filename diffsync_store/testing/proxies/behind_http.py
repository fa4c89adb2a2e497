"""BehindHttpProxy: a system with an HTTP API whose faults an HttpProxy makes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

from diffsync_store.adapter import Adapter
from diffsync_store.store.base import BaseStore
from diffsync_store.testing.proxies.http import HttpProxy
from diffsync_store.testing.system import Fault, Side, SystemUnderTest

UNREACHABLE = "http://127.0.0.1:9/"
"""The port of the discard service, where nothing listens."""


class BehindHttpProxy(SystemUnderTest):
    """A system under test that an adapter reaches through a proxy: the cases of faults need nothing else.

        class WikiUnderTest(BehindHttpProxy):
            def make_adapter_at(self, url, store):
                return WikiAdapter(url, store=store)

    Args:
        proxy: the proxy in front of the system; the caller starts and stops it.
    """

    def __init__(self, proxy: HttpProxy) -> None:
        self.proxy = proxy
        proxy.clear()

    @abstractmethod
    def make_adapter_at(self, url: str, store: BaseStore) -> Adapter:
        """Return a new adapter of the system at this address, over a store."""

    def make_adapter(self, store: BaseStore) -> Adapter:
        return self.make_adapter_at(self.proxy.url, store)

    def make_unreachable_adapter(self, store: BaseStore) -> Adapter:
        return self.make_adapter_at(UNREACHABLE, store)

    def fail_next(self, fault: Fault, on: Side, times: int = 1) -> None:
        self.proxy.fail_next(fault, on, times)

    def deny(self, on: Side) -> AbstractContextManager[None]:
        return self.proxy.deny(on)

    def between_pages(self, action: Callable[[], None]) -> None:
        self.proxy.between_pages(action)

    def calls(self, side: Side) -> int:
        return self.proxy.calls(side)
