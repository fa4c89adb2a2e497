"""Encode objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import (
    PydanticSerializationError,
    to_json,
)

from diffsync_store.compare import normal_forms
from diffsync_store.exceptions import ObjectNotStorable
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.digest import digest_of
from diffsync_store.store.record import ModelSchema
from diffsync_store.store.serialization.class_format import FLAGS, ClassFormat, class_format, root_class
from diffsync_store.store.serialization.custom_fields import written_by_class
from diffsync_store.values.codec import pack
from diffsync_store.values.custom_classes import class_name
from diffsync_store.values.errors import NotStorable
from diffsync_store.values.known_classes import known_classes
from diffsync_store.values.plain import PLAIN, is_plain, is_unicode

LONG_INT_BYTES = 1200
"""Minimum bytes of an object with an integer that is too long for the JSON parser."""


def encode(obj: DiffSyncModel, declared: type[Any] | None = None) -> bytes:
    """Return an object as bytes.

    Args:
        obj: the object.
        declared: the class that readers use by default: the adapter's.

    Raises:
        ObjectNotStorable: decoding could not return a value unchanged.
    """
    model, fields = type(obj), obj.__dict__
    data = encode_plain(model, fields)
    fmt = class_format(model)
    if data is not None:
        return data if model is declared else data + _second_line(obj, fmt, declared, is_plain=True)
    try:
        if fmt.required_excluded:
            raise _excluded_field_error(fmt.required_excluded[0])
        packed = {name: _packed(obj, fmt, name, fields[name]) for name in fmt.names if name in fields}
        if fmt.takes_extra:
            packed |= {name: _packed(obj, fmt, name, value) for name, value in (obj.__pydantic_extra__ or {}).items()}
        data = to_json(packed, inf_nan_mode="constants")
        return (data[:-1] if packed else b'{"~":0') + _line_end(fmt, fields) + _second_line(obj, fmt, declared)
    except (PydanticSerializationError, NotStorable, ValueError, RecursionError) as error:
        raise ObjectNotStorable(f"{obj.get_type()} {_uid(obj)!r} cannot be stored as JSON: {error}.") from error


def encode_with_digest(obj: DiffSyncModel, declared: type[Any] | None = None) -> tuple[bytes, bytes]:
    """Return an object as bytes, and its digest. See `encode` for the arguments and errors."""
    data = encode_plain(type(obj), obj.__dict__) if type(obj) is declared else None
    if data is not None:
        return data, digest_of(obj, is_plain=True)
    return encode(obj, declared), digest_of(obj)


def encode_plain(model: type[DiffSyncModel], fields: Mapping[str, Any]) -> bytes | None:
    """Return an object that consists of plain fields as bytes; None if its class or a value needs more."""
    fmt = class_format(model)
    if not fmt.is_simple:
        return None
    try:
        values = fmt.values(fields)
        if not _are_plain(values, fmt.unchecked[tuple(map(type, values))]):
            return None
        data: bytes = fmt.serializer.to_json(fields)
        if len(data) >= LONG_INT_BYTES and any(map(has_long_int, values[:-2])):
            return None
        return data if values[-2] is fmt.flags else data[:-1] + _line_end(fmt, fields)
    except (KeyError, PydanticSerializationError, ValueError):
        return None


def is_encoded_as(model: type[DiffSyncModel], fields: Mapping[str, Any], value: bytes | int) -> bool:
    """Return True if an object with these fields is encoded as this value, or has this hash; False means unknown."""
    fmt = class_format(model)
    try:
        data = fmt.serializer.to_json(fields) if fmt.is_simple else b""
    except (PydanticSerializationError, ValueError):
        return False
    return bool(data) and (hash(data) if isinstance(value, int) else data) == value


def _excluded_field_error(name: str) -> NotStorable:
    return NotStorable(f"its field {name!r} is excluded and has no default. Give it a default, or do not exclude it")


def ensure_storable(obj: DiffSyncModel, uid: str, declared: type[Any] | None = None) -> None:
    """Check that an object can be stored.

    Raises:
        ObjectNotStorable: `encode` would refuse it, or its unique id is not valid Unicode.
    """
    if not uid.isascii() and not is_unicode(uid):
        raise ObjectNotStorable(
            f"{obj.get_type()} {uid!r} cannot be stored: its unique id is not valid Unicode, because {_invalid_identifier(obj)} "
            "contains a lone surrogate. Replace it in the identifiers."
        )
    fmt = class_format(type(obj))
    if fmt.is_simple:
        try:
            values = fmt.values(obj.__dict__)
            if _are_plain(values, fmt.unchecked_if_storable[tuple(map(type, values))]):
                return
        except KeyError:
            pass
    encode(obj, declared)


def _are_plain(values: tuple[Any, ...], unchecked: tuple[int, ...] | None) -> bool:
    """Whether values are plain. The serializer refuses invalid Unicode, and `pack` changes it."""
    if unchecked is None:
        return False
    for at in unchecked:  # without a generator and a call for a list of scalars: they take most of the time
        value = values[at]
        if type(value) is list and PLAIN.issuperset(map(type, value)):
            continue
        if not is_plain(value):
            return False
    return True


def _invalid_identifier(obj: DiffSyncModel) -> str:
    """Describe the first identifier that is not valid Unicode, with its type."""
    values = ((name, getattr(obj, name, "")) for name in obj._identifiers)
    found = (
        f"its field {name!r} of type {type(value).__name__}" for name, value in values if not is_unicode(str(value))
    )
    return next(found, "it")


def _uid(obj: DiffSyncModel) -> str:
    try:
        return obj.get_unique_id()
    except Exception:  # noqa: BLE001  # the caller reports another error
        return "?"


def has_long_int(value: Any) -> bool:
    """Whether a value has an integer that is too long for the JSON parser."""
    if type(value) is list:
        return any(map(has_long_int, value))
    if type(value) is dict:
        return any(map(has_long_int, value.values()))
    return type(value) is int and value.bit_length() > 2 * LONG_INT_BYTES


def _line_end(fmt: ClassFormat, fields: Mapping[str, Any]) -> bytes:
    """Return the end of the line of an object: its flags, if they are not the default, and a brace."""
    flags = fields.get("model_flags", fmt.flags)
    return b"}" if flags == fmt.flags else b',"%b":%d}' % (FLAGS.encode(), flags.value)


def _packed(obj: Any, fmt: ClassFormat, name: str, value: Any) -> Any:
    """Return the value of a field as JSON."""
    if name[:1] == "~":
        raise NotStorable(f"the name {name!r} begins with a ~")
    if not is_unicode(name):
        raise NotStorable(f"the name {name!r} is not valid Unicode")
    known = known_classes(fmt.model)
    try:
        packed = pack(value, None if fmt.stores_reported_values else known.allows)
    except NotStorable as error:
        written = None if "asterisks" in str(error) else written_by_class(obj, name, value)
        if written is None:
            raise NotStorable(
                f"its field {name!r}, a {type(value).__name__}, {error}. Give the field a type that can be stored, or a "
                "serializer and a validator"
            ) from error
        return written
    if type(packed) in PLAIN and name in fmt.names:
        allowed = fmt.plain_types[fmt.names.index(name)]
        if allowed is not None and type(packed) not in allowed:
            return {"~value": packed}
    return packed


def _second_line(obj: Any, fmt: ClassFormat, declared: Any, *, is_plain: bool = False) -> bytes:
    """Return the second line with the line break before it; empty if none is needed."""
    reported: dict[str, Any] = {}
    if fmt.stores_reported_values:
        reported = obj.reported_values().model_dump(exclude_none=True)
    else:
        if fmt.model is not (declared or root_class(fmt.model)):
            reported["kind"], reported["shape"] = class_name(fmt.model), ModelSchema.of(fmt.model).model_dump_json()
        if not is_plain or reported:
            reported |= _reported(obj, fmt)
        if fmt.private:
            reported["private"] = _packed_private(obj, fmt)
    return b"\n" + to_json(reported, inf_nan_mode="constants") if reported else b""


def _reported(obj: Any, fmt: ClassFormat) -> dict[str, Any]:
    """Return the results of methods that a reader without the class cannot compute."""
    reported = {name: _call(obj, name) for name in fmt.reported}
    for name, fields in fmt.may_differ.items():
        found = obj.model_dump(include=fields, warnings=False)
        own = {field: obj.__dict__[field] for field in found if field in obj.__dict__}
        packed = pack(found)
        if len(own) != len(found) or packed != pack(own):
            reported[name] = packed
    return reported


def _call(obj: DiffSyncModel, name: str) -> Any:
    if name == "normal_forms":
        return normal_forms(obj)
    result = getattr(obj, name)()
    return {key: pack(value) for key, value in result.items()} if isinstance(result, Mapping) else result


def _packed_private(obj: Any, fmt: ClassFormat) -> dict[str, Any]:
    """Return the private attributes that can be stored. The others get their defaults when the object is decoded."""
    found: dict[str, Any] = {}
    for name in fmt.private:
        try:
            found[name] = pack(obj.__pydantic_private__[name], known_classes(fmt.model).allows)
        except (KeyError, TypeError, NotStorable):
            continue
    return found
