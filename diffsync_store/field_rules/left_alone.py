"""What a sync leaves alone because of its field rules."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from diffsync_store.result import Reject


class Why(StrEnum):
    """Why a value or an object of the target is left alone."""

    CHANGED = "changed"
    """`unless_changed`: the target has another value than the one that a sync wrote last."""
    NOT_WRITTEN = "not written by a sync"
    """`unless_changed`: no sync is known to have written the value."""
    FILLED = "filled"
    """`fill_empty`: the target has a value."""
    NEVER = "never"
    """`never`: the attribute is not written."""
    FOREIGN = "foreign"
    """`deletes: own`: this sync is not known to have created the object."""
    KEPT_BELOW = "keeps a foreign object"
    """`deletes: own`: an object below it is foreign."""
    FOREIGN_MOVE = "foreign, and moved"
    """`deletes: own`: to move the foreign object, the sync would have to delete it."""


NO_MEMORY = (
    "Nothing is known of what syncs have written to {target}: this is the first sync with field rules, or Redis has lost it. So "
    "values and objects that the target has count as foreign. If it was lost, restore the backup of Redis and make a new diff."
)
"""Says why everything is foreign, and the remedy."""
CONFLICTS = frozenset({Why.CHANGED, Why.NOT_WRITTEN})
"""Reasons that a person decides about: the target has a value that is not of a sync."""


class LeftAlone(BaseModel):
    """A value or an object of the target that a sync does not write, with the reason. Secret values are `***`.

    Threads may share it.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    model: str
    unique_id: str
    why: Why
    identifiers: dict[str, Any] = {}
    attribute: str = ""
    """The attribute; empty for a whole object."""
    applied: Any = None
    """The value that a sync wrote last; None if `has_applied` is false."""
    has_applied: bool = False
    """Whether the value that a sync wrote last is known."""
    is_adopted: bool = False
    """Whether that value was adopted instead of written."""
    target: Any = None
    """The value that the target has."""
    source: Any = None
    """The value that the source has."""
    created_by: str = ""
    """The source whose sync has created a foreign object, if it is another one."""
    key: str = ""
    """The unique id as the store has it, if `unique_id` hides a secret."""

    @property
    def action(self) -> str:
        """The action that is not done: `update`, `delete`, or `create` for an object that would have moved."""
        if self.attribute:
            return "update"
        return "create" if self.why is Why.FOREIGN_MOVE else "delete"

    @property
    def is_conflict(self) -> bool:
        """Whether the target has a value that is not of a sync, and the source has another one."""
        return self.why in CONFLICTS

    def values(self) -> dict[str, Any]:
        """Return the three values of an attribute by the names `applied`, `target` and `source`; `applied` only if it is known."""
        if not self.attribute:
            return {}
        applied = {"applied": self.applied} if self.has_applied else {}
        return {**applied, "target": self.target, "source": self.source}

    @property
    def needs_person(self) -> bool:
        """Whether a person may want to decide about it, unlike about what `never` and `fill_empty` leave alone by their nature."""
        return self.why not in {Why.NEVER, Why.FILLED}

    def to_reject(self) -> Reject:
        """Return it as an entry of a list of rejects: a conflict, or an object that is left alone."""
        state = "conflict" if self.is_conflict else "left alone"
        return Reject(
            self.action, self.model, self.unique_id, self.identifiers, self.reason(), state, payload=self.values()
        )

    def reason(self) -> str:
        """Return the reason as a sentence, with the values."""
        return _TEXTS[self.why](self)


def _changed(one: LeftAlone) -> str:
    wrote = "adopted" if one.is_adopted else "wrote"
    return (
        f"{one.attribute} was changed in the target: a sync last {wrote} {one.applied!r}, the target has {one.target!r}, the "
        f"source has {one.source!r}."
    )


def _not_written(one: LeftAlone) -> str:
    return f"No sync is known to have written {one.attribute}: the target has {one.target!r}, the source has {one.source!r}."


def _filled(one: LeftAlone) -> str:
    return f"{one.attribute} has a value in the target, {one.target!r}; the source has {one.source!r}."


def _never(one: LeftAlone) -> str:
    return f"{one.attribute} is never written: the target has {one.target!r}, the source has {one.source!r}."


def _foreign(one: LeftAlone) -> str:
    if one.created_by:
        return f"It is foreign: a sync of {one.created_by} has created it."
    return "It is foreign: this sync is not known to have created it."


def _moved(one: LeftAlone) -> str:
    return f"{_foreign(one)} In the source it is below another object, so that it would have to be deleted."


_TEXTS = {
    Why.CHANGED: _changed,
    Why.NOT_WRITTEN: _not_written,
    Why.FILLED: _filled,
    Why.NEVER: _never,
    Why.FOREIGN: _foreign,
    Why.KEPT_BELOW: lambda _: "An object below it is left alone, and would be deleted with it.",
    Why.FOREIGN_MOVE: _moved,
}
