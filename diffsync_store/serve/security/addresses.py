"""Where a request comes from."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

Networks = Sequence[IPv4Network | IPv6Network]
_KEY = "diffsync_client_address"


def peer_address(conn: HTTPConnection) -> str:
    """Return the address of the connection itself; no header changes it. A Unix socket has none."""
    return conn.client.host if conn.client else ""


def client_address(conn: HTTPConnection) -> str:
    """Return the address of the client, behind the trusted proxy if there is one."""
    found: str = conn.scope.get(_KEY) or peer_address(conn)
    return found


def is_in(address: str, networks: Networks) -> bool:
    """Whether an address is in one of the networks. An IPv4 address that is mapped to IPv6 counts as IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    plain = getattr(found, "ipv4_mapped", None) or found
    return any(plain in network for network in networks if network.version == plain.version)


def forwarded_address(peer: str, forwarded: Sequence[str], trusted: Networks) -> str:
    """Return the last address before the trusted proxies. What a client wrote in front of it does not count.

    Args:
        peer: the address of the connection.
        forwarded: the lines of `X-Forwarded-For`.
        trusted: addresses of proxies.
    """
    address = peer
    for hop in reversed([part.strip() for line in forwarded for part in line.split(",")]):
        if not is_in(address, trusted):
            break
        try:
            address = str(ip_address(hop))
        except ValueError:
            break
    return address


class ClientAddress:
    """Middleware that finds the address of the client once for each request."""

    def __init__(self, app: ASGIApp, trusted: Networks = ()) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            conn = HTTPConnection(scope)
            forwarded = conn.headers.getlist("x-forwarded-for")
            scope[_KEY] = forwarded_address(peer_address(conn), forwarded, self._trusted)
        await self._app(scope, receive, send)
