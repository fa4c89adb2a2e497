"""Rules: what becomes of each operation of a diff. Pure functions, no I/O."""

from diffsync_store.rules.decision import Decision, Ruling

__all__ = ["Decision", "Ruling"]
