"""Free ports for servers."""

import random
import socket

SERVERS = range(20_000, 32_000)
"""Below the ephemeral ports, so that no outgoing connection takes a port before its server listens."""


def free_port() -> int:
    """A port of 127.0.0.1 that is not in use."""
    for port in random.SystemRandom().sample(SERVERS, 100):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"None of 100 ports in {SERVERS} is free on 127.0.0.1.")
