"""`diffsync-store init`: ask for two systems, look into them, and write a project file."""

from diffsync_store.cli.init.command import init

__all__ = ["init"]
