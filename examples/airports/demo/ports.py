"""Free ports for servers."""

import random
import socket

SERVERS = range(20_000, 32_000)
"""Ports below the ephemeral range, so that no outgoing connection takes one before its server listens."""


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    for port in random.SystemRandom().sample(SERVERS, 100):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"None of 100 ports in {SERVERS} is free on 127.0.0.1.")
