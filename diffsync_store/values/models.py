"""Objects of pydantic models and dataclasses: take their values, and rebuild them without running their code."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from diffsync_store.values.errors import Unreadable


def model_state(value: BaseModel) -> dict[str, Any]:
    """Return all values of a pydantic object, including extra and private ones."""
    state: dict[str, Any] = {"fields": {name: value.__dict__[name] for name in _stored_fields(type(value), value)}}
    if value.model_fields_set != state["fields"].keys():
        state["set"] = sorted(value.model_fields_set & state["fields"].keys())
    if value.__pydantic_extra__:
        state["extra"] = dict(value.__pydantic_extra__)
    if value.__pydantic_private__:
        state["private"] = dict(value.__pydantic_private__)
    return state


def _stored_fields(kind: type[BaseModel], value: BaseModel) -> list[str]:
    return [name for name, field in kind.model_fields.items() if not field.exclude and name in value.__dict__]


def attributes_of(value: Any) -> dict[str, Any]:
    """Return the values of the fields and other attributes of a dataclass object."""
    names = [field.name for field in dataclasses.fields(value)]
    return {name: getattr(value, name) for name in names if hasattr(value, name)} | own_dict(value)


def own_dict(value: Any) -> dict[str, Any]:
    """Return a copy of the `__dict__` of an object; empty if it has none."""
    return dict(getattr(value, "__dict__", {}))


set_attribute = object.__setattr__


def build(
    kind: Any,
    fields: dict[str, Any],
    fields_set: Any = None,
    extra: dict[str, Any] | None = None,
    private: Mapping[str, Any] | None = None,
) -> Any:
    """Return an object of a pydantic model with these values. Of the code of the class, only default factories run.

    Args:
        kind: the class.
        fields: values by field name; the object keeps this dict. Missing fields get their defaults.
        fields_set: names of the fields that were set; by default all in `fields`.
        extra: values of extra fields.
        private: values of private attributes; missing ones get their defaults.

    Raises:
        Unreadable: a field is missing and has no default.
    """
    fields_set = set(fields) if fields_set is None else set(fields_set)
    if len(fields) < len(kind.model_fields):
        for name, field in kind.model_fields.items():
            fields[name] = fields.pop(name) if name in fields else _default(name, field, fields)
    takes_extra = kind.model_config.get("extra") == "allow"
    return assembled(kind, fields, fields_set, (extra or {}) if takes_extra else None, private_of(kind, private))


def assembled(
    kind: Any,
    fields: dict[str, Any],
    fields_set: set[str],
    extra: dict[str, Any] | None,
    private: dict[str, Any] | None,
) -> Any:
    """Return an object of a pydantic model from the values of its internal attributes."""
    obj = kind.__new__(kind)
    set_attribute(obj, "__dict__", fields)
    set_attribute(obj, "__pydantic_fields_set__", fields_set)
    set_attribute(obj, "__pydantic_extra__", extra)
    set_attribute(obj, "__pydantic_private__", private)
    return obj


def _default(name: str, field: Any, fields: dict[str, Any]) -> Any:
    if field.is_required():
        raise Unreadable(f"{name} is missing")
    return field.get_default(call_default_factory=True, validated_data=fields)


def private_of(kind: Any, known: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the private attributes for a new pydantic object: these values, and defaults for the others."""
    declared = kind.__private_attributes__
    if not declared:
        return None
    known = known or {}
    found = {name: known[name] if name in known else private.get_default() for name, private in declared.items()}
    return {name: value for name, value in found.items() if value is not PydanticUndefined}


def rebuild(kind: Any, attributes: dict[str, Any]) -> Any:
    """Return an object with these attributes, without running code of its class."""
    obj = object.__new__(kind)
    for name, value in attributes.items():
        set_attribute(obj, name, value)
    return obj
