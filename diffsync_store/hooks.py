"""Optional hooks of models and adapters for a sync, besides `create`, `update` and `delete`.

A model offers a hook by having a method of its name:

    @classmethod
    def create_many(cls, adapter, records) -> list
        `records` is a list of pairs of ids and attrs.

    @classmethod
    def update_many(cls, adapter, changes) -> list
        `changes` is a list of pairs of object and attrs.

    @classmethod
    def delete_many(cls, adapter, objects) -> list

A `..._many` hook returns one answer for each record, in the order of the records:

    the object                  done
    None                        skipped on purpose
    an exception                failed for this reason: `ObjectNotCreated("no room")`, or any other
    `OutcomeUnknown("...")`     unknown; the next sync looks the record up

If the hook raises an exception, nothing of the call was done: the hook is called again with each half of the records, down to the
record that the exception is about. After a transient exception (`diffsync_store.transient`, and the adapter's `transient_errors`), an
`OutcomeUnknown` or a list of the wrong length, the answer counts as lost: each record is looked up, what was done counts as done, and
only the rest is sent again. A record that cannot be looked up is unknown, and is not sent again.

If a model has only the `..._many` hook of an action, single records go through it too. If it has both, single records go through
`create`, `update` or `delete`. If it has neither, only the store changes, as in diffsync; a warning is logged when the class is made
if it has a `..._many` hook of another action, or a hook with a wrong signature. A model that has removed a method
(`update: ClassVar[None] = None`) without a hook in its place raises `AttributeError` then.

    @classmethod
    def lookup(cls, adapter, ids) -> dict | None
        Return the record's current attributes in the adapter's system, and any other field of the model, such as the system's own
        id; None if there is no such record; NotImplemented if it is unknown.

    @classmethod
    def lookup_many(cls, adapter, ids) -> list | dict
        The same for a list of ids: a list with one answer for each, or a dict by unique id without missing records.

    def move(self, old_parent, new_parent, attrs) -> Self | None
        Put the record under another parent and change these attributes; return None to skip it. Nothing is created or deleted,
        and objects below it move too.

    @classmethod
    def lookup_parent(cls, adapter, ids) -> str | None
        Return the unique id of the record's parent in the adapter's system, "" at the top level; None if there is no such
        record, NotImplemented if it is unknown. It is called after a `move` whose answer was lost.

An adapter lists exceptions after which a call may be repeated in `transient_errors`, a tuple of classes. Its methods `open` and
`close` are called before the first and after the last call of a sync (`diffsync_store.lifecycle`). A model lists attributes with
secret values in `_secrets`, a tuple of names.

An adapter may rehearse operations, so that what its system would refuse is known before anything is written:

    def rehearse_many(self, operations) -> list
        `operations` is a list of `RehearsedOperation`, all of one model and one action, in the order of a sync. Return one answer
        for each: None if the system would accept it, or the exception with the reason. Nothing may stay changed.

    def rehearsing(self) -> context manager
        Entered before the first call of `rehearse_many` and left after the last one, such as a transaction that is rolled back at
        its end. Raise `CannotRehearse` if nothing can be tried without side effects.

    def rehearse_within(self, time_left) -> None
        Called before `rehearsing`. `time_left` is a function: it returns the seconds that are left for the rehearsal, and raises when
        there are none. Call it before each request, and let through what it raises.

With `SyncOptions(workers=...)` several threads call hooks at the same time. Hooks may use the adapter's store.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, NamedTuple

import structlog

from diffsync_store.exceptions import OutcomeUnknown
from diffsync_store.introspection.model_classes import per_class

ACTIONS = ("create", "update", "delete")
_CLASS_METHODS = {
    "create_many": "adapter, records",
    "update_many": "adapter, changes",
    "delete_many": "adapter, objects",
    "lookup": "adapter, ids",
    "lookup_many": "adapter, ids",
    "lookup_parent": "adapter, ids",
}
"""Hooks that are class methods, with their arguments."""
_CALLS_NO_SYSTEM = {"diffsync_store.model", "diffsync"}
"""Modules of base classes whose `create`, `update` and `delete` do not call a system."""


class RehearsedOperation(NamedTuple):
    """One operation for `rehearse_many`."""

    action: str
    """`create`, `update` or `delete`."""
    model: type[Any]
    ids: dict[str, Any]
    attrs: dict[str, Any]
    """All attributes of a create; the new values of an update; nothing for a delete."""
    obj: Any = None
    """A copy of the store's object, which may be changed; None for a create."""


def hook(owner: Any, name: str) -> Any:
    """Return a hook of a model or an object, or None."""
    found = getattr(owner, name, None)
    return found if callable(found) else None


@per_class
def takes_many(model: type[Any], action: str) -> bool:
    """Whether a model has a `..._many` hook for an action."""
    return action in ACTIONS and hook(model, f"{action}_many") is not None


@per_class
def takes_one(model: type[Any], action: str) -> bool:
    """Whether single records go through the model's own method for an action, or there is no other hook."""
    return not takes_many(model, action) or is_own(model, action)


def is_own(model: type[Any], action: str) -> bool:
    """Whether a model overrides the method of `DiffSyncModel` for an action."""
    for base in model.__mro__:
        if action in vars(base):
            return callable(getattr(model, action, None)) and base.__module__ not in _CALLS_NO_SYSTEM
    return False


def require_hooks(model: type[Any], fields: Iterable[str]) -> None:
    """Check the hooks of a model when its class is made; log those that a sync cannot use.

    Args:
        model: The class.
        fields: Names of its fields, which are not hooks.

    Raises:
        AttributeError: An action has neither a method nor a hook.
    """
    offered = [action for action in ACTIONS if hook(model, f"{action}_many") is not None]
    for name, arguments in _CLASS_METHODS.items():
        found = getattr(model, name, None)
        if found is not None and name not in fields and not _can_be_called(found):
            structlog.get_logger().warning(
                f"{model.__name__}.{name} cannot be called as the hook of this name: write `@classmethod` and "
                f"`def {name}(cls, {arguments})`, or give it another name."
            )
    for action in ACTIONS:
        if action in offered:
            continue
        if not callable(getattr(model, action, None)):
            raise AttributeError(  # noqa: TRY004  # diffsync raises AttributeError for every fault of a class
                f"{model.__name__} can {action} neither one record nor many: give it a method `{action}` or `{action}_many`."
            )
        if offered and not is_own(model, action):
            structlog.get_logger().warning(
                f"{model.__name__} writes to its system with {offered[0]}_many and has neither `{action}` nor "
                f"`{action}_many`: to {action} changes the store alone."
            )


def _can_be_called(found: Any) -> bool:
    try:
        inspect.signature(found).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # the signature is unknown
        return True
    return True


def call_many(model: type[Any], action: str, adapter: Any, records: list[Any]) -> list[Any]:
    """Call a model's `..._many` hook and return one answer for each record.

    Raises:
        OutcomeUnknown: The hook returned something else.
        Exception: Any exception of the hook.
    """
    many = hook(model, f"{action}_many")
    answer = many(adapter, records)
    name = getattr(many, "__qualname__", f"{action}_many")
    if not isinstance(answer, Iterable) or isinstance(answer, str | dict):
        raise OutcomeUnknown(f"{name} returned {type(answer).__name__}, not a list with one answer for each record.")
    answers = list(answer)
    if len(answers) != len(records):
        raise OutcomeUnknown(f"{name} returned {len(answers)} answers for {len(records)} records.")
    return answers
