"""The canary of a sync as data: which operations it applies first, and what became of them. No I/O but the journal's."""

from diffsync_store.canary.record import CanaryRecord, CanarySkip, end_canary, read_canary, write_canary
from diffsync_store.canary.settings import MAX_OPERATIONS, Canary
from diffsync_store.result import CanaryReport, Unsettled

__all__ = [
    "MAX_OPERATIONS",
    "Canary",
    "CanaryRecord",
    "CanaryReport",
    "CanarySkip",
    "Unsettled",
    "end_canary",
    "read_canary",
    "write_canary",
]
