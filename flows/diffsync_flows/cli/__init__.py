"""The command `diffsync-flows`."""

from diffsync_flows.cli.app import app, main

__all__ = ["app", "main"]
