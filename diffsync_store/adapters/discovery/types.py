"""Guess the type of a field from a sample of its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from diffsync_store.mapping.types import annotation_of

_FORMS: Mapping[str, re.Pattern[str]] = {
    "bool": re.compile(r"true|false", re.IGNORECASE),
    "int": re.compile(r"0|-?[1-9]\d{0,14}"),  # "007" is text, and so is a number longer than a float can hold
    "number": re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*"),
    "mac": re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}", re.IGNORECASE),
    "ip": re.compile(r"[0-9.]{7,15}|[0-9a-f:]*:[0-9a-f:.]*", re.IGNORECASE),
    "network": re.compile(r"[0-9a-f:.]+/\d{1,3}", re.IGNORECASE),
}
"""Types of texts, each with the form that all values must have; the first that fits is taken."""


_KINDS: tuple[tuple[frozenset[type], str], ...] = (
    (frozenset({bool}), "bool"),
    (frozenset({int}), "int"),
    (frozenset({int, float}), "number"),
    (frozenset({datetime}), "datetime"),
    (frozenset({date}), "date"),
    (frozenset({str, int, float}), "str"),
)
"""Types of values, the closest first."""


def guess_type(values: Iterable[Any]) -> str:
    """Return the type name that fits all values; None and blank texts fit every type."""
    known = [value for value in values if value is not None and value != ""]
    kinds = {type(value) for value in known}
    if not known:
        return "str"
    if kinds == {str}:
        return _type_of_texts(known)
    if kinds == {list}:
        return f"list[{guess_type(item for value in known for item in value)}]"
    return next((name for types, name in _KINDS if kinds <= types), "json")


def _type_of_texts(texts: list[str]) -> str:
    for name, form in _FORMS.items():
        if all(form.fullmatch(text) for text in texts) and _all_valid(name, texts):
            return "interface" if name == "network" and _have_host_bits(texts) else name
    return "str"


def _all_valid(name: str, texts: list[str]) -> bool:
    validate: Callable[[Any], Any] = TypeAdapter(annotation_of(name)).validate_python
    try:
        for text in texts:
            validate(text)
    except ValidationError:
        return False
    return True


def _have_host_bits(texts: list[str]) -> bool:
    network = TypeAdapter(annotation_of("network")).validate_python
    interface = TypeAdapter(annotation_of("interface")).validate_python
    return any(network(text) != interface(text) for text in texts)
