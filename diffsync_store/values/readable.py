"""Convert values to readable JSON, and values from JSON to the types of a model's fields."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import types
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from diffsync_store.values.codec import StandIn, equal, pack, unpack
from diffsync_store.values.known_classes import known_classes
from diffsync_store.values.models import build, rebuild
from diffsync_store.values.plain import PLAIN, is_unicode

_EXACT = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
_NUMBERS = PLAIN - {str}
_MAX_EXPONENT = 60
"""Maximum exponent of a `Decimal` that is written without exponent notation."""


def canonical(value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912  # one branch for each type
    """Return a value as readable JSON. Equal values have equal results; some different values have equal results too."""
    if type(value) is str:
        return value if value.isascii() else readable(value)
    if type(value) in PLAIN:
        return value
    if type(value) is StandIn:
        return canonical(value.plain)
    if isinstance(value, BaseModel):
        return canonical(dict(value))
    if isinstance(value, Mapping):
        return _canonical_mapping(value)
    if isinstance(value, set | frozenset):
        return sorted(map(canonical, value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, list | tuple | deque):
        return [canonical(item) for item in value]
    if isinstance(value, enum.Enum):
        return canonical(value.value)
    if isinstance(value, decimal.Decimal):
        return _canonical_decimal(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return _canonical_datetime(value)
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return readable(str.__str__(value))
    try:
        found = to_jsonable_python(value, inf_nan_mode="constants", fallback=str)
    except (UnicodeEncodeError, PydanticSerializationError):  # a nested text is not valid Unicode
        return readable(str(value))
    return found if type(found) in _NUMBERS else canonical(found)


def readable(text: str) -> str:
    r"""Return a text with lone surrogates, which are not valid Unicode, as escapes such as `\udcff`."""
    return text if is_unicode(text) else text.encode("utf-8", "backslashreplace").decode()


def _canonical_mapping(value: Mapping[Any, Any]) -> Any:
    found = {_name(key): canonical(item) for key, item in value.items()}
    return found if len(found) == len(value) else [[canonical(key), canonical(item)] for key, item in value.items()]


def _name(key: Any) -> str:
    found = canonical(key)
    return found if type(found) is str else json.dumps(found)


def _canonical_decimal(value: decimal.Decimal) -> str:
    if not value.is_finite():
        return str(value)
    exact = value.normalize(_EXACT)
    exact = exact or abs(exact)
    return format(exact, "f") if abs(int(exact.as_tuple().exponent)) <= _MAX_EXPONENT else str(exact)


def _canonical_datetime(value: dt.datetime) -> str:
    try:
        return value.astimezone(dt.UTC).isoformat()
    except OverflowError:  # near the first or the last year of datetime
        return value.isoformat()


# Values from JSON


def restored(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values, which may come from JSON, with the types of the model's fields.

    Only values of unknown classes, and dicts for fields with a class of fields, are converted.
    """
    return {name: typed(model, name, value) for name, value in values.items()}


def typed(model: Any, name: str, value: Any) -> Any:
    """Return the value of a field with the classes of the field's annotation."""
    if type(value) in PLAIN:
        return value
    if _holds_stand_in(value):
        value = unpack(pack(value), known_classes(model).find)
        if _holds_stand_in(value):
            value = canonical(value)
            return _read_as(model, name, value)
    if _has_structured_class(model, name) and _holds_dict(value):
        rebuilt = _rebuilt(model.model_fields[name].annotation, value)
        return rebuilt if _is_dumped_as(model, name, rebuilt, value) else value
    return value


def _rebuilt(annotation: Any, value: Any) -> Any:  # noqa: C901, PLR0911
    """Return the value with its dicts replaced by the objects that they were dumped from, without running their code.

    A dict is kept if the annotation does not determine its class.
    """
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if not isinstance(value, dict):
            return value
        if issubclass(annotation, BaseModel):
            fields = {name: field.annotation for name, field in annotation.model_fields.items() if not field.exclude}
            return build(annotation, _parts(fields, value)) if fields.keys() == value.keys() else value
        if dataclasses.is_dataclass(annotation):
            fields = {name: kind for name, kind in get_type_hints(annotation).items() if name in value}
            return rebuild(annotation, _parts(fields, value)) if fields.keys() == value.keys() else value
        return value
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _rebuilt(arguments[0], value)
    if origin in {Union, types.UnionType}:
        candidates = (_rebuilt(argument, value) for argument in arguments)
        return next((candidate for candidate in candidates if not equal(candidate, value)), value)
    if not isinstance(origin, type) or not isinstance(value, origin):
        return value
    if type(value) is dict:
        return {key: _rebuilt(arguments[-1], item) for key, item in value.items()}
    if isinstance(value, tuple) and Ellipsis not in arguments:
        return tuple(_rebuilt(argument, item) for argument, item in zip(arguments, value, strict=False))
    if isinstance(value, deque):
        return deque((_rebuilt(arguments[0], item) for item in value), value.maxlen)
    if isinstance(value, list | tuple):
        return type(value)([_rebuilt(arguments[0], item) for item in value])
    return value


def _parts(fields: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _rebuilt(annotation, values[name]) for name, annotation in fields.items()}


def _holds_stand_in(value: Any) -> bool:
    kind = type(value)
    if kind in PLAIN:
        return False
    if isinstance(value, Mapping):
        return any(map(_holds_stand_in, value)) or any(map(_holds_stand_in, value.values()))
    if isinstance(value, list | tuple | set | frozenset | deque):
        return not PLAIN.issuperset(map(type, value)) and any(map(_holds_stand_in, value))
    return kind is StandIn


def _holds_dict(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list | tuple | set | frozenset | deque) and any(map(_holds_dict, value))
    )


@lru_cache(maxsize=4096)
def _has_structured_class(model: Any, name: str) -> bool:
    """Whether an annotation names a class that is dumped as a dict."""
    field = model.model_fields.get(name)
    return field is not None and _is_structured(field.annotation)


def _is_structured(annotation: Any) -> bool:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)
    return any(map(_is_structured, get_args(annotation)))


@lru_cache(maxsize=4096)
def _reader(model: Any, name: str) -> TypeAdapter[Any]:
    annotation = model.model_fields[name].annotation
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # a type with its own configuration accepts no other
        return TypeAdapter(annotation)


def _read_as(model: Any, name: str, value: Any) -> Any:
    try:
        return _reader(model, name).validate_python(value)
    except Exception:  # noqa: BLE001  # it does not fit, or a validator fails: the model reports the error later
        return value


def _is_dumped_as(model: Any, name: str, rebuilt: Any, value: Any) -> bool:
    """Whether pydantic dumps a rebuilt object as this value. It fails for an object that lacks fields."""
    try:
        return equal(_reader(model, name).dump_python(rebuilt), value)
    except Exception:  # noqa: BLE001  # it does not fit, or a serializer fails
        return False
