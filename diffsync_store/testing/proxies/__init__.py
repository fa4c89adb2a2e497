"""Proxies in front of a system under test, which make its faults."""

from diffsync_store.testing.proxies.behind_http import BehindHttpProxy
from diffsync_store.testing.proxies.behind_tcp import BehindTcpProxy
from diffsync_store.testing.proxies.http import HttpProxy, ProxiedRequest
from diffsync_store.testing.proxies.tcp import TcpProxy

__all__ = ["BehindHttpProxy", "BehindTcpProxy", "HttpProxy", "ProxiedRequest", "TcpProxy"]
