"""Sample: the records of one model that the conformance suite writes and reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Values = Mapping[str, Any]


class Record(NamedTuple):
    """A record of the system under test, in the fields of its model."""

    model: str
    identifiers: dict[str, Any]
    attributes: dict[str, Any]

    @property
    def fields(self) -> dict[str, Any]:
        """Identifiers and attributes."""
        return {**self.identifiers, **self.attributes}

    def with_fields(self, **fields: Any) -> Record:
        """Return the record with other values in some fields."""
        return Record(
            self.model,
            {name: fields.get(name, value) for name, value in self.identifiers.items()},
            {name: fields.get(name, value) for name, value in self.attributes.items()},
        )


@dataclass(frozen=True, eq=False)
class Sample:
    """What the suite has to know of one model. The model takes all of these values, and so does the system, except `refused`.

    Sample(
        "device",
        identifiers=lambda n: {"site": "site 0", "name": f"device {n}"},
        first={"role": "leaf", "rack": 1},
        second={"role": "spine", "rack": None},
        needs=("site",),
        text=("name", "role"),
    )
    """

    model: str
    identifiers: Callable[[int], Values]
    """The identifiers of record number 0, 1, 2, ...: different for each number."""
    first: Values | Callable[[int], Values] = field(default_factory=dict)
    """All attributes; a function of the number where they have to differ between records."""
    second: Values | Callable[[int], Values] = field(default_factory=dict)
    """All attributes, each with another value than in `first`; an attribute that cannot change has the same value."""
    needs: Sequence[str] = ()
    """The models whose record number 0 a record of this model needs: its parent, and the records that it refers to."""
    text: Sequence[str] = ()
    """The fields that take any text."""
    longest: int = 100
    """Characters that each of the fields in `text` takes."""
    optional: Sequence[str] | None = None
    """The attributes that may be None; by default those whose type says so."""
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """More values that attributes must keep, such as `{"rack": [0, -1, 2**31 - 1], "since": [date(2024, 2, 29)]}`."""
    refused: Values = field(default_factory=dict)
    """Values of fields that make a record which the model takes and the system refuses."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """What records of this model cannot do, with the reason; see `SystemUnderTest.cannot`."""

    def record(self, number: int = 0, *, second: bool = False) -> Record:
        """Return record number 0, 1, 2, ... with its first or second attributes."""
        attributes = self.second if second else self.first
        found = attributes(number) if callable(attributes) else attributes
        return Record(self.model, dict(self.identifiers(number)), dict(found))

    def records(self, count: int, *, second: bool = False) -> list[Record]:
        """Return the first records."""
        return [self.record(number, second=second) for number in range(count)]

    def bad_record(self, number: int) -> Record:
        """Return a record that the system refuses."""
        return self.record(number).with_fields(**self.refused)
