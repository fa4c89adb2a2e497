"""The field rules of a sync, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

EVERY = "*"
"""Stands for all attributes of a model that have no rule of their own, and for all models."""
Deletes = Literal["all", "own"]


class FieldRule(StrEnum):
    """When a sync may write an attribute of an object that the target has."""

    SOURCE = "source"
    """Always: the source decides."""
    FILL_EMPTY = "fill_empty"
    """Only if the target has no value."""
    NEVER = "never"
    """Never, also not when it creates the object."""
    UNLESS_CHANGED = "unless_changed"
    """Only if the target still has the value that a sync wrote last."""


class FieldRules(BaseModel):
    """What a sync may change, and what it remembers. Threads may share it; it can be pickled for other processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: dict[str, dict[str, FieldRule]] = {}
    """The rule of each attribute, by model. `*` stands for the other attributes of the model."""
    deletes: dict[str, Deletes] = {}
    """`own` for models of which the sync deletes only objects that it has created. `*` stands for the other models."""
    remembered: dict[str, tuple[str, ...]] = {}
    """Attributes whose values other syncs of the same target need to remember, by model."""

    def __bool__(self) -> bool:
        """Whether there is anything to decide or to remember."""
        return bool(self.fields or self.deletes or self.remembered)

    def rule(self, model: str, attribute: str) -> FieldRule:
        """Return the rule of an attribute."""
        rules = self.fields.get(model)
        if rules is None:
            return FieldRule.SOURCE
        return rules.get(attribute) or rules.get(EVERY) or FieldRule.SOURCE

    def deletes_own(self, model: str) -> bool:
        """Whether the sync deletes only those objects of a model that it has created."""
        return (self.deletes.get(model) or self.deletes.get(EVERY)) == "own"

    def remembers(self, model: str, attribute: str) -> bool:
        """Whether a value that the sync writes is remembered."""
        more = self.remembered.get(model, ())
        return attribute in more or EVERY in more or self.rule(model, attribute) is FieldRule.UNLESS_CHANGED

    def remembers_values(self, model: str) -> bool:
        """Whether any value of a model is remembered."""
        return model in self.remembered or FieldRule.UNLESS_CHANGED in self.fields.get(model, {}).values()

    @property
    def remembers_any_values(self) -> bool:
        """Return whether any value is remembered."""
        return bool(self.remembered) or any(
            FieldRule.UNLESS_CHANGED in rules.values() for rules in self.fields.values()
        )

    @property
    def deletes_any_own(self) -> bool:
        """Return whether deletes of any model are limited to own objects."""
        return "own" in self.deletes.values()

    def concerns(self, model: str) -> bool:
        """Whether anything is decided or remembered about objects of a model."""
        return model in self.fields or model in self.remembered or self.deletes_own(model)

    def with_remembered(self, others: Iterable[FieldRules]) -> Self:
        """Return the rules that remember what other syncs of the same target need too."""
        found: dict[str, set[str]] = {}
        for other in others:
            for model, rules in other.fields.items():
                names = {name for name, rule in rules.items() if rule is FieldRule.UNLESS_CHANGED}
                if names:
                    found.setdefault(model, set()).update(names)
        remembered: Mapping[str, tuple[str, ...]] = {model: tuple(sorted(names)) for model, names in found.items()}
        return self.model_copy(update={"remembered": remembered})


NO_FIELD_RULES = FieldRules()
"""The source decides about everything, and nothing is remembered."""
