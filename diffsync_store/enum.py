"""Flags, actions and states."""

import enum
from typing import Any


class _Flags(enum.Flag):
    """Flags that accept the flags of another package, such as diffsync, by their bits."""

    @classmethod
    def _missing_(cls, value: Any) -> Any:
        return cls(value.value) if isinstance(value, enum.Flag) else super()._missing_(value)

    def __contains__(self, other: Any) -> bool:
        is_foreign = isinstance(other, enum.Flag) and not isinstance(other, type(self))
        return super().__contains__(type(self)(other) if is_foreign else other)


class DiffSyncModelFlags(_Flags):
    """Flags of one model object, in `DiffSyncModel.model_flags`."""

    NONE = 0

    IGNORE = 0b1
    """Ignore the object and everything below it."""

    SKIP_CHILDREN_ON_DELETE = 0b10
    """When the object is deleted, remove its children from the store without calling their `delete`."""

    SKIP_UNMATCHED_SRC = 0b100
    """Do not create the object if only the source has it."""

    SKIP_UNMATCHED_DST = 0b1000
    """Do not delete the object if only the target has it."""

    NATURAL_DELETION_ORDER = 0b10000
    """Delete the object's children before the object itself."""

    SKIP_UNMATCHED_BOTH = SKIP_UNMATCHED_SRC | SKIP_UNMATCHED_DST


class DiffSyncFlags(_Flags):
    """Flags of a diff or a sync as a whole."""

    NONE = 0

    CONTINUE_ON_FAILURE = 0b1
    """Continue if the `create`, `update` or `delete` of an object fails; `Diff.result` lists the failures."""

    SKIP_UNMATCHED_SRC = 0b10
    """Create nothing: skip objects that only the source has."""

    SKIP_UNMATCHED_DST = 0b100
    """Delete nothing: skip objects that only the target has."""

    SKIP_UNMATCHED_BOTH = SKIP_UNMATCHED_SRC | SKIP_UNMATCHED_DST

    LOG_UNCHANGED_RECORDS = 0b1000
    """Include unchanged objects in the diff, and log each of them during a sync."""


class DiffSyncStatus(enum.Enum):
    """Outcome of the last operation on a model object."""

    UNKNOWN = "unknown"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class DiffSyncActions:
    """Actions of a diff element. They are plain strings, which programs compare, print and store."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SKIP = "skip"
    NO_CHANGE = None


class OperationState(enum.Enum):
    """State of one operation of a saved diff."""

    PENDING = "pending"
    SENT = "sent"
    """Sent to the target's system; the outcome is not known yet."""
    DONE = "done"
    FAILED = "failed"
    CONFLICT = "conflict"
    """The record has changed since the diff was made, so it was not overwritten."""
    BLOCKED = "blocked"
    """The operation on its parent was not done."""
    SUPPRESSED = "suppressed"
    """Left out; it can be applied later."""
    WAITING = "waiting"
    """Left out until it is approved, by a rule."""
    IGNORED = "ignored"
    """Left out by a rule, and only counted."""

    @property
    def is_left_out(self) -> bool:
        """Whether a sync has left it out without trying it."""
        return self in {OperationState.SUPPRESSED, OperationState.WAITING, OperationState.IGNORED}


class StoreState(enum.Enum):
    """State of the load of a store."""

    LOADING = "loading"
    """A load is running, or its process died."""

    COMPLETE = "complete"
    """The load succeeded: the store has all records of the system."""

    PARTIAL = "partial"
    """The load ended and reported missing records."""

    FAILED = "failed"
    """The load raised an exception; the record of the store has the reason."""


class ShardState(enum.Enum):
    """State of one shard of a load."""

    MISSING = "missing"
    """Nobody has begun to load it."""

    LOADING = "loading"
    """Its load is running, or its process died."""

    COMPLETE = "complete"
    """Its load succeeded."""

    PARTIAL = "partial"
    """Its load ended and reported missing records."""

    FAILED = "failed"
    """Its load raised an exception; the shard has no objects."""
