"""Everything that the library raises.

ObjectCrudException             raised by a model's `create`, `update`, `delete`
    ObjectNotCreated
    ObjectNotUpdated
    ObjectNotDeleted
    OutcomeUnknown              the answer was lost: the operation may have been done or not
ObjectStoreException            a store cannot do what was asked of it
    ObjectAlreadyExists         `.existing_object` is what stands in the way
    ObjectNotFound
    ObjectStoreWrongType
    ObjectNotStorable           a value of the object would not come back from the store as it is
    StoreUnavailable            Redis cannot be reached, or does not answer
    StoreNotFound               no store has this `store_id`: never loaded, dropped or expired
    StoreNotComplete            the store's load did not end; `.record` says how far it came
    StoreInUse                  another live process is writing to the store
        LeaseHeld               another one has the lease on the target; `.holder` says who
        LeaseLost               this process's lease was taken by another one, or broken
    StoreReloaded               the store was loaded anew, so what was read of it before is out of date
    DiffNotFound                no saved diff has this `diff_id`
    DiffExists                  a saved diff has this `diff_id`, and somebody has approved it or begun to apply it
    DiffNotApproved             nobody has approved the saved diff, or it is not what was approved
DiffException
    DiffClassMismatch
    TreeTooDeep                 objects stand below each other in too many levels, or below themselves
ChangeLimitExceeded             a sync would change more than it may; `.excesses` says what; nothing was applied
SyncStopped                     a guard has ended a sync
InvalidOptions                  an option of a sync is out of its range; a ValueError
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffsync_store.diff import DiffElement
    from diffsync_store.guards.change_limits import Excess
    from diffsync_store.model import DiffSyncModel
    from diffsync_store.store.record import StoreRecord
    from diffsync_store.store.redis.leases import Holder


class _WithFacts(Exception):
    """An exception that knows more than its message, and keeps it when it is copied or sent to another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(kind: type[Exception], args: tuple[Any, ...], facts: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class ObjectCrudException(Exception):
    """An object could not be created, updated or deleted in its system."""


class ObjectNotCreated(ObjectCrudException):
    """An object could not be created in its system."""


class ObjectNotUpdated(ObjectCrudException):
    """An object could not be updated in its system."""


class ObjectNotDeleted(ObjectCrudException):
    """An object could not be deleted from its system."""


class OutcomeUnknown(ObjectCrudException):
    """The system's answer was lost: whether the operation was done is not known.

    A model's `create`, `update` or `delete` raises it, or a `..._many` hook returns it for a record.
    """


class ObjectStoreException(Exception):
    """A store could not do what was asked of it."""


class ObjectAlreadyExists(_WithFacts, ObjectStoreException):
    """An object with the same identifiers is there already."""

    def __init__(self, message: str, existing_object: DiffSyncModel | DiffElement, *args: Any, **kwargs: Any) -> None:
        super().__init__(message, existing_object, *args, **kwargs)
        self.existing_object = existing_object

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets the object without its adapter where that one's store cannot go there."""
        made, (kind, args, facts) = super().__reduce__()
        found = self.existing_object
        store = getattr(getattr(found, "adapter", None), "store", None)
        if getattr(store, "is_in_memory", True):
            return made, (kind, args, facts)
        alone = copy(found)
        alone.__dict__["adapter"] = None
        args = tuple(alone if arg is found else arg for arg in args)
        return made, (kind, args, {**facts, "existing_object": alone})

    def __str__(self) -> str:
        return str(self.args[0])


class ObjectNotFound(ObjectStoreException):
    """No object has these identifiers."""


class ObjectStoreWrongType(ObjectStoreException):
    """A store was given something that it cannot look up."""


class ObjectNotStorable(ObjectStoreException):
    """A value of the object would not come back from the store as it is; the message names the field and the type."""


class StoreUnavailable(ObjectStoreException):
    """Redis cannot be reached, or does not answer; its error is the cause."""


class StoreNotFound(ObjectStoreException):
    """No store has this `store_id`: it was never loaded, was dropped, or expired."""


class StoreNotComplete(_WithFacts, ObjectStoreException):
    """The store's load did not end, so what it lacks means nothing."""

    def __init__(self, message: str, record: StoreRecord) -> None:
        super().__init__(message)
        self.record = record


class StoreInUse(ObjectStoreException):
    """Somebody works with the store or the saved diff."""


class LeaseHeld(_WithFacts, StoreInUse):
    """Another one has the lease on the target."""

    def __init__(self, message: str, holder: Holder | None) -> None:
        super().__init__(message)
        self.holder = holder


class LeaseLost(StoreInUse):
    """This process's lease was taken by another one, or broken: it may change the target no more."""


class StoreReloaded(ObjectStoreException):
    """The store was loaded anew, so what was read of it before is out of date."""


class DiffNotFound(ObjectStoreException):
    """No saved diff has this `diff_id`."""


class DiffExists(_WithFacts, ObjectStoreException):
    """A saved diff has this `diff_id`, and it is not replaced: somebody has approved it, or begun to apply it."""

    def __init__(self, message: str, diff_id: str) -> None:
        super().__init__(message)
        self.diff_id = diff_id


class DiffNotApproved(ObjectStoreException):
    """Nobody has approved the saved diff, or it is not what was approved."""


class SyncStopped(Exception):
    """A guard has ended a sync; what was not tried is pending."""


class SyncInterrupted(SyncStopped, ObjectStoreException):
    """The store or the journal could not be reached or written; the redis error is in the chain of causes."""


class SyncTakenOver(SyncStopped):
    """Another sync of the same diff has begun, and this one may change the target no more."""


class JournalLost(SyncStopped):
    """Redis has lost what this sync had set down in its journal."""


class InvalidOptions(ValueError):
    """An option of a sync is out of its range."""


class DiffException(Exception):
    """A diff could not be built."""


class TreeTooDeep(DiffException, RecursionError):
    """Objects stand below each other in more levels than can be gone through, or below themselves."""


class DiffClassMismatch(DiffException):
    """Two objects that were to be compared are of different types."""


class ChangeLimitExceeded(_WithFacts):
    """A sync would change more than its change limits allow; nothing was applied."""

    def __init__(self, message: str, excesses: tuple[Excess, ...]) -> None:
        super().__init__(message)
        self.excesses = excesses
