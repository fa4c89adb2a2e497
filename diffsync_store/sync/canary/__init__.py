"""Apply a canary before the rest of a diff: choose its operations, apply them, check them."""

from diffsync_store.sync.canary.first_wave import FirstWave, planned
from diffsync_store.sync.canary.wave import Wave

__all__ = ["FirstWave", "Wave", "planned"]
