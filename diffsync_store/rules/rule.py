"""One rule: which operations it is about, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.rules.decision import Decision

Expected = str | int | float | bool | None
"""A value of a field; a text is a pattern of file names (`*`, `?`, `[abc]`)."""
_RUNS = re.compile(r"([1-9][0-9]{0,5}) runs?")


def _parse_runs(value: Any) -> int:
    """Return the number of `3 runs`."""
    found = _RUNS.fullmatch(value) if isinstance(value, str) else None
    if found is None and not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        raise ValueError("write a number of loads of the source, such as '3 runs'")
    return int(found[1]) if found is not None else int(value)


Runs = Annotated[
    int, BeforeValidator(_parse_runs), WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,5} runs?$"})
]


class Unless(BaseModel):
    """When a rule does not apply although it fits."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    older_than: Runs
    """The source has lacked the object in this many loads in a row, the one of the diff included."""

    def __str__(self) -> str:
        return f"absent in {self.older_than} loads in a row"


class Rule(BaseModel):
    """A rule about operations. It fits an operation that has all that it names. Threads may share it.

    A rule that lets a change through (`apply`, `ignore`) asks for more than one that stops it (`review`, `hold`): all
    changed attributes must be in `attributes`, and `where` must fit the old and the new values. One that stops a change
    fits if one of the attributes, and one of the values, is concerned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field("", max_length=100, examples=["lab-vlans"])
    """Name of the rule in lists and messages; what it says by default."""
    model: str = Field("*", min_length=1, examples=["interface"])
    """Pattern of the model's name."""
    action: Literal["*", "create", "update", "delete"] = "*"
    """Action of the operation."""
    attributes: tuple[str, ...] = Field((), examples=[["description"]])
    """Patterns of names of attributes that an update changes; any by default. Creates and deletes have none."""
    where: Mapping[str, Expected | tuple[Expected, ...]] = Field({}, examples=[{"site": "lab-*"}])
    """Values of identifiers and attributes, by name: a pattern, a value, or a list of these, of which one has to fit."""
    unless: Unless | None = Field(None, examples=[{"older_than": "3 runs"}])
    """When the rule does not apply."""
    then: Annotated[Decision, WithJsonSchema({"type": "string", "enum": [each.value for each in Decision]})]
    """What becomes of the operation: `apply`, `review`, `hold` or `ignore`."""
    approvers: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    """Number of different people who must approve it, with `then: review`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.attributes and self.action not in {"*", "update"}:
            raise ValueError(f"attributes are of updates, and the rule is about a {self.action}")
        if self.approvers > 1 and self.then is not Decision.REVIEW:
            raise ValueError(f"approvers are for `then: review`, not for `then: {self.then}`")
        if self.unless is not None and self.action != "delete":
            raise ValueError("`unless: {older_than: …}` is about objects that the source lacks: add `action: delete`")
        return self

    def __str__(self) -> str:
        return self.name or self._text()

    def _text(self) -> str:
        parts = [] if self.model == "*" else [self.model]
        parts += [] if self.action == "*" else [self.action]
        parts += [f"of {', '.join(self.attributes)}"] if self.attributes else []
        parts += [f"where {name} is {_shown(value)}" for name, value in self.where.items()]
        parts += [f"unless {self.unless}"] if self.unless else []
        return f"{' '.join(parts) or 'everything'}: {self.then}"

    @property
    def is_strict(self) -> bool:
        """Whether it must fit every attribute and value, because it lets a change through."""
        return self.then in {Decision.APPLY, Decision.IGNORE}

    def unknown_in(self, fields: Collection[str]) -> Iterator[str]:
        """Yield the names and patterns of fields that fit none of these."""
        yield from (name for name in self.where if name not in fields)
        for pattern in self.attributes:
            if not any(fnmatchcase(name, pattern) for name in fields):
                yield pattern

    def fits(self, element: DiffElement) -> bool:
        """Return whether the rule is about the operation of an element, and applies to it."""
        return (
            (self.action in {"*", element.action})
            and (self.model == "*" or fnmatchcase(element.type, self.model))
            and (not self.attributes or self._fits_attributes(element))
            and all(self._fits_value(element, name, expected) for name, expected in self.where.items())
            and not self._is_excepted(element)
        )

    def _fits_attributes(self, element: DiffElement) -> bool:
        if element.action != DiffSyncActions.UPDATE:
            return False
        quantifier = all if self.is_strict else any
        return quantifier(any(fnmatchcase(name, each) for each in self.attributes) for name in element._changed())

    def _fits_value(self, element: DiffElement, name: str, expected: Expected | tuple[Expected, ...]) -> bool:
        values = list(_values(element, name))
        wanted = expected if isinstance(expected, tuple) else (expected,)
        quantifier = all if self.is_strict else any
        return bool(values) and quantifier(any(_matches(value, each) for each in wanted) for value in values)

    def _is_excepted(self, element: DiffElement) -> bool:
        return self.unless is not None and element.absent_loads >= self.unless.older_than


def _values(element: DiffElement, name: str) -> Iterator[Any]:
    """Yield the values of a field on the sides that have the object; the items of a list one by one."""
    sides = (element.keys,) if name in element.keys else (element.source_attrs or {}, element.dest_attrs or {})
    for side in sides:
        if name in side:
            yield from _items(side[name])


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple | set | frozenset) and value else (value,)


def _matches(value: Any, expected: Expected) -> bool:
    if isinstance(expected, str):
        return value is not None and fnmatchcase(_text(value), expected)
    if isinstance(expected, bool) or expected is None or isinstance(value, bool):
        return value is expected
    return value == expected or _text(value) == str(expected)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(expected: Any) -> str:
    return " or ".join(map(str, expected)) if isinstance(expected, tuple) else str(expected)
