"""What somebody allows once, as short texts that a message prints and a parameter takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_ACTIONS = ("create", "update", "delete")
_FORMS = (
    "write 'delete:990:device' for so many deletes of a model, 'delete:1200' for so many of all together, "
    "'partial:device' or 'empty:device' for deletes that are held"
)


@dataclass(frozen=True)
class Allowances:
    """What is allowed, by kind."""

    numbers: dict[tuple[str, str], int]
    """Most operations by action and model, the empty model being all together."""
    partial: frozenset[str]
    empty: frozenset[str]


def read_allowances(texts: Iterable[str]) -> Allowances:
    """Read allowances; the largest number counts where there are several.

    Raises:
        ValueError: one of them has none of the forms.
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
            raise ValueError(f"{text[:200]!r} allows nothing: {_FORMS}.")
    return Allowances(numbers, frozenset(models["partial"]), frozenset(models["empty"]))
