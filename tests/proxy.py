"""A proxy between a client and a Redis on 127.0.0.1 that loses answers."""

from diffsync_store.testing import TcpProxy


class Proxy(TcpProxy):
    """Forwards to a port of 127.0.0.1.

    with Proxy(server.port) as proxy:
        client = redis.Redis.from_url(proxy.url)
    """

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"
