"""Values as they travel between processes: written so that equal values are written alike, read as a model's types."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel

_AMBIGUOUS = (set, frozenset, decimal.Decimal, dt.datetime)
"""Types that have equal values which JSON writes in several ways: orders of a set, 1.0 and 1.00, time zones."""

_PLAIN = frozenset((str, int, float, bool, type(None)))
"""Types whose values JSON has as they are; a subclass may have a way of its own."""

_NATIVE = (str, int, float, bool, type(None), list, dict)


def canonical(value: Any) -> Any:  # noqa: PLR0911  # one line a kind of value
    """The value as JSON has it; equal values come out equal."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, BaseModel):
        return canonical(dict(value))
    if isinstance(value, Mapping):
        return {_name(key): canonical(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(canonical, value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, decimal.Decimal) and value.is_finite():
        return format(value.normalize() + 0, "f")
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).isoformat()
    return to_jsonable_python(value, inf_nan_mode="constants")


def _name(key: Any) -> str:
    return key if type(key) is str else str(to_jsonable_python(key))


@lru_cache(maxsize=1024)
def has_ambiguous_attributes(model: type[DiffSyncModel]) -> bool:
    """Whether attributes of the model may be equal without being written alike by pydantic."""
    return any(mentions(model.model_fields[name].annotation, _AMBIGUOUS) for name in model._attributes)


def restored(model: type[DiffSyncModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that may have been JSON in between, as the model's fields have them.

    A value that does not fit its field is left as it is: what to say of it is the model's to decide.
    """
    readers = _readers(model)
    return {name: _read(readers[name], value) if name in readers else value for name, value in values.items()}


@lru_cache(maxsize=1024)
def _readers(model: type[DiffSyncModel]) -> dict[str, TypeAdapter[Any]]:
    """For each field whose values JSON cannot hold as they are, what reads them."""
    readers: dict[str, TypeAdapter[Any]] = {}
    for name in (*model._identifiers, *model._attributes):
        annotation: Any = model.model_fields[name].annotation
        if is_native(annotation):
            continue
        try:
            readers[name] = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError:  # a type with a configuration of its own takes no other
            readers[name] = TypeAdapter(annotation)
    return readers


def _read(reader: TypeAdapter[Any], value: Any) -> Any:
    try:
        return reader.validate_python(value)
    except ValidationError:
        return value


def is_native(annotation: Any) -> bool:
    if annotation is Any or annotation in _NATIVE:
        return True
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return False
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, dict):
        return get_args(annotation)[0] is str and is_native(get_args(annotation)[1])
    if isinstance(origin, type) and not issubclass(origin, list) and origin.__module__ != "types":
        return False
    return all(is_native(argument) for argument in get_args(annotation) if not isinstance(argument, str | int))


def mentions(annotation: Any, kinds: tuple[type, ...], seen: frozenset[type] = frozenset()) -> bool:
    """Whether a value of this type may be, or hold, a value of one of these kinds."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if not issubclass(annotation, BaseModel):
            return issubclass(annotation, kinds)
        if annotation in seen:
            return False
        fields = annotation.model_fields.values()
        return any(mentions(field.annotation, kinds, seen | {annotation}) for field in fields)
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, kinds):
        return True
    return any(mentions(argument, kinds, seen) for argument in get_args(annotation))
