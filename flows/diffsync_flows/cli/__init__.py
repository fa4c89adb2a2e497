"""The commands of `diffsync-flows`."""

from diffsync_flows.cli.app import app

__all__ = ["app"]
