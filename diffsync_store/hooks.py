"""What a model and an adapter may offer to a sync, beside `create`, `update` and `delete`.

None of these is there by default; a model offers a hook by having a method of its name:

    @classmethod
    def create_many(cls, adapter, records) -> list
        `records` is a list of pairs of ids and attrs.

    @classmethod
    def update_many(cls, adapter, changes) -> list
        `changes` is a list of pairs of object and attrs.

    @classmethod
    def delete_many(cls, adapter, objects) -> list

A `..._many` hook returns one answer for each record, in the order of the records:

    the object                  it was done
    None                        it was left alone on purpose
    an exception                it was refused, for this reason: `ObjectNotCreated("no room")`, or any other
    `OutcomeUnknown("...")`     nobody knows whether it was done; the next sync looks the record up

An exception that the hook raises says that nothing of the call was done: the hook is called for half of the records, and so on
down to the record that the exception is about. An exception that is transient (`diffsync_store.transient`, and the adapter's
`transient_errors`), `OutcomeUnknown`, or a list of the wrong length says that the answer was lost: each record is looked up, what
was done counts as done, and only the rest is sent again. What cannot be looked up is unknown, and is not sent again.

A model that has only the `..._many` hook of an action gets single records through it too; a model that has both gets single
records through `create`, `update` or `delete`. A model that has neither changes the store alone, as in diffsync; where it has a
`..._many` for another action, this is logged when its class is made, as is a hook that cannot be called as it will be. A model that
has taken away a method (`update: ClassVar[None] = None`) without a hook in its place is an `AttributeError` then.

    @classmethod
    def lookup(cls, adapter, ids) -> dict | None
        The attributes that the record has in the adapter's system now, and any other field of the model, such as the system's own
        id; None where there is no such record; NotImplemented if the system cannot say.

    @classmethod
    def lookup_many(cls, adapter, ids) -> list | dict
        The same for a list of ids: a list with one answer for each, or a dict by unique id that leaves out what is not there.

    def move(self, old_parent, new_parent, attrs) -> Self | None
        Put the record under another parent and change these attributes; None leaves it where it is. Nothing is created
        or deleted, and what stands below the object goes with it.

    @classmethod
    def lookup_parent(cls, adapter, ids) -> str | None
        The unique id of the object that the record stands under in the adapter's system, "" at the top; None where there
        is no such record, NotImplemented if the system cannot say. For a `move` whose answer was lost.

An adapter names exceptions after which the same call may be made again in `transient_errors`, a tuple of classes. Its methods `open`
and `close`, where it has them, are called before the first and after the last call of a sync (`diffsync_store.lifecycle`). A model
names the attributes whose values are not to be shown in `_secrets`, a tuple of names.

With `SyncOptions(workers=...)` hooks are called by several threads at once. They may use the adapter's store.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import structlog

from diffsync_store.exceptions import OutcomeUnknown
from diffsync_store.introspection.model_classes import per_class

ACTIONS = ("create", "update", "delete")
_OF_CLASSES = {
    "create_many": "adapter, records",
    "update_many": "adapter, changes",
    "delete_many": "adapter, objects",
    "lookup": "adapter, ids",
    "lookup_many": "adapter, ids",
    "lookup_parent": "adapter, ids",
}
"""Hooks that are called on a model's class, with their arguments."""
_CALLS_NO_SYSTEM = {"diffsync_store.model", "diffsync"}
"""Modules of base classes whose `create`, `update` and `delete` call no system."""


def hook(owner: Any, name: str) -> Any:
    """The hook of this name that a model or an object offers, or None."""
    found = getattr(owner, name, None)
    return found if callable(found) else None


@per_class
def takes_many(model: type[Any], action: str) -> bool:
    """Whether a model has a `..._many` hook for an action."""
    return action in ACTIONS and hook(model, f"{action}_many") is not None


@per_class
def takes_one(model: type[Any], action: str) -> bool:
    """Whether single records go through the model's method for an action: it has one of its own, or no other way."""
    return not takes_many(model, action) or is_own(model, action)


def is_own(model: type[Any], action: str) -> bool:
    """Whether a model has a method for an action that is not the one of `DiffSyncModel`, which calls no system."""
    for base in model.__mro__:
        if action in vars(base):
            return callable(getattr(model, action, None)) and base.__module__ not in _CALLS_NO_SYSTEM
    return False


def require_hooks(model: type[Any], fields: Iterable[str]) -> None:
    """Check the hooks of a model when its class is made; what a sync could not use is logged.

    Args:
        model: the class.
        fields: names of its fields, which are no hooks.

    Raises:
        AttributeError: there is no way at all for an action.
    """
    offered = [action for action in ACTIONS if hook(model, f"{action}_many") is not None]
    for name, arguments in _OF_CLASSES.items():
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
    except ValueError:  # it does not say what it takes
        return True
    return True


def call_many(model: type[Any], action: str, adapter: Any, records: list[Any]) -> list[Any]:
    """Call a model's `..._many` hook: one answer for each record.

    Raises:
        OutcomeUnknown: the hook has answered in another way.
        Exception: what the hook raises.
    """
    many = hook(model, f"{action}_many")
    answer = many(adapter, records)
    told = getattr(many, "__qualname__", f"{action}_many")
    if not isinstance(answer, Iterable) or isinstance(answer, str | dict):
        raise OutcomeUnknown(f"{told} returned {type(answer).__name__}, not a list with one answer for each record.")
    found = list(answer)
    if len(found) != len(records):
        raise OutcomeUnknown(f"{told} returned {len(found)} answers for {len(records)} records.")
    return found
