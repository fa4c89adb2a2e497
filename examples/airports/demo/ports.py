"""Ports for servers that are started here."""

import random
import socket

SERVERS = range(20_000, 32_000)
"""Below those that the system hands out by itself: one of these is not taken by a connection before its server has come up."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    for port in random.SystemRandom().sample(SERVERS, 100):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"none of a hundred ports among {SERVERS} is free on 127.0.0.1")
