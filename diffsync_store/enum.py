"""The flags, actions and states that the public API speaks in."""

import enum
from typing import Any


class _Flags(enum.Flag):
    """Flags that take those of another package, diffsync's own among them, for what their bits say."""

    @classmethod
    def _missing_(cls, value: Any) -> Any:
        return cls(value.value) if isinstance(value, enum.Flag) else super()._missing_(value)

    def __contains__(self, other: Any) -> bool:
        is_foreign = isinstance(other, enum.Flag) and not isinstance(other, type(self))
        return super().__contains__(type(self)(other) if is_foreign else other)


class DiffSyncModelFlags(_Flags):
    """How one model object takes part in diffs and syncs; set on `DiffSyncModel.model_flags`."""

    NONE = 0

    IGNORE = 0b1
    """Leave the object and everything below it out of diffs and syncs."""

    SKIP_CHILDREN_ON_DELETE = 0b10
    """When the object is deleted, drop its children from the store without a `delete()` call for each."""

    SKIP_UNMATCHED_SRC = 0b100
    """Do not create the object in the target when only the source has it."""

    SKIP_UNMATCHED_DST = 0b1000
    """Do not delete the object from the target when only the target has it."""

    NATURAL_DELETION_ORDER = 0b10000
    """Delete the object's children before the object itself."""

    SKIP_UNMATCHED_BOTH = SKIP_UNMATCHED_SRC | SKIP_UNMATCHED_DST


class DiffSyncFlags(_Flags):
    """How one whole diff or sync behaves."""

    NONE = 0

    CONTINUE_ON_FAILURE = 0b1
    """Keep going when the `create`, `update` or `delete` of an object fails; the failures are in `Diff.result`."""

    SKIP_UNMATCHED_SRC = 0b10
    """Create nothing: leave out what only the source has."""

    SKIP_UNMATCHED_DST = 0b100
    """Delete nothing: leave out what only the target has."""

    SKIP_UNMATCHED_BOTH = SKIP_UNMATCHED_SRC | SKIP_UNMATCHED_DST

    LOG_UNCHANGED_RECORDS = 0b1000
    """Build unchanged objects into the diff too, and log each of them during a sync."""


class DiffSyncStatus(enum.Enum):
    """Outcome of the last operation on a model object."""

    UNKNOWN = "unknown"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class DiffSyncActions:
    """What a diff element asks a sync to do; plain strings, because they are compared, printed and stored."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SKIP = "skip"
    NO_CHANGE = None


class OperationState(enum.Enum):
    """What is known of one operation of a diff."""

    PENDING = "pending"
    SENT = "sent"
    """Given to the target's system; whether it was done is not known yet."""
    DONE = "done"
    FAILED = "failed"
    CONFLICT = "conflict"
    """The record was not what the diff saw; left alone."""
    BLOCKED = "blocked"
    """What it stands below was not done."""
    SUPPRESSED = "suppressed"
    """Left out; it can be applied later."""


class StoreState(enum.Enum):
    """What is known of a store's content."""

    LOADING = "loading"
    """A load is under way, or died on the way."""

    COMPLETE = "complete"
    """The load ended: the store holds everything that the system has."""

    PARTIAL = "partial"
    """The load ended and says that something is missing."""

    FAILED = "failed"
    """The load raised; the store's record holds the reason."""
