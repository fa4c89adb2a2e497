"""The rules of a sync: the first that fits an operation decides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.rules.decision import Decision, Ruling
from diffsync_store.rules.rule import Rule

_APPLY = Ruling(Decision.APPLY)
_REVIEW = Ruling(Decision.REVIEW)


class Rules(BaseModel):
    """The rules of a sync, in order. Threads may share them; they can be pickled for other processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    all: tuple[Rule, ...] = ()
    approval: Literal["never", "deletes", "always"] = "never"
    """What decides if no rule fits: no operation is reviewed, deletes are, or all are."""

    def __bool__(self) -> bool:
        """Whether there are rules."""
        return bool(self.all)

    @property
    def asks(self) -> bool:
        """Whether any operation may have to be reviewed."""
        return self.approval != "never" or any(rule.then is Decision.REVIEW for rule in self.all)

    @property
    def needs_absences(self) -> bool:
        """Whether they ask since when the source has lacked an object."""
        return any(rule.unless is not None for rule in self.all)

    def ruling(self, element: DiffElement) -> Ruling:
        """Return what becomes of the operation of an element."""
        for rule in self.all:
            if rule.fits(element):
                return Ruling(rule.then, str(rule), rule.approvers)
        is_reviewed = self.approval == "always" or (
            self.approval == "deletes" and element.action == DiffSyncActions.DELETE
        )
        return _REVIEW if is_reviewed else _APPLY

    def unknown_models(self, models: Collection[str]) -> Iterator[tuple[int, str]]:
        """Yield the position of each rule about no known model, and a message."""
        for position, rule in enumerate(self.all):
            if not any(fnmatchcase(name, rule.model) for name in models):
                yield position, f"no model has the name {rule.model!r}. The models are: {', '.join(sorted(models))}"

    def unknown_fields(self, fields: Mapping[str, frozenset[str] | None]) -> Iterator[tuple[int, str]]:
        """Yield the position of each rule that names a field which none of its models has, and a message.

        Args:
            fields: the names of the identifiers and attributes of each model; None if they are not known.
        """
        for position, rule in enumerate(self.all):
            models = sorted(name for name in fields if fnmatchcase(name, rule.model))
            known: set[str] = set()
            for model in models:
                known |= fields[model] or set()
            if not models or any(fields[model] is None for model in models):
                continue
            has = f"{', '.join(models)} {'has' if len(models) == 1 else 'have'}"
            for name in rule.unknown_in(known):
                yield position, f"{has} no field {name!r}. The fields are: {', '.join(sorted(known))}"


NO_OPERATION_RULES = Rules()
"""No operation is decided on its own: the sync's `approval` is about the whole diff."""
