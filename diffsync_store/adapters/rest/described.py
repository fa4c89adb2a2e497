"""DescribedFields: what an API says of the fields of a list's records, and what it would therefore refuse in a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from diffsync_store.redaction import is_secret_name, redact_text, redact_values

_LONGEST_SHOWN = 60
_DATE = re.compile(r"\s*\d{4}-?\d{1,2}-?\d{1,2}")
_BOOLEANS = frozenset(["true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"])
_NOTHING: tuple[Any, ...] = (None, "", [], {})
"""Values that say "no value". Whether a field takes them is not described."""


class DescribedField(NamedTuple):
    """A field, as far as the API describes it."""

    kind: str = ""
    """`string`, `integer`, `decimal`, `float`, `boolean`, `date`, `datetime`, `list` or `nested object`; others are not checked."""
    required: bool = False
    read_only: bool = False
    min_length: int | None = None
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None
    choices: tuple[Any, ...] = ()
    child: DescribedField | None = None
    """The items of a list."""
    children: Mapping[str, DescribedField] = {}
    """The fields of a nested record."""


class Showing(NamedTuple):
    """How values are named in reasons: never those of secret fields, and no secret inside another value."""

    secrets: frozenset[str] = frozenset()
    """The keys of a record whose values are secret, besides those with a secret name."""
    record: Mapping[str, Any] = {}
    is_hidden: bool = False
    """Whether the value that is checked is secret."""

    def below(self, name: str) -> Showing:
        """Return the same for the value of a key."""
        return self._replace(is_hidden=self.is_hidden or name in self.secrets or is_secret_name(name))

    def shown(self, value: Any) -> str:
        """Return a value as text. Secrets are redacted before the text is cut: a part of one would not be found later."""
        if self.is_hidden:
            return "The value"
        [inside] = redact_values(self.secrets, {"": value}).values()
        text = redact_text(self.secrets, repr(inside), self.record)
        return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


@dataclass(frozen=True)
class DescribedFields:
    """The fields of a list. Threads may share it."""

    fields: Mapping[str, DescribedField] = field(default_factory=dict)
    """The fields by name; none if the API describes none."""
    methods: frozenset[str] = frozenset()
    """The methods by which the token may write, as far as the API says it."""
    is_complete: bool = False
    """Whether the API drops a field that is not described."""

    @classmethod
    def from_options(cls, answer: Any) -> DescribedFields:
        """Return what an answer to `OPTIONS` describes, in the form of Django REST Framework."""
        actions = answer.get("actions") if isinstance(answer, Mapping) else None
        if not isinstance(actions, Mapping):
            return cls()
        fields = _fields_of_options(actions.get("POST") or actions.get("PUT"))
        return cls(fields, frozenset(map(str, actions)), is_complete=True)

    @classmethod
    def from_schema(cls, schema: Mapping[str, Any]) -> DescribedFields:
        """Return what a schema of OpenAPI describes. Its `properties` contain no references."""
        required = set(schema.get("required", ()))
        found = {name: _field_of_schema(one, name in required) for name, one in schema.get("properties", {}).items()}
        return cls(found, is_complete=schema.get("additionalProperties") is False)

    def without_required(self) -> DescribedFields:
        """Return the same for records that are part of others."""
        return replace(self, fields={name: one._replace(required=False) for name, one in self.fields.items()})

    def problems(
        self, body: Mapping[str, Any], *, is_new: bool, finds_dropped: bool, secrets: Collection[str] = ()
    ) -> list[str]:
        """Return why the API would refuse a record.

        Args:
            body: what would be sent.
            is_new: whether the record is new, so that it needs all required fields.
            finds_dropped: whether a field that the API drops without an error is a problem.
            secrets: keys of the record whose values are not shown, besides those with a secret name.
        """
        if not self.fields:
            return []
        showing = Showing(frozenset(secrets), body)
        found = [
            f"{name}: {why}"
            for name, value in body.items()
            for why in self._about(name, value, finds_dropped, showing.below(name))
        ]
        if is_new:
            missing = (name for name, one in self.fields.items() if one.required and not one.read_only)
            found += [f"{name}: The API requires this field." for name in missing if name not in body]
        return found

    def _about(self, name: str, value: Any, finds_dropped: bool, showing: Showing) -> Iterator[str]:
        found = self.fields.get(name)
        if found is not None and not found.read_only:
            yield from problems_of_value(found, value, showing)
        elif finds_dropped and value not in _NOTHING and (found is not None or self.is_complete):
            what = "has no such field" if found is None else "sets this field itself"
            yield f"The API {what}, and drops the value without an error."


def problems_of_value(described: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    """Yield what is wrong with a value."""
    if value in _NOTHING:
        return
    check = _about_choice if described.choices else _CHECKS.get(described.kind)
    if check is not None:
        yield from check(described, value, showing)


def _about_choice(described: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    known = set(map(str, described.choices))
    for item in value if isinstance(value, list | tuple) else [value]:
        given = item.get("value") if isinstance(item, Mapping) else item
        if given not in _NOTHING and str(given) not in known:
            yield f"{showing.shown(given)} is not a choice.{_choices(described.choices)}"


def _choices(choices: Sequence[Any]) -> str:
    return f" Choices are {', '.join(map(str, choices))}." if len(choices) <= 10 else ""


def _about_text(described: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    if isinstance(value, bool | Mapping | list | tuple):
        yield f"{showing.shown(value)} is not a text."
        return
    text = str(value).strip()
    if "\0" in text:
        yield "The text has a null character."
    if described.max_length is not None and len(text) > described.max_length:
        yield f"The text has {len(text):,} characters. The API takes {described.max_length:,} at most."
    if described.min_length is not None and len(text) < described.min_length:
        yield f"The text has {len(text):,} characters. The API requires {described.min_length:,}."


def _about_number(described: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    number = _number(value)
    is_whole = number is not None and number == number.to_integral_value()
    if (
        number is None
        or (isinstance(value, bool) and described.kind != "float")
        or (described.kind == "integer" and not is_whole)
    ):
        yield f"{showing.shown(value)} is not {'an integer' if described.kind == 'integer' else 'a number'}."
        return
    if described.min_value is not None and number < Decimal(str(described.min_value)):
        yield f"{showing.shown(value)} is less than {described.min_value}."
    if described.max_value is not None and number > Decimal(str(described.max_value)):
        yield f"{showing.shown(value)} is more than {described.max_value}."


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(int(value) if isinstance(value, bool) else str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


def _about_boolean(_: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    if str(value).lower() not in _BOOLEANS:
        yield f"{showing.shown(value)} is neither true nor false."


def _about_date(described: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    if not _DATE.match(str(value)):
        yield f"{showing.shown(value)} is not a {described.kind}."


def _about_nested(described: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    for name, below in value.items() if isinstance(value, Mapping) else ():
        if name in described.children:
            found = problems_of_value(described.children[name], below, showing.below(name))
            yield from (f"{name}: {why}" for why in found)


def _about_list(described: DescribedField, value: Any, showing: Showing) -> Iterator[str]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        yield f"{showing.shown(value)} is not a list."
    elif described.child is not None:
        for place, item in enumerate(value):
            yield from (f"item {place}: {why}" for why in problems_of_value(described.child, item, showing))


_CHECKS: Mapping[str, Callable[[DescribedField, Any, Showing], Iterator[str]]] = {
    **dict.fromkeys(("string", "email", "regex", "slug", "url", "file path"), _about_text),
    **dict.fromkeys(("integer", "decimal", "float"), _about_number),
    **dict.fromkeys(("date", "datetime"), _about_date),
    "boolean": _about_boolean,
    "list": _about_list,
    "nested object": _about_nested,
}


# The two forms in which APIs describe themselves


def _fields_of_options(found: Any) -> dict[str, DescribedField]:
    items = found.items() if isinstance(found, Mapping) else ()
    return {str(name): _field_of_options(one) for name, one in items if isinstance(one, Mapping)}


def _field_of_options(found: Mapping[str, Any]) -> DescribedField:
    child = found.get("child")
    choices = found.get("choices")
    return DescribedField(
        kind=str(found.get("type", "")),
        required=found.get("required") is True,
        read_only=found.get("read_only") is True,
        min_length=_whole(found.get("min_length")),
        max_length=_whole(found.get("max_length")),
        min_value=_float(found.get("min_value")),
        max_value=_float(found.get("max_value")),
        choices=tuple(_flat(choices)) if isinstance(choices, list) else (),
        child=_field_of_options(child) if isinstance(child, Mapping) else None,
        children=_fields_of_options(found.get("children")),
    )


def _flat(choices: Sequence[Any]) -> Iterator[Any]:
    """Yield the values of choices, also of those in groups."""
    for one in choices:
        if isinstance(one, Mapping) and isinstance(one.get("choices"), list):
            yield from _flat(one["choices"])
        elif isinstance(one, Mapping) and "value" in one:
            yield one["value"]


_KINDS = {"number": "float", "array": "list", "object": "nested object"}


def _field_of_schema(found: Mapping[str, Any], is_required: bool = False) -> DescribedField:
    kinds = [kind for kind in _listed(found.get("type")) if kind != "null"]
    kind = str(kinds[0]) if len(kinds) == 1 else ""
    if kind == "string" and found.get("format") in {"date", "date-time"}:
        kind = "date" if found["format"] == "date" else "datetime"
    items = found.get("items")
    return DescribedField(
        kind=_KINDS.get(kind, kind),
        required=is_required and "default" not in found,
        read_only=found.get("readOnly") is True,
        min_length=_whole(found.get("minLength")),
        max_length=_whole(found.get("maxLength")),
        min_value=_float(found.get("minimum")),
        max_value=_float(found.get("maximum")),
        choices=tuple(value for value in _listed(found.get("enum")) if value is not None),
        child=_field_of_schema(items) if isinstance(items, Mapping) else None,
    )


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [] if found is None else [found]


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
