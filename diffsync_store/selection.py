"""A rule that selects operations by model, object, attribute and action."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from diffsync_store.diff import DiffElement


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """Operations that match every pattern given here.

    Patterns are those of file names (`*`, `?`, `[abc]`), never regular expressions.
    """

    model: str = "*"
    """Pattern of the model's name."""
    unique_id: str = "*"
    """Pattern of the object's unique id."""
    attribute: str = "*"
    """Pattern of the name of an attribute that the operation changes; a create or delete changes all.

    An operation is applied whole or not at all: an update that matches changes its other attributes too.
    """
    action: str = "*"
    """`create`, `update`, `delete`."""

    def __str__(self) -> str:
        patterns = ((name, getattr(self, name)) for name in ("model", "unique_id", "attribute", "action"))
        return ", ".join(f"{name} {pattern}" for name, pattern in patterns if pattern != "*") or "everything"

    def matches(self, element: DiffElement) -> bool:
        """True if the element's operation is selected."""
        return (
            fnmatchcase(element.type, self.model)
            and fnmatchcase(element.uid or element.name, self.unique_id)
            and fnmatchcase(element.action or "", self.action)
            and (self.attribute == "*" or any(fnmatchcase(name, self.attribute) for name in _attributes(element)))
        )


def _attributes(element: DiffElement) -> set[str]:
    return {name for side in element.get_attrs_diffs().values() for name in side}
