"""The exceptions of the library.

ObjectCrudException             a model's `create`, `update` or `delete` failed
    ObjectNotCreated
    ObjectNotUpdated
    ObjectNotDeleted
    OutcomeUnknown              the answer of the system was lost
ObjectStoreException            a store cannot process a request
    ObjectAlreadyExists         `.existing_object` is the object with the same identifiers
    ObjectNotFound
    ObjectStoreWrongType
    ObjectNotStorable           the store could not return a value of the object unchanged
    StoreUnavailable            Redis cannot be reached or does not answer
    StoreNotFound               no store has this `store_id`
    StoreNotComplete            the load of the store did not complete; `.record` has its state
    StoreInUse                  another process uses the store or the saved diff
        LeaseHeld               another process holds the lease of the target; `.holder` is its owner
        LeaseLost               another process took or removed the lease of this one
    StoreReloaded               the store was loaded again after it was read
    DiffNotFound                no saved diff has this `diff_id`
        DiffUnreadable          this version of the library cannot read the saved diff
    DiffExists                  a saved diff with this `diff_id` is approved or partly applied; `.diff_id`
    DiffNotApproved             the saved diff is not approved, or has changed since
DiffException                   a diff cannot be built
    DiffClassMismatch
    TreeTooDeep                 the objects have too many levels, or a circle
ChangeLimitExceeded             a sync would change more than its limits allow; `.excesses` lists where
SyncStopped                     a guard ended a sync
    SyncInterrupted             the store or the journal failed during a sync
    SyncTakenOver               another sync of the same diff has started
    JournalLost                 Redis lost the journal of this sync
InvalidOptions                  an option of a sync is out of range; a ValueError
InvalidRule                     a rule of a sync names what does not exist; a ValueError
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any, ClassVar, Protocol


class _LoadedStore(Protocol):
    """The attributes of a `StoreRecord` that explain a `StoreNotComplete`."""

    @property
    def store_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def state(self) -> Any: ...
    @property
    def reason(self) -> str: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def gaps(self) -> Mapping[str, Any]: ...


class _LeaseHolder(Protocol):
    """The owner of a lease."""

    @property
    def owner(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def since(self) -> datetime: ...
    @property
    def until(self) -> datetime | None: ...
    @property
    def token(self) -> int: ...


class _Excess(Protocol):
    """A change limit that a sync would exceed."""

    @property
    def model(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def allowance(self) -> str: ...


class _WithAttributes(Exception):
    """An exception whose attributes survive `copy` and `pickle`."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[Exception], args: tuple[Any, ...], attributes: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ObjectCrudException(Exception):
    """A system did not create, update or delete a record."""


class ObjectNotCreated(ObjectCrudException):
    """A system did not create a record."""


class ObjectNotUpdated(ObjectCrudException):
    """A system did not update a record."""


class ObjectNotDeleted(ObjectCrudException):
    """A system did not delete a record."""


class OutcomeUnknown(ObjectCrudException):
    """The answer of the system was lost, so the operation may or may not have been applied.

    A model's `create`, `update` or `delete` raises it; a `..._many` hook returns it for a record.
    """

    was_not_done: ClassVar[bool] = False
    """Whatever has caused it."""


class ObjectStoreException(Exception):
    """A store cannot process a request."""


class ObjectAlreadyExists(_WithAttributes, ObjectStoreException):
    """An object with the same identifiers exists; `existing_object` is that object or diff element."""

    def __init__(self, message: str, existing_object: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(message, existing_object, *args, **kwargs)
        self.existing_object = existing_object

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the object without its adapter, unless the store of the adapter is in memory and can be pickled too."""
        restore, (kind, args, attributes) = super().__reduce__()
        existing = self.existing_object
        store = getattr(getattr(existing, "adapter", None), "store", None)
        if getattr(store, "is_in_memory", True):
            return restore, (kind, args, attributes)
        detached = copy(existing)
        detached.__dict__["adapter"] = None
        args = tuple(detached if arg is existing else arg for arg in args)
        return restore, (kind, args, {**attributes, "existing_object": detached})

    def __str__(self) -> str:
        return str(self.args[0])


class ObjectNotFound(ObjectStoreException):
    """No object has these identifiers."""


class ObjectStoreWrongType(ObjectStoreException):
    """An argument has a type that the store cannot look up."""


class ObjectNotStorable(ObjectStoreException):
    """The store could not return a value unchanged; the message names the field and the type."""


class StoreUnavailable(ObjectStoreException):
    """Redis cannot be reached or does not answer. The redis error is the cause."""


class StoreNotFound(ObjectStoreException):
    """No store has this `store_id`: it was never loaded, was dropped, or expired."""


class StoreNotComplete(_WithAttributes, ObjectStoreException):
    """The load of the store did not complete, so missing objects prove nothing. `record` is its `StoreRecord`."""

    def __init__(self, message: str, record: _LoadedStore) -> None:
        super().__init__(message)
        self.record = record


class StoreInUse(ObjectStoreException):
    """Another process uses the store or the saved diff."""


class LeaseHeld(_WithAttributes, StoreInUse):
    """Another process holds the lease of the target. `holder` is its owner, None if the lease ended meanwhile."""

    def __init__(self, message: str, holder: _LeaseHolder | None) -> None:
        super().__init__(message)
        self.holder = holder


class LeaseLost(StoreInUse):
    """Another process took or removed the lease of this one, which may no longer change the target."""


class StoreReloaded(ObjectStoreException):
    """The store was loaded again after it was read, so the data is out of date."""


class DiffNotFound(ObjectStoreException):
    """No saved diff has this `diff_id`."""


class DiffUnreadable(DiffNotFound):
    """The elements of the saved diff cannot be read: another version of the library saved them, or somebody changed them in Redis."""


class DiffExists(_WithAttributes, ObjectStoreException):
    """A saved diff with this `diff_id` is approved or partly applied, so it is not replaced."""

    def __init__(self, message: str, diff_id: str) -> None:
        super().__init__(message)
        self.diff_id = diff_id


class DiffNotApproved(ObjectStoreException):
    """The saved diff is not approved, or has changed since it was approved."""


class CannotRehearse(ObjectStoreException):
    """A target cannot be rehearsed without side effects; the message says why."""


class SyncStopped(Exception):
    """A guard ended a sync. The operations that were not tried are pending."""


class RehearsalRefused(SyncStopped):
    """A rehearsal found operations that the target would refuse, and nobody has decided about them. Nothing was applied."""


class SyncInterrupted(SyncStopped, ObjectStoreException):
    """The store or the journal failed during a sync. The redis error is in the chain of causes."""


class SyncTakenOver(SyncStopped):
    """Another sync of the same diff has started, so this one may no longer change the target."""


class JournalLost(SyncStopped):
    """Redis lost the journal of this sync."""


class InvalidOptions(ValueError):
    """An option of a sync is out of range."""


class InvalidRule(ValueError):
    """A rule of a sync names what does not exist."""


class DiffException(Exception):
    """A diff cannot be built."""


class TreeTooDeep(DiffException, RecursionError):
    """The objects have more levels than a diff can process, or an object is below itself."""


class DiffClassMismatch(DiffException):
    """Two objects of different types cannot be compared."""


class ChangeLimitExceeded(_WithAttributes):
    """A sync would change more than its limits allow. Nothing was applied; `excesses` lists each limit."""

    def __init__(self, message: str, excesses: tuple[_Excess, ...]) -> None:
        super().__init__(message)
        self.excesses = excesses
