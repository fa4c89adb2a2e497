"""Shards of a ready adapter: which records of each model a shard has.

A model with `shard` in its records is cut by a value of each record, such as its region. A shard has some of these values, or a
range of them. A model without `shard` is loaded whole, by the shard that has its name, or else by the first one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from diffsync_store.mapping.definitions import Closed
from diffsync_store.store.shards.plan import check_name

MOST_SHARDS = 16
"""Shards that `auto` makes at most. More values are put together as ranges."""
AUTO: Literal["auto"] = "auto"
NULL = "null"
"""The name of the shard of `auto` whose records have no value."""
_TO = ".."
"""Stands between the first value of a range and the value after its last one: the name says what the shard has."""

Scalar: TypeAlias = str | int | float | bool | None


def _require_scalar(value: Any) -> Scalar:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError("a value is a text, a number, true, false or null")


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _require_one(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("give at least one value")
    return values


_SCALARS = {"type": ["string", "number", "boolean", "null"]}
_Scalar = Annotated[Any, AfterValidator(_require_scalar), WithJsonSchema(_SCALARS)]


class WrongShards(ValueError):
    """The declared shards do not fit the adapter."""


def require_name(name: str) -> str:
    """Check the name of a shard."""
    check_name(name, "The name of a shard")
    return name


def require_names(names: Sequence[str]) -> Sequence[str]:
    """Check the names of all shards of a load."""
    if not names:
        raise ValueError("give at least one shard")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]!r} is there twice. Remove one")
    return [require_name(name) for name in names]


class ShardRange(Closed):
    """The values from one, which belongs to the range, to another, which does not."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": 1000, "below": 2000}]})

    from_: str | int | float | None = Field(None, alias="from")
    """The first value. A range without it has the records without a value too."""
    below: str | int | float | None = None
    """The value after the last one."""

    @model_validator(mode="after")
    def _require_end(self) -> Self:
        if self.from_ is None and self.below is None:
            raise ValueError("give `from`, `below` or both")
        return self


ShardName = Annotated[str, AfterValidator(require_name)]
_Part = Annotated[
    Annotated[tuple[_Scalar, ...], BeforeValidator(_as_list), AfterValidator(_require_one), Tag("shards:values")]
    | Annotated[ShardRange, Tag("shards:range")],
    Discriminator(lambda value: "shards:range" if isinstance(value, Mapping | ShardRange) else "shards:values"),
]


def _require_disjoint(parts: dict[str, Any]) -> dict[str, Any]:
    for (first, one), (second, other) in combinations(parts.items(), 2):
        if isinstance(one, ShardRange) and isinstance(other, ShardRange):
            if _overlap(one, other):
                raise ValueError(
                    f"the ranges of the shards {first!r} and {second!r} overlap. Change `from` or `below` of one"
                )
        elif not isinstance(one, ShardRange) and not isinstance(other, ShardRange):
            texts = {_text(value) for value in other}
            if twice := [value for value in one if _text(value) in texts]:
                value = NULL if twice[0] is None else twice[0]
                raise ValueError(f"{value!r} is in the shards {first!r} and {second!r}. Remove it from one")
    return parts


def _overlap(one: ShardRange, other: ShardRange) -> bool:
    """Whether two ranges of numbers have a common value. The database decides the order of texts, so those are not checked."""
    bounds = [(each.from_, each.below) for each in (one, other)]
    if any(isinstance(bound, str) for each in bounds for bound in each):
        return False
    start = max(float(-math.inf if low is None else low) for low, _ in bounds)
    end = min(float(math.inf if high is None else high) for _, high in bounds)
    return start < end


def _require_auto(value: Any) -> Any:
    if value != AUTO:
        raise ValueError("write auto, a list of names, or the values of each shard: {eu: [de, fr], us: [us]}")
    return value


def _form(value: Any) -> str:
    if isinstance(value, Mapping):
        return "shards:mapping"
    return "shards:list" if isinstance(value, list | tuple) else "shards:auto"


Shards = Annotated[
    Annotated[Any, AfterValidator(_require_auto), WithJsonSchema({"const": AUTO}), Tag("shards:auto")]
    | Annotated[tuple[ShardName, ...], AfterValidator(require_names), Tag("shards:list")]
    | Annotated[dict[ShardName, _Part], Field(min_length=1), AfterValidator(_require_disjoint), Tag("shards:mapping")],
    Discriminator(_form),
]
"""`auto`, a list of names, or the values or the range of each shard by its name."""

SHARDS: TypeAdapter[Any] = TypeAdapter(Shards)
"""Checks the declared shards."""


class Part(NamedTuple):
    """The records that a shard has, by the value of `shard`: one of some values, or a value of a range."""

    values: tuple[Scalar, ...] = ()
    start: Scalar = None
    end: Scalar = None

    @property
    def is_range(self) -> bool:
        return self.start is not None or self.end is not None

    def has(self, value: Scalar) -> bool:
        """Whether the shard has the records with this value. Values of ranges are compared as texts."""
        if not self.is_range:
            return any(_text(value) == _text(each) for each in self.values)
        if value is None:
            return self.start is None
        text = _text(value)
        return (self.start is None or _text(self.start) <= text) and (self.end is None or text < _text(self.end))


class Cut(NamedTuple):
    """One shard of a load, and what each shard has."""

    name: str
    parts: Mapping[str, Part]
    """By the names of all shards, in order."""

    @property
    def part(self) -> Part:
        """Return what this shard has."""
        return self.parts[self.name]

    @property
    def is_first(self) -> bool:
        """Whether this is the shard that loads what no other one has."""
        return self.name == next(iter(self.parts))

    def has_model(self, name: str) -> bool:
        """Whether this shard loads a model that is not cut."""
        owner = next((shard for shard, part in self.parts.items() if name in part.values), next(iter(self.parts)))
        return owner == self.name


def parts_of(declared: Any, of: Sequence[str]) -> dict[str, Part]:
    """Return what each shard has.

    Args:
        declared: `shards` of the file.
        of: the names of all shards.
    """
    if isinstance(declared, Mapping):
        return {name: _declared_part(declared[name]) for name in of}
    if declared != AUTO:
        return {name: Part((name,)) for name in of}
    if len(of) > 1 and of[0].startswith(_TO) and of[-1].endswith(_TO):
        return {name: _range_of(name) for name in of}
    return {name: Part((None if name == NULL else name,)) for name in of}


def names_of(values: Sequence[Sequence[Scalar]]) -> list[str]:
    """Return the names of the shards for all values of `shard`: one for each value, or ranges if there are many.

    Args:
        values: the values of each model, in order. The model with the most values decides the ranges.

    Raises:
        WrongShards: two values have the same name.
    """
    found = list(dict.fromkeys(value for each in values for value in each))
    if len(found) > MOST_SHARDS:
        return _ranges([_text(each) for each in max(values, key=len) if each is not None])
    names = [NULL if each is None else _text(each) for each in found]
    if len(set(names)) < len(names):
        raise WrongShards(
            "Two values have the same text, so that they cannot name shards. List the shards in the file."
        )
    return names


def _ranges(values: Sequence[str]) -> list[str]:
    """Return the names of ranges with about the same number of values."""
    starts = [values[len(values) * number // MOST_SHARDS] for number in range(1, MOST_SHARDS)]
    ends = list(dict.fromkeys(starts))
    return [f"{start}{_TO}{end}" for start, end in zip(["", *ends], [*ends, ""], strict=True)]


def _declared_part(declared: Any) -> Part:
    if isinstance(declared, ShardRange):
        return Part(start=declared.from_, end=declared.below)
    return Part(tuple(declared))


def _range_of(name: str) -> Part:
    start, _, end = name.partition(_TO)
    return Part(start=start or None, end=end or None)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
