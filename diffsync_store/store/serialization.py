"""Encode objects as JSON and decode them. No other module does.

An encoded object is one line of JSON with the values of its fields, encoded by `values.codec`. Decoding returns equal values without
running code of the class: no validator and no `model_post_init` is called. A second line, if any, holds a `ReportedValues`: the name of
the class, if it is not the adapter's; private attributes; and the results of overridden methods (`get_attrs`, `get_identifiers`,
`get_unique_id`, `get_shortname`), for readers that lack the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import (
    PydanticSerializationError,
    SchemaSerializer,
    SchemaValidator,
    core_schema,
    from_json,
    to_json,
)

from diffsync_store.compare import normal_forms
from diffsync_store.exceptions import ObjectNotStorable, ObjectStoreException
from diffsync_store.introspection.model_classes import (
    dumps_as_is,
    library_base,
    per_class,
)
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.record import ModelSchema
from diffsync_store.store.reported_values import NOTHING_REPORTED, ReportedValues, reported_values_of
from diffsync_store.store.stored_model import stored_model
from diffsync_store.values.atoms import SAFE
from diffsync_store.values.codec import Find, equal, pack, unpack
from diffsync_store.values.custom_classes import class_name
from diffsync_store.values.errors import NotStorable, Unreadable
from diffsync_store.values.known_classes import known_classes, subclasses_of
from diffsync_store.values.models import assembled, build, private_of
from diffsync_store.values.plain import PLAIN, is_plain, is_unicode
from diffsync_store.values.readable import typed

_NOT_ENCODED = ("adapter", "model_flags")
_FLAGS = "~flags"
_LONG_INT_BYTES = 1200
"""Minimum bytes of an object with an integer that is too long for the JSON parser."""


class _Format:
    """How objects of one class are encoded and decoded."""

    def __init__(self, model: Any) -> None:
        fields = {
            name: field for name, field in model.model_fields.items() if name not in _NOT_ENCODED and not field.exclude
        }
        self.model = model
        self.names = tuple(fields)
        self.values = itemgetter(*self.names, "model_flags", "adapter")  # the last two so that it returns a tuple
        self.plain_types = [_plain_types(field.annotation) for field in fields.values()]
        self.unchecked_positions: dict[tuple[type, ...], tuple[int, ...] | None] = {}
        """By types of the values: positions of values to check with `is_plain`; None if a value is not plain."""
        self.flags = model.model_fields["model_flags"].default
        self.subclasses: dict[str, Any] = {}
        """Classes of the same model by name, found so far."""
        self.stores_reported_values = getattr(model, "_stores_reported_values", False)
        self.takes_extra = model.model_config.get("extra") == "allow"
        root = library_base(model)
        self.private = tuple(model.__private_attributes__.keys() - root.__private_attributes__.keys())
        self.reported = reported_values_of(model)
        self.may_differ = {}
        for name, known, fields in (
            ("get_attrs", "_plain_attributes", model._attributes),
            ("get_identifiers", "_plain_identifiers", model._identifiers),
        ):
            if name not in self.reported and getattr(model, known, None) is None and fields:
                self.may_differ[name] = set(fields)
        """Methods whose result may differ from the fields, because pydantic dumps these fields differently."""
        self.required_excluded = [
            name for name, field in model.model_fields.items() if field.exclude and field.is_required()
        ]
        self.dumps_as_is = dumps_as_is(model, [name for name in model._attributes if name in model.model_fields])
        self.validator, self.serializer = _raw(model, self.names, self.plain_types)
        self.has_private = bool(model.__private_attributes__)
        has_more = self.reported or self.private or self.takes_extra or self.stores_reported_values or not self.names
        are_all = len(self.names) + len(_NOT_ENCODED) == len(model.model_fields)
        self.is_simple = are_all and self.dumps_as_is and not has_more
        """Whether an object with plain values is determined by its fields alone."""

    def find_unchecked(self, kinds: tuple[type, ...]) -> tuple[int, ...] | None:
        """Compute the entry of `unchecked_positions` for values of these types."""
        unchecked: list[int] | None = []
        for position, (kind, allowed) in enumerate(zip(kinds, self.plain_types, strict=False)):
            if kind in {list, dict} and allowed is None:
                unchecked.append(position)  # type: ignore[union-attr]
            elif kind not in PLAIN or (allowed is not None and kind not in allowed):
                unchecked = None
                break
        found = self.unchecked_positions[kinds] = None if unchecked is None else tuple(unchecked)
        return found

    def check(self, fields: Mapping[str, Any]) -> None:
        """Check the types of plain values.

        Raises:
            Unreadable: a value has a type that the field's annotation does not allow.
        """
        for name, allowed in zip(self.names, self.plain_types, strict=True):
            if (
                name in fields
                and allowed is not None
                and type(fields[name]) not in allowed
                and not _is_tagged(fields[name])
            ):
                expected = " or ".join(sorted(kind.__name__ for kind in allowed))
                raise Unreadable(f"{name} is {type(fields[name]).__name__}, not {expected or 'as annotated'}")


def _is_tagged(value: Any) -> bool:
    return type(value) is dict and len(value) == 1 and next(iter(value))[:1] == "~"


_STRICT: dict[type, Any] = {
    str: core_schema.str_schema(strict=True),
    int: core_schema.int_schema(strict=True),
    float: core_schema.float_schema(strict=True),
    bool: core_schema.bool_schema(strict=True),
    type(None): core_schema.none_schema(),
}


def _raw(model: Any, names: tuple[str, ...], allowed: list[Any]) -> tuple[SchemaValidator, SchemaSerializer]:
    """Return a reader and a writer of the fields of an object with plain values, which run no code of its class."""
    read = {
        name: core_schema.model_field(_strict(kinds) if kinds else core_schema.any_schema())
        for name, kinds in zip(names, allowed, strict=True)
    }
    write = {
        name: core_schema.typed_dict_field(core_schema.any_schema(), serialization_exclude=name not in names)
        for name in model.model_fields
    }
    return (
        SchemaValidator(core_schema.model_fields_schema(read)),
        SchemaSerializer(core_schema.typed_dict_schema(write), core_schema.CoreConfig(ser_json_inf_nan="constants")),
    )


def _strict(kinds: frozenset[type]) -> Any:
    found: list[Any] = [schema for kind, schema in _STRICT.items() if kind in kinds]
    return found[0] if len(found) == 1 else core_schema.union_schema(found)


@per_class
def _format(model: Any) -> _Format:
    return _Format(model)


def _plain_types(annotation: Any) -> frozenset[type] | None:
    """Return the plain types that a field with this annotation may have; None if unknown."""
    if annotation is None or (isinstance(annotation, type) and annotation in PLAIN):
        return frozenset((annotation or type(None),))
    if isinstance(annotation, type) and annotation in SAFE:
        return frozenset()
    origin = get_origin(annotation)
    if origin is Literal:
        kinds = frozenset(map(type, get_args(annotation)))
        return kinds if kinds <= PLAIN else None
    if origin is Annotated:
        return _plain_types(get_args(annotation)[0])
    if origin is Union or type(annotation).__name__ == "UnionType":
        parts = [_plain_types(part) for part in get_args(annotation)]
        return None if None in parts else frozenset().union(*(part for part in parts if part is not None))
    return None


# Encoding


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
    fmt = _format(model)
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


def encode_plain(model: type[DiffSyncModel], fields: Mapping[str, Any]) -> bytes | None:
    """Return an object that consists of plain fields as bytes; None if its class or a value needs more."""
    fmt = _format(model)
    if not fmt.is_simple:
        return None
    try:
        values = fmt.values(fields)[:-2]
        kinds = tuple(map(type, values))
        unchecked = fmt.unchecked_positions[kinds] if kinds in fmt.unchecked_positions else fmt.find_unchecked(kinds)
        if unchecked is None or (unchecked and not all(is_plain(values[at]) for at in unchecked)):
            return None
        data: bytes = fmt.serializer.to_json(fields)
        if len(data) >= _LONG_INT_BYTES and any(map(_has_long_int, values)):
            return None
        return data if fields["model_flags"] is fmt.flags else data[:-1] + _line_end(fmt, fields)
    except (KeyError, PydanticSerializationError, ValueError):
        return None


def is_encoded_as(model: type[DiffSyncModel], fields: Mapping[str, Any], value: bytes | int) -> bool:
    """Return True if an object with these fields is encoded as this value, or has this hash; False means unknown."""
    fmt = _format(model)
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
    if not _is_plainly_storable(obj):
        encode(obj, declared)


def _is_plainly_storable(obj: DiffSyncModel) -> bool:
    fmt = _format(type(obj))
    if not fmt.is_simple:
        return False
    try:
        values = fmt.values(obj.__dict__)[:-2]
    except KeyError:
        return False
    kinds = tuple(map(type, values))
    if SAFE.issuperset(kinds):
        return True
    unchecked = fmt.unchecked_positions[kinds] if kinds in fmt.unchecked_positions else fmt.find_unchecked(kinds)
    return unchecked is not None and all(is_plain(values[at]) for at in unchecked)


def _invalid_identifier(obj: DiffSyncModel) -> str:
    """Describe the first identifier that is not valid Unicode, with its type."""
    values = ((name, getattr(obj, name, "")) for name in obj._identifiers)
    found = (f"its field {name!r}, a {type(value).__name__}," for name, value in values if not is_unicode(str(value)))
    return next(found, "it")


def _uid(obj: DiffSyncModel) -> str:
    try:
        return obj.get_unique_id()
    except Exception:  # noqa: BLE001  # the caller reports another error
        return "?"


def _has_long_int(value: Any) -> bool:
    if type(value) is list:
        return any(map(_has_long_int, value))
    if type(value) is dict:
        return any(map(_has_long_int, value.values()))
    return type(value) is int and value.bit_length() > 2 * _LONG_INT_BYTES


def _line_end(fmt: _Format, fields: Mapping[str, Any]) -> bytes:
    """Return the end of the line of an object: its flags, if they are not the default, and a brace."""
    flags = fields.get("model_flags", fmt.flags)
    return b"}" if flags == fmt.flags else b',"%b":%d}' % (_FLAGS.encode(), flags.value)


def _packed(obj: Any, fmt: _Format, name: str, value: Any) -> Any:
    """Return the value of a field as JSON."""
    if name[:1] == "~":
        raise NotStorable(f"the name {name!r} begins with a ~")
    if not is_unicode(name):
        raise NotStorable(f"the name {name!r} is not valid Unicode")
    known = known_classes(fmt.model)
    try:
        packed = pack(value, None if fmt.stores_reported_values else known.allows)
    except NotStorable as error:
        written = None if "asterisks" in str(error) else _written_by_class(obj, name, value)
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


def _second_line(obj: Any, fmt: _Format, declared: Any, *, is_plain: bool = False) -> bytes:
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


def _reported(obj: Any, fmt: _Format) -> dict[str, Any]:
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


def _packed_private(obj: Any, fmt: _Format) -> dict[str, Any]:
    """Return the private attributes that can be stored. The others get their defaults when the object is decoded."""
    found: dict[str, Any] = {}
    for name in fmt.private:
        try:
            found[name] = pack(obj.__pydantic_private__[name], known_classes(fmt.model).allows)
        except (KeyError, TypeError, NotStorable):
            continue
    return found


@per_class
def root_class(model: Any) -> Any:
    """Return the most basic class with this model name: the class to decode with if no adapter declares one."""
    root = library_base(model)
    bases = [base for base in model.__mro__ if issubclass(base, root) and base is not root]
    return next((base for base in reversed(bases) if base._modelname == model._modelname), model)


# Fields with a serializer and a validator


@lru_cache(maxsize=1024)
def _field_reader(model: Any, name: str) -> SchemaValidator:
    """Return the validator of one field of the class."""
    schema: Any = model.__pydantic_core_schema__
    definitions: Any = []
    while schema["type"] != "model-fields":
        definitions = schema.get("definitions", definitions)
        if schema["type"] == "definition-ref":
            schema = next(found for found in definitions if found.get("ref") == schema["schema_ref"])
        else:
            schema = schema["schema"]
    field = schema["fields"][name]["schema"]
    return SchemaValidator({"type": "definitions", "schema": field, "definitions": definitions})


def _written_by_class(obj: Any, name: str, value: Any) -> dict[str, Any] | None:
    """Return the field as its serializer dumps it; None if its validator does not return an equal value."""
    model = type(obj)
    try:
        found = model.__pydantic_serializer__.to_python(
            obj, mode="json", include={name}, by_alias=False, round_trip=True, warnings="error"
        )
        again = _read_by_class(model, name, found[name])
        is_same = type(again) is type(value) and equal(again, value) and is_plain(found[name])
    except Exception:  # noqa: BLE001  # a serializer or a validator may raise anything
        return None
    return {"~field": found[name]} if is_same else None


def _read_by_class(model: Any, name: str, written: Any) -> Any:
    return _field_reader(model, name).validate_json(to_json(written, inf_nan_mode="constants"))


# Decoding


def decode(model: type[DiffSyncModel], value: bytes, uid: str) -> Any:
    """Return the object that `encode` has written, as an instance of `model` or of the class that it was stored as.

    Raises:
        ObjectStoreException: the value does not fit the class.
    """
    fmt = _format(model)
    if fmt.is_simple and b'"~' not in value and b"\n" not in value:
        try:
            fields, _, fields_set = fmt.validator.validate_json(value)
        except ValidationError:
            pass  # a field is missing, or has another type
        else:
            fields["model_flags"], fields["adapter"] = fmt.flags, None
            return assembled(model, fields, fields_set, None, private_of(model) if fmt.has_private else None)
    end = value.find(b"\n")
    try:
        fields = from_json(value if end < 0 else value[:end])
        reported = NOTHING_REPORTED if end < 0 else ReportedValues.model_validate_json(value[end + 1 :])
        kind: Any = model if reported.kind is None else _class_of(model, reported)
        return _decoded(_format(kind), fields, reported, uid)
    except (Unreadable, ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        _refuse(model, uid, error)


def _refuse(model: type[DiffSyncModel], uid: str, error: Exception) -> NoReturn:
    raise ObjectStoreException(
        f"The stored {model._modelname} {uid!r} does not fit the class {model.__qualname__}: {error}. "
        "If the class has changed since the store was loaded, load it again."
    ) from error


def _decoded(fmt: _Format, stored: Any, reported: ReportedValues, uid: str) -> Any:
    if type(stored) is not dict:
        raise Unreadable("it is not an object")
    flags = stored.pop(_FLAGS, None)
    extra = None
    if fmt.takes_extra:
        names = stored.keys() - fmt.model.model_fields - {"~"}
        extra = {name: unpack(value) for name, value in stored.items() if name in names}
    fmt.check(stored)
    fields = {name: _unpacked(fmt, name, stored[name]) for name in fmt.names if name in stored}
    fields_set = {*fields, *(extra or ())}
    fields["adapter"], fields["model_flags"] = None, fmt.flags
    if flags is not None:
        fields["model_flags"] = type(fmt.flags)(flags)
        fields_set.add("model_flags")
    find = known_classes(fmt.model).find
    private = reported.private and {name: unpack(part, find) for name, part in reported.private.items()}
    obj = build(fmt.model, fields, fields_set, extra, private)
    if fmt.stores_reported_values:
        obj.set_reported_values(reported, uid)
    return obj


def _unpacked(fmt: _Format, name: str, value: Any) -> Any:
    if _is_tagged(value):
        [(tag, content)] = value.items()
        if tag == "~value":
            return content
        if tag == "~field":
            return content if fmt.stores_reported_values else _read_by_class(fmt.model, name, content)
    if fmt.stores_reported_values:
        return unpack(value)
    return typed(fmt.model, name, unpack(value, _finder(fmt.model)))


@per_class
def _finder(model: Any) -> Find:
    known = known_classes(model)

    def find(name: str) -> type[Any]:
        found = known.find(name)
        if found is None:
            raise Unreadable(f"it contains a {name}, a class that is unknown here. Import the module that defines it")
        return found

    return find


def _class_of(model: Any, reported: ReportedValues) -> Any:
    """Return the class that an object was stored as."""
    if getattr(model, "_stores_reported_values", False):
        return stored_model(ModelSchema.model_validate_json(reported.shape or "")) if reported.shape else model
    known, name = _format(model).subclasses, reported.kind or ""
    if name not in known:
        known |= {class_name(kind): kind for kind in (*subclasses_of(root_class(model)), *subclasses_of(model))}
    found = known.get(name)
    if found is None or found._modelname != model._modelname:
        raise Unreadable(
            f"it was stored as {reported.kind}, a class that is unknown here. Import the module that defines it"
        )
    return found
