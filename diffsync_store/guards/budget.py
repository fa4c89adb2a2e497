"""Change budgets: how much one sync may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator

Counts = Mapping[str, Mapping[str, int]]
"""Number of operations by model and action."""
_ALL = 100


class Limit(BaseModel):
    """Most operations of one action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: float | None = Field(None, ge=0, description="Of the target's objects; over 100 for creates only")
    absolute: int | None = Field(None, ge=0, description="Number of operations, however many objects there are")
    floor: int = Field(10, ge=0, description="The percent counts from so many objects in the target on")

    def most(self, there: int) -> float | None:
        """Most operations on a target with so many objects; None for no limit."""
        limits: list[float] = [] if self.absolute is None else [self.absolute]
        if self.percent is not None and there >= self.floor:
            limits.append(there * self.percent / 100)
        return min(limits, default=None)

    def __str__(self) -> str:
        parts = [] if self.percent is None else [f"{self.percent:g} %"]
        return " and ".join(parts if self.absolute is None else [*parts, f"{self.absolute}"])


class Limits(BaseModel):
    """A limit for each action; none where it is not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delete: Limit | None = Field(None, description="Most deletes")
    update: Limit | None = Field(None, description="Most updates")
    create: Limit | None = Field(None, description="Most creates")

    @field_validator("delete", "update")
    @classmethod
    def _is_reached(cls, limit: Limit | None) -> Limit | None:
        if limit is not None and limit.percent is not None and limit.percent > _ALL:
            raise ValueError(
                f"{limit.percent:g} percent is never reached: there are 100 percent of the target's objects"
            )
        return limit

    def of(self) -> Iterator[tuple[str, Limit]]:
        """The limits that are given, by action."""
        for action, limit in (("delete", self.delete), ("update", self.update), ("create", self.create)):
            if limit is not None:
                yield action, limit


class Budget(BaseModel):
    """How much one sync may change: in all, and of each model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sync: Limits = Field(Limits(), description="Of all models together")
    each: Limits = Field(Limits(), description="Of each model that `models` does not name")
    models: dict[str, Limits] = Field({}, description="Of single models, by name")


@dataclass(frozen=True, slots=True)
class Excess:
    """More operations than a budget allows."""

    action: str
    model: str
    """Empty for all models together."""
    count: int
    there: int
    """Objects in the target."""
    limit: Limit

    @property
    def allowance(self) -> str:
        """What allows just this, as `Guards.allowing` takes it."""
        return f"{self.action}:{self.count}:{self.model}" if self.model else f"{self.action}:{self.count}"

    def __str__(self) -> str:
        percent = f" ({100 * self.count / self.there:.3g} %)" if self.there else ""
        what = self.model or "all models together"
        return (
            f"{self.count} {self.action}{'s' * (self.count != 1)} of {what}, of {self.there} objects in the target{percent}: "
            f"the limit is {self.limit}"
        )


def excesses(
    counts: Counts, there: Mapping[str, int], budget: Budget, allowed: Mapping[tuple[str, str], int]
) -> list[Excess]:
    """What is over the budget: of all models together first, then by model, the largest number first.

    Args:
        counts: the operations that would be applied.
        there: the target's objects by model.
        budget: the limits.
        allowed: numbers allowed once, by action and model, the empty model being all together.
    """
    found = [*_of_sync(counts, there, budget), *_of_models(counts, there, budget)]
    return [excess for excess in found if excess.count > allowed.get((excess.action, excess.model), -1)]


def _of_sync(counts: Counts, there: Mapping[str, int], budget: Budget) -> Iterator[Excess]:
    objects = sum(there.values())
    for action, limit in budget.sync.of():
        number = sum(actions.get(action, 0) for actions in counts.values())
        if _is_over(number, limit, objects):
            yield Excess(action, "", number, objects, limit)


def _of_models(counts: Counts, there: Mapping[str, int], budget: Budget) -> list[Excess]:
    found = [
        Excess(action, model, actions[action], there.get(model, 0), limit)
        for model, actions in counts.items()
        for action, limit in budget.models.get(model, budget.each).of()
        if _is_over(actions.get(action, 0), limit, there.get(model, 0))
    ]
    return sorted(found, key=lambda excess: (-excess.count, excess.model, excess.action))


def _is_over(number: int, limit: Limit, there: int) -> bool:
    most = limit.most(there)
    return most is not None and number > most
