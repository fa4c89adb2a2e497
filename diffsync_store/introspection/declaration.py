"""Checks of a model class's declaration, and class variables that follow from it."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from diffsync_store.introspection.field_types import is_scalar, plain_fields
from diffsync_store.introspection.model_classes import overrides

_EXCLUSIVE = (("_identifiers", "_attributes"), ("_identifiers", "_children"), ("_attributes", "_children"))
"""Roles of which a field has one at most."""


def check_declaration(model: Any) -> None:
    """Check that the class variables name fields, and that no field has two roles.

    Raises:
        AttributeError: the declaration is wrong.
    """
    roles = {
        "_identifiers": tuple(model._identifiers),
        "_shortname": tuple(model._shortname),
        "_attributes": tuple(model._attributes),
        "_children": tuple(model._children.values()),
    }
    for role, names in roles.items():
        for name in names:
            # An identifier may be any attribute of the class, such as a computed field.
            if name not in model.model_fields and not (role == "_identifiers" and hasattr(model, name)):
                raise AttributeError(_not_a_field(model, role, name))
    for first, second in _EXCLUSIVE:
        both = sorted(set(roles[first]) & set(roles[second]))
        if both:
            raise AttributeError(f"{model.__name__} has {', '.join(both)} in both {first} and {second}.")


def all_secrets(model: Any) -> tuple[str, ...]:
    """Return the fields that a class and its bases declare in `_secrets`.

    Raises:
        AttributeError: `_secrets` is not a tuple of field names.
    """
    declared = vars(model).get("_secrets", ())
    if not isinstance(declared, tuple | list | set | frozenset) or not all(isinstance(name, str) for name in declared):
        raise AttributeError(
            f'{model.__name__}._secrets is {declared!r}, not a tuple of field names: write it as `_secrets = ("psk",)`.'
        )
    for name in declared:
        if name not in model.model_fields and not hasattr(model, name) and name not in model.model_computed_fields:
            raise AttributeError(_not_a_field(model, "_secrets", name))
    inherited = (name for base in model.__mro__[1:] for name in vars(base).get("_secrets", ()))
    return tuple(dict.fromkeys((*declared, *inherited)))


def _not_a_field(model: Any, role: str, name: str) -> str:
    return (
        f"{model.__name__}.{role} names {name!r}, which is not a field of the class: "
        f"add it with a type annotation (`{name}: str`)."
    )


def derived_class_variables(model: Any) -> dict[str, Any]:
    """Compute the class variables of `DiffSyncModel` that follow from the declaration."""
    allows_extra = model.model_config.get("extra") == "allow"
    fields = model.model_fields
    has_mutable = not all(is_scalar(fields[name].annotation) for name in fields.keys() - {"adapter", "model_flags"})
    identifiers = plain_fields(model, model._identifiers)
    is_default_uid = identifiers and not overrides(model, ("get_identifiers", "create_unique_id"))
    return {
        "_changes_in_place": allows_extra or has_mutable,
        "_plain_identifiers": identifiers,
        "_plain_attributes": plain_fields(model, model._attributes),
        "_identifier_values": itemgetter(*model._identifiers) if is_default_uid else None,
        "_identifier_format": "__".join(["%s"] * len(model._identifiers)) if len(model._identifiers) > 1 else "",
        "_is_declared": True,
    }
