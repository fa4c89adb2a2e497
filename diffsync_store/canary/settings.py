"""Which operations a sync applies first, and what it checks before it applies the rest."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from diffsync_store.diff import DiffElement
from diffsync_store.rules import Decision, Rule, Rules
from diffsync_store.rules.rule import Expected

MAX_OPERATIONS = 10_000
"""Maximum number of operations of a canary, without those that they need."""
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_RATIO = "write a ratio from 0 to 1, or a percent from 0% to 100%, such as 5%"


def _parse_ratio(value: Any) -> float:
    """Return the ratio of `0.05` or `5%`."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        value = float(found[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(_RATIO)
    return float(value)


Ratio = Annotated[
    float,
    BeforeValidator(_parse_ratio),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}]}),
]


class Canary(BaseModel):
    """The operations that a sync applies first, and checks before it applies the rest. Threads may share it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    first: Annotated[int, Field(strict=True, ge=1, le=MAX_OPERATIONS)] | None = Field(None, examples=[10])
    """Number of operations, in the order of the sync; with `model`, `action` or `where`, the first of those. All that fit by default."""
    model: str = Field("*", min_length=1, examples=["interface"])
    """Pattern of the model's name."""
    action: Literal["*", "create", "update", "delete"] = "*"
    """Action of the operation."""
    where: Mapping[str, Expected | tuple[Expected, ...]] = Field({}, examples=[{"site": "lab-*"}])
    """Values of identifiers and attributes, as in `rules`. An update fits if the old and the new values do."""
    failures: Ratio = Field(0.0, examples=["5%"])
    """Ratio of these operations that may fail, be blocked or be in conflict, such as 0.05 or 5%."""
    settle: Annotated[float, Field(ge=0)] = 0.0
    """Time to wait before the objects are read back from the target, in seconds."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first is None and not self.is_limited:
            raise ValueError("it names no operations. Give `first`, such as 10, or `model`, `action` or `where`")
        return self

    @property
    def is_limited(self) -> bool:
        """Whether only some operations fit."""
        return bool(self.where) or self.model != "*" or self.action != "*"

    @property
    def is_prefix(self) -> bool:
        """Whether it is the beginning of the sync, whatever that is."""
        return not self.is_limited

    @property
    def rule(self) -> Rule:
        """The operations that fit, as a rule: one that lets a change through has to fit the old and the new values."""
        return Rule(model=self.model, action=self.action, where=self.where, then=Decision.APPLY)

    @property
    def rules(self) -> Rules:
        """The same, to look for unknown names."""
        return Rules(all=(self.rule,))

    def __str__(self) -> str:
        what = str(self.rule).removesuffix(": apply") if self.is_limited else "operations"
        return what if self.first is None else f"the first {self.first} {what}"

    def fits(self, element: DiffElement) -> bool:
        """Return whether an operation may be one of the canary."""
        return not self.is_limited or self.rule.fits(element)

    def problems(self, fields: Mapping[str, frozenset[str] | None], models: Collection[str] = ()) -> list[str]:
        """Return what it names and no model has.

        Args:
            fields: The names of the identifiers and attributes of each model; None if they are not known.
            models: All models, if `fields` has only some of them.
        """
        found = [*self.rules.unknown_models({*fields, *models}), *self.rules.unknown_fields(fields)]
        return [message for _, message in found]
