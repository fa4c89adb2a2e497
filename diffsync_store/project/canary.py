"""The canary of a sync, as the file declares it."""

from pydantic import Field

from diffsync_store.canary import Canary
from diffsync_store.project.duration import Pause


class CanaryEntry(Canary):
    """The operations that a sync applies first, and checks before it applies the rest. Threads may share it."""

    settle: Pause = Field(0.0, examples=["30s"])
    """Time to wait before the objects are read back from the target."""
