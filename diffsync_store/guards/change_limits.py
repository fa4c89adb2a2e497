"""Change limits: how much one sync may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator

Counts = Mapping[str, Mapping[str, int]]
"""Number of operations by model and action."""
_ALL = 100


class Limit(BaseModel):
    """Maximum number of operations of one action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: float | None = Field(None, ge=0, description="Percent of the target's objects; above 100 for creates only")
    absolute: int | None = Field(None, ge=0, description="Number of operations, whatever the size of the target")
    floor: int = Field(10, ge=0, description="Ignore the percent if the target has fewer objects than this")

    def maximum(self, target_count: int) -> float | None:
        """Return the maximum for a target with so many objects; None for no limit."""
        limits: list[float] = [] if self.absolute is None else [self.absolute]
        if self.percent is not None and target_count >= self.floor:
            limits.append(target_count * self.percent / 100)
        return min(limits, default=None)

    def __str__(self) -> str:
        parts = [] if self.percent is None else [f"{self.percent:g} %"]
        return " and ".join(parts if self.absolute is None else [*parts, f"{self.absolute}"])


class Limits(BaseModel):
    """A limit for each action; an action without one is not limited."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delete: Limit | None = Field(None, description="Maximum deletes")
    update: Limit | None = Field(None, description="Maximum updates")
    create: Limit | None = Field(None, description="Maximum creates")

    @field_validator("delete", "update")
    @classmethod
    def _can_be_reached(cls, limit: Limit | None) -> Limit | None:
        if limit is not None and limit.percent is not None and limit.percent > _ALL:
            raise ValueError(f"{limit.percent:g} percent can never be reached: use at most 100 percent")
        return limit

    def by_action(self) -> Iterator[tuple[str, Limit]]:
        """Yield each action that has a limit, with the limit."""
        for action, limit in (("delete", self.delete), ("update", self.update), ("create", self.create)):
            if limit is not None:
                yield action, limit


class ChangeLimits(BaseModel):
    """How much one sync may change: in total and per model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sync: Limits = Field(Limits(), description="Limits of the whole sync, all models together")
    per_model: Limits = Field(Limits(), description="Limits of each model that `models` does not name")
    models: dict[str, Limits] = Field({}, description="Limits of single models, by name")

    def exceeded(
        self, counts: Counts, target_counts: Mapping[str, int], allowed: Mapping[tuple[str, str], int]
    ) -> list[Excess]:
        """Return what exceeds the limits: first of the whole sync, then by model, the largest number first.

        Args:
            counts: Operations to apply.
            target_counts: Objects in the target, by model.
            allowed: Numbers allowed once, by action and model; the empty model stands for the whole sync.
        """
        found = [*self._of_sync(counts, target_counts), *self._of_models(counts, target_counts)]
        return [excess for excess in found if excess.count > allowed.get((excess.action, excess.model), -1)]

    def _of_sync(self, counts: Counts, target_counts: Mapping[str, int]) -> Iterator[Excess]:
        objects = sum(target_counts.values())
        for action, limit in self.sync.by_action():
            number = sum(actions.get(action, 0) for actions in counts.values())
            if _is_over(number, limit, objects):
                yield Excess(action, "", number, objects, limit)

    def _of_models(self, counts: Counts, target_counts: Mapping[str, int]) -> list[Excess]:
        found = [
            Excess(action, model, actions[action], target_counts.get(model, 0), limit)
            for model, actions in counts.items()
            for action, limit in self.models.get(model, self.per_model).by_action()
            if _is_over(actions.get(action, 0), limit, target_counts.get(model, 0))
        ]
        return sorted(found, key=lambda excess: (-excess.count, excess.model, excess.action))


@dataclass(frozen=True, slots=True)
class Excess:
    """More operations than a limit allows."""

    action: str
    model: str
    """Empty for the whole sync."""
    count: int
    """Operations to apply."""
    target_count: int
    """Objects in the target."""
    limit: Limit

    @property
    def allowance(self) -> str:
        """The text that `Guards.allowing` takes to allow exactly this number."""
        return f"{self.action}:{self.count}:{self.model}" if self.model else f"{self.action}:{self.count}"

    def __str__(self) -> str:
        percent = f" ({100 * self.count / self.target_count:.3g} %)" if self.target_count else ""
        return (
            f"{self.count} {self.action}{'s' * (self.count != 1)} of {self.model or 'all models together'}, "
            f"of {self.target_count} objects in the target{percent}: the limit is {self.limit}"
        )


def _is_over(number: int, limit: Limit, target_count: int) -> bool:
    maximum = limit.maximum(target_count)
    return maximum is not None and number > maximum
