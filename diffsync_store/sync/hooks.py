"""What a model may offer to a guarded sync, beside `create`, `update` and `delete`.

None of these is there by default; a model offers a hook by having a method of its name:

    @classmethod
    def lookup(cls, adapter, ids) -> dict | None
        The attributes that the record has in the adapter's system now; None where there is no such record;
        NotImplemented where it cannot be told.

    @classmethod
    def create_many(cls, adapter, records) -> list
        `records` is a list of pairs of ids and attrs; for each the object, None (left alone) or an exception.

    @classmethod
    def update_many(cls, adapter, changes) -> list
        `changes` is a list of pairs of object and attrs; for each the object, None or an exception.

    @classmethod
    def delete_many(cls, adapter, objects) -> list
        For each of the objects itself, None or an exception.

    def move(self, old_parent, new_parent, attrs) -> Self | None
        Put the record under another parent and change these attributes; None leaves it where it is. Nothing is created
        or deleted, and what stands below the object goes with it.

    @classmethod
    def lookup_parent(cls, adapter, ids) -> str | None
        The unique id of the object that the record stands under in the adapter's system, "" at the top; None where there
        is no such record, NotImplemented where it cannot be told. For a `move` whose sync died.

An exception that is raised by a `..._many`, and not returned in its list, says that nothing of it was done: it is then
called for half of the records, and so on down to the single record.

An adapter names the exceptions after which the same call may be made again in `transient_errors`, a tuple of classes; a
model the attributes whose values are not to be shown in `_secrets`, a tuple of names.
"""

from __future__ import annotations

from typing import Any


def hook(owner: Any, name: str) -> Any:
    """The hook of this name that a model or an object offers, or None."""
    found = getattr(owner, name, None)
    return found if callable(found) else None


def transient_errors(adapter: Any) -> tuple[type[Exception], ...]:
    """The exceptions after which an adapter's call may be made again."""
    return tuple(getattr(adapter, "transient_errors", ()))
