"""The one author of stored objects: models to JSON and back.

A stored object is one line of JSON, the values of its fields as `values` writes them; they are read back exactly, without
any code of the class: no validator and no `model_post_init` is called. A second line holds what a reader needs beside
them: the class, where it is another than the adapter's; private attributes; and what the class's own code says of the
object (`get_attrs`, `get_identifiers`, `get_unique_id`, `get_shortname`), for readers that lack the class.
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
from diffsync_store.values.codec import (
    PLAIN,
    SAFE,
    Find,
    NotStorable,
    Unreadable,
    assembled,
    build,
    class_name,
    equal,
    is_plain,
    is_unicode,
    pack,
    private_of,
    unpack,
)
from diffsync_store.values.known_classes import known_classes, subclasses_of
from diffsync_store.values.readable import typed

_BESIDE = ("adapter", "model_flags")
_FLAGS = "~flags"
_MANY = 1200
"""Bytes from which on an object may hold a number that JSON's reader takes for too long."""


class _Way:
    """How objects of one class are written and read."""

    def __init__(self, model: Any) -> None:
        fields = {
            name: field for name, field in model.model_fields.items() if name not in _BESIDE and not field.exclude
        }
        self.model = model
        self.names = tuple(fields)
        self.values = itemgetter(*self.names, "model_flags", "adapter")  # the last so that there are always some
        self.fits = [_plain_types(field.annotation) for field in fields.values()]
        self.verdicts: dict[tuple[type, ...], tuple[int, ...] | None] = {}
        """By the types of the values: positions of what may be plain or not; None where something is not."""
        self.flags = model.model_fields["model_flags"].default
        self.subclasses: dict[str, Any] = {}
        """The classes of the same model, by name, as far as they were looked for."""
        self.stores_reported_values = getattr(model, "_stores_reported_values", False)
        self.takes_extra = model.model_config.get("extra") == "allow"
        root = library_base(model)
        self.private = tuple(model.__private_attributes__.keys() - root.__private_attributes__.keys())
        self.reported = reported_values_of(model)
        self.doubtful = {}
        for name, known, fields in (
            ("get_attrs", "_plain_attributes", model._attributes),
            ("get_identifiers", "_plain_identifiers", model._identifiers),
        ):
            if name not in self.reported and getattr(model, known, None) is None and fields:
                self.doubtful[name] = set(fields)
        """What the class may say otherwise than its fields do, and of which fields."""
        self.lost = [name for name, field in model.model_fields.items() if field.exclude and field.is_required()]
        self.dumps_as_is = dumps_as_is(model, [name for name in model._attributes if name in model.model_fields])
        self.validator, self.serializer = _raw(model, self.names, self.fits)
        self.has_private = bool(model.__private_attributes__)
        has_more = self.reported or self.private or self.takes_extra or self.stores_reported_values or not self.names
        are_all = len(self.names) + len(_BESIDE) == len(model.model_fields)
        self.is_simple = are_all and self.dumps_as_is and not has_more
        """Where the values of the fields are what JSON has as it is, they are all there is to an object."""

    def judge(self, kinds: tuple[type, ...]) -> tuple[int, ...] | None:
        """Decide for values of these types."""
        doubtful: list[int] | None = []
        for position, (kind, fits) in enumerate(zip(kinds, self.fits, strict=False)):
            if kind in {list, dict} and fits is None:
                doubtful.append(position)  # type: ignore[union-attr]
            elif kind not in PLAIN or (fits is not None and kind not in fits):
                doubtful = None
                break
        verdict = self.verdicts[kinds] = None if doubtful is None else tuple(doubtful)
        return verdict

    def check(self, fields: Mapping[str, Any]) -> None:
        """Refuse plain values that the class does not have.

        Raises:
            Unreadable: there is one.
        """
        for name, fits in zip(self.names, self.fits, strict=True):
            if name in fields and fits is not None and type(fields[name]) not in fits and not _is_tagged(fields[name]):
                told = " or ".join(sorted(kind.__name__ for kind in fits))
                raise Unreadable(f"{name} is {type(fields[name]).__name__}, not {told or 'as annotated'}")


def _is_tagged(value: Any) -> bool:
    return type(value) is dict and len(value) == 1 and next(iter(value))[:1] == "~"


_STRICT: dict[type, Any] = {
    str: core_schema.str_schema(strict=True),
    int: core_schema.int_schema(strict=True),
    float: core_schema.float_schema(strict=True),
    bool: core_schema.bool_schema(strict=True),
    type(None): core_schema.none_schema(),
}


def _raw(model: Any, names: tuple[str, ...], fits: list[Any]) -> tuple[SchemaValidator, SchemaSerializer]:
    """What reads and writes the fields of an object whose values JSON has as they are, without any code of its class."""
    read = {
        name: core_schema.model_field(_strict(kinds) if kinds else core_schema.any_schema())
        for name, kinds in zip(names, fits, strict=True)
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
def _way(model: Any) -> _Way:
    return _Way(model)


def _plain_types(annotation: Any) -> frozenset[type] | None:
    """The types that JSON has as they are and that such a field may have; None if unknown."""
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


# Writing


def encode(obj: DiffSyncModel, declared: type[Any] | None = None) -> bytes:
    """Write an object.

    Args:
        obj: the object.
        declared: the class that readers take where nothing else is said: the adapter's.

    Raises:
        ObjectNotStorable: a field holds something that does not come back as it was.
    """
    model, fields = type(obj), obj.__dict__
    data = encode_plain(model, fields)
    way = _way(model)
    if data is not None:
        return data if model is declared else data + _beside(obj, way, declared, is_plain=True)
    try:
        if way.lost:
            raise _lost(way.lost[0])
        packed = {name: _packed(obj, way, name, fields[name]) for name in way.names if name in fields}
        if way.takes_extra:
            packed |= {name: _packed(obj, way, name, value) for name, value in (obj.__pydantic_extra__ or {}).items()}
        data = to_json(packed, inf_nan_mode="constants")
        return (data[:-1] if packed else b'{"~":0') + _end(way, fields) + _beside(obj, way, declared)
    except (PydanticSerializationError, NotStorable, ValueError, RecursionError) as error:
        raise ObjectNotStorable(f"{obj.get_type()} {_uid(obj)!r} cannot be stored as JSON: {error}.") from error


def encode_plain(model: type[DiffSyncModel], fields: Mapping[str, Any]) -> bytes | None:
    """Write an object by its fields alone; None if its class or a value needs more than that."""
    way = _way(model)
    if not way.is_simple:
        return None
    try:
        values = way.values(fields)[:-2]
        kinds = tuple(map(type, values))
        doubtful = way.verdicts[kinds] if kinds in way.verdicts else way.judge(kinds)
        if doubtful is None or (doubtful and not all(is_plain(values[at]) for at in doubtful)):
            return None
        data: bytes = way.serializer.to_json(fields)
        if len(data) >= _MANY and any(map(_has_long_int, values)):
            return None
        return data if fields["model_flags"] is way.flags else data[:-1] + _end(way, fields)
    except (KeyError, PydanticSerializationError, ValueError):
        return None


def is_encoded_as(model: type[DiffSyncModel], fields: Mapping[str, Any], value: bytes | int) -> bool:
    """Whether the value of an object with these fields is this one, or has this hash. False means unknown."""
    way = _way(model)
    try:
        data = way.serializer.to_json(fields) if way.is_simple else b""
    except (PydanticSerializationError, ValueError):
        return False
    return bool(data) and (hash(data) if isinstance(value, int) else data) == value


def _lost(name: str) -> NotStorable:
    return NotStorable(f"its field {name!r} is excluded and has no default. Give it one, or do not exclude it")


def ensure_storable(obj: DiffSyncModel, uid: str, declared: type[Any] | None = None) -> None:
    """Refuse an object that `encode` will refuse.

    Raises:
        ObjectNotStorable: a field holds something that does not come back as it was, or the unique id is not valid Unicode.
    """
    if not uid.isascii() and not is_unicode(uid):
        raise ObjectNotStorable(
            f"{obj.get_type()} {uid!r} cannot be stored: its unique id is no valid Unicode, for {_of_no_unicode(obj)} holds "
            "half of a surrogate pair. Replace it in the identifiers."
        )
    if not _is_plainly_storable(obj):
        encode(obj, declared)


def _is_plainly_storable(obj: DiffSyncModel) -> bool:
    way = _way(type(obj))
    if not way.is_simple:
        return False
    try:
        values = way.values(obj.__dict__)[:-2]
    except KeyError:
        return False
    kinds = tuple(map(type, values))
    if SAFE.issuperset(kinds):
        return True
    doubtful = way.verdicts[kinds] if kinds in way.verdicts else way.judge(kinds)
    return doubtful is not None and all(is_plain(values[at]) for at in doubtful)


def _of_no_unicode(obj: DiffSyncModel) -> str:
    """The first of the identifiers that is not valid Unicode, and its type."""
    values = ((name, getattr(obj, name, "")) for name in obj._identifiers)
    found = (f"its field {name!r}, a {type(value).__name__}," for name, value in values if not is_unicode(str(value)))
    return next(found, "it")


def _uid(obj: DiffSyncModel) -> str:
    try:
        return obj.get_unique_id()
    except Exception:  # noqa: BLE001  # the fault to tell of is another one
        return "?"


def _has_long_int(value: Any) -> bool:
    if type(value) is list:
        return any(map(_has_long_int, value))
    if type(value) is dict:
        return any(map(_has_long_int, value.values()))
    return type(value) is int and value.bit_length() > 2 * _MANY


def _end(way: _Way, fields: Mapping[str, Any]) -> bytes:
    """What closes the line of an object: its flags, if it has any."""
    flags = fields.get("model_flags", way.flags)
    return b"}" if flags == way.flags else b',"%b":%d}' % (_FLAGS.encode(), flags.value)


def _packed(obj: Any, way: _Way, name: str, value: Any) -> Any:
    """The value of a field as JSON."""
    if name[:1] == "~":
        raise NotStorable(f"the name {name!r} begins with a ~")
    if not is_unicode(name):
        raise NotStorable(f"the name {name!r} is no valid Unicode")
    known = known_classes(way.model)
    try:
        packed = pack(value, None if way.stores_reported_values else known.allows)
    except NotStorable as error:
        written = None if "asterisks" in str(error) else _written_by_class(obj, name, value)
        if written is None:
            raise NotStorable(
                f"its field {name!r}, a {type(value).__name__}, {error}. Give the field a type that can be stored, or a "
                "serializer and a validator of its own"
            ) from error
        return written
    if type(packed) in PLAIN and name in way.names:
        fits = way.fits[way.names.index(name)]
        if fits is not None and type(packed) not in fits:
            return {"~value": packed}
    return packed


def _beside(obj: Any, way: _Way, declared: Any, *, is_plain: bool = False) -> bytes:
    """The second line, if there is need for one."""
    told: dict[str, Any] = {}
    if way.stores_reported_values:
        told = obj.reported_values().model_dump(exclude_none=True)
    else:
        if way.model is not (declared or first_of(way.model)):
            told["kind"], told["shape"] = class_name(way.model), ModelSchema.of(way.model).model_dump_json()
        if not is_plain or told:
            told |= _said(obj, way)
        if way.private:
            told["private"] = _packed_private(obj, way)
    return b"\n" + to_json(told, inf_nan_mode="constants") if told else b""


def _said(obj: Any, way: _Way) -> dict[str, Any]:
    """What the class's own code says of an object."""
    said = {name: _say(obj, name) for name in way.reported}
    for name, fields in way.doubtful.items():
        found = obj.model_dump(include=fields, warnings=False)
        own = {field: obj.__dict__[field] for field in found if field in obj.__dict__}
        packed = pack(found)
        if len(own) != len(found) or packed != pack(own):
            said[name] = packed
    return said


def _say(obj: DiffSyncModel, name: str) -> Any:
    if name == "normal_forms":
        return normal_forms(obj)
    said = getattr(obj, name)()
    return {key: pack(value) for key, value in said.items()} if isinstance(said, Mapping) else said


def _packed_private(obj: Any, way: _Way) -> dict[str, Any]:
    """Those of the private attributes that can be stored; others have their defaults when the object is read."""
    found: dict[str, Any] = {}
    for name in way.private:
        try:
            found[name] = pack(obj.__pydantic_private__[name], known_classes(way.model).allows)
        except (KeyError, TypeError, NotStorable):
            continue
    return found


@per_class
def first_of(model: Any) -> Any:
    """The class that first was of the model: where no adapter declares one, objects are taken to be of it."""
    root = library_base(model)
    bases = [base for base in model.__mro__ if issubclass(base, root) and base is not root]
    return next((base for base in reversed(bases) if base._modelname == model._modelname), model)


# Fields that only the class can write and read


@lru_cache(maxsize=1024)
def _field_reader(model: Any, name: str) -> SchemaValidator:
    """What reads one field, as the class says."""
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
    """The field as the class itself writes it; None where it would not read it back as it is."""
    model = type(obj)
    try:
        found = model.__pydantic_serializer__.to_python(
            obj, mode="json", include={name}, by_alias=False, round_trip=True, warnings="error"
        )
        again = _read_by_class(model, name, found[name])
        is_same = type(again) is type(value) and equal(again, value) and is_plain(found[name])
    except Exception:  # noqa: BLE001  # it may be code of one's own
        return None
    return {"~field": found[name]} if is_same else None


def _read_by_class(model: Any, name: str, written: Any) -> Any:
    return _field_reader(model, name).validate_json(to_json(written, inf_nan_mode="constants"))


# Reading


def decode(model: type[DiffSyncModel], value: bytes, uid: str) -> Any:
    """Read an object back, as an instance of `model` or of the class that it was stored as.

    Raises:
        ObjectStoreException: what is stored does not fit the class.
    """
    way = _way(model)
    if way.is_simple and b'"~' not in value and b"\n" not in value:
        try:
            fields, _, fields_set = way.validator.validate_json(value)
        except ValidationError:
            pass  # a field is missing, or has another type
        else:
            fields["model_flags"], fields["adapter"] = way.flags, None
            return assembled(model, fields, fields_set, None, private_of(model) if way.has_private else None)
    end = value.find(b"\n")
    try:
        fields = from_json(value if end < 0 else value[:end])
        reported = NOTHING_REPORTED if end < 0 else ReportedValues.model_validate_json(value[end + 1 :])
        kind: Any = model if reported.kind is None else _class_of(model, reported)
        return _decoded(_way(kind), fields, reported, uid)
    except (Unreadable, ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        _refuse(model, uid, error)


def _refuse(model: type[DiffSyncModel], uid: str, error: Exception) -> NoReturn:
    raise ObjectStoreException(
        f"The stored {model._modelname} {uid!r} does not fit the class {model.__qualname__}: {error}. "
        "If the class has changed since the store was loaded, load it again."
    ) from error


def _decoded(way: _Way, stored: Any, reported: ReportedValues, uid: str) -> Any:
    if type(stored) is not dict:
        raise Unreadable("it is not an object")
    flags = stored.pop(_FLAGS, None)
    extra = None
    if way.takes_extra:
        beside = stored.keys() - way.model.model_fields - {"~"}
        extra = {name: unpack(value) for name, value in stored.items() if name in beside}
    way.check(stored)
    fields = {name: _unpacked(way, name, stored[name]) for name in way.names if name in stored}
    fields_set = {*fields, *(extra or ())}
    fields["adapter"], fields["model_flags"] = None, way.flags
    if flags is not None:
        fields["model_flags"] = type(way.flags)(flags)
        fields_set.add("model_flags")
    find = known_classes(way.model).find
    private = reported.private and {name: unpack(part, find) for name, part in reported.private.items()}
    obj = build(way.model, fields, fields_set, extra, private)
    if way.stores_reported_values:
        obj.set_reported_values(reported, uid)
    return obj


def _unpacked(way: _Way, name: str, value: Any) -> Any:
    if _is_tagged(value):
        [(tag, content)] = value.items()
        if tag == "~value":
            return content
        if tag == "~field":
            return content if way.stores_reported_values else _read_by_class(way.model, name, content)
    if way.stores_reported_values:
        return unpack(value)
    return typed(way.model, name, unpack(value, _finder(way.model)))


@per_class
def _finder(model: Any) -> Find:
    known = known_classes(model)

    def find(name: str) -> type[Any]:
        found = known.find(name)
        if found is None:
            raise Unreadable(f"it holds a {name}, a class that is not known here: import the module that defines it")
        return found

    return find


def _class_of(model: Any, reported: ReportedValues) -> Any:
    """The class that an object was stored as."""
    if getattr(model, "_stores_reported_values", False):
        return stored_model(ModelSchema.model_validate_json(reported.shape or "")) if reported.shape else model
    known, name = _way(model).subclasses, reported.kind or ""
    if name not in known:
        known |= {class_name(kind): kind for kind in (*subclasses_of(first_of(model)), *subclasses_of(model))}
    found = known.get(name)
    if found is None or found._modelname != model._modelname:
        raise Unreadable(
            f"it was stored as {reported.kind}, a class that is not known here: import the module that defines it"
        )
    return found
