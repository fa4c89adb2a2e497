"""Refuse rules that name a field which no object of a comparison has: they would never fit, and nobody would notice."""

from __future__ import annotations

from diffsync_store.adapter import Adapter
from diffsync_store.exceptions import InvalidRule
from diffsync_store.model import DiffSyncModel
from diffsync_store.rules import Rules
from diffsync_store.store.reported_values import reported_values_of


def require_known_names(rules: Rules | None, source: Adapter, target: Adapter) -> None:
    """Check the fields that rules name, for models of which one side has objects.

    A rule with a pattern may be about a model without objects, of which the fields are not known here.

    Raises:
        InvalidRule: no such model has the field.
    """
    if not rules:
        return
    fields: dict[str, frozenset[str] | None] = {}
    for side in (source, target):
        for name in side.store.record().counts:
            found = _fields(getattr(side, name, None))
            known = fields.get(name, frozenset())
            fields[name] = None if found is None or known is None else known | found
    for position, message in rules.unknown_fields(fields):
        if rules.all[position].model not in fields:
            continue
        raise InvalidRule(f"The rule {str(rules.all[position])!r} fits nothing: {message}. Correct the rule.")


def _fields(model: type[DiffSyncModel] | None) -> frozenset[str] | None:
    """Return the names of the fields that a diff shows; None if methods of the class decide."""
    if model is None:
        return frozenset()
    schema = getattr(model, "_schema", None)
    if schema.methods if schema is not None else reported_values_of(model):
        return None
    return frozenset({*model._identifiers, *model._attributes})
