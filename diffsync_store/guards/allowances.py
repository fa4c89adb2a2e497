"""Allowances: short texts that a guard's message prints and that let a suppressed change through once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_ACTIONS = ("create", "update", "delete")
_FORMS = (
    "write 'delete:990:device' for a number of deletes of a model, 'delete:1200' for a number of deletes of all models, "
    "'partial:device' or 'empty:device' for deletes that are suppressed"
)


@dataclass(frozen=True)
class Allowances:
    """Parsed allowances, by kind."""

    numbers: dict[tuple[str, str], int]
    """Maximum operations by action and model; the empty model stands for all models together."""
    partial: frozenset[str]
    empty: frozenset[str]


def parse_allowances(texts: Iterable[str]) -> Allowances:
    """Parse allowances; of several for one action and model the largest number counts.

    Raises:
        ValueError: A text is not a valid allowance.
    """
    numbers: dict[tuple[str, str], int] = {}
    models: dict[str, set[str]] = {"partial": set(), "empty": set()}
    for text in [texts] if isinstance(texts, str) else texts:
        kind, _, rest = text.partition(":")
        number, has_model, model = rest.partition(":")
        if kind in models and rest:
            models[kind].add(rest)
        elif kind in _ACTIONS and number.isascii() and number.isdigit() and bool(model) == bool(has_model):
            numbers[kind, model] = max(int(number[:18]), numbers.get((kind, model), 0))
        else:
            raise ValueError(f"{text[:200]!r} is not a valid allowance: {_FORMS}.")
    return Allowances(numbers, frozenset(models["partial"]), frozenset(models["empty"]))
