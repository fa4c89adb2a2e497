"""Digests of objects. Two stores compare digests, and read only the objects whose digests differ.

The digest of an object is a hash of everything that a diff compares: its identifiers, the normal forms of its attributes, its
flags, and the unique ids of its children. Equal digests mean equal objects. Different digests mean that the objects must be
compared. An object that cannot be digested gets a random digest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError, SchemaSerializer, core_schema, to_json

from diffsync_store.compare import comparison_fingerprints, normal_forms, normalisers
from diffsync_store.enum import DiffSyncModelFlags
from diffsync_store.introspection.function_identity import text_of
from diffsync_store.introspection.model_classes import dumps_as_is, per_class
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.reported_values import reported_values_of
from diffsync_store.values.codec import comparable
from diffsync_store.values.errors import NotStorable
from diffsync_store.values.plain import is_plain

VERSION = 3
"""Version of the digests. Increase it when digests change: stores with different versions are compared without digests."""

SIZE = 12
"""Bytes of a digest."""

_MODEL = "diffsync_store.model"
_NO_FLAGS = DiffSyncModelFlags.NONE
_IGNORE = DiffSyncModelFlags.IGNORE.value


def digest_of(obj: DiffSyncModel, *, is_plain: bool = False) -> bytes:
    """Return the digest of an object: `SIZE` bytes, then `i` if a diff ignores the object, `-` otherwise.

    Args:
        obj: the object.
        is_plain: all its values are known to be plain (`values.plain.is_plain`), so they are not checked.
    """
    reader = _reader(type(obj))
    try:
        if is_plain and reader.values is not None:
            content = reader.head + _to_json(reader.values(obj.__dict__))
        else:
            content = reader.read(obj)
        for child, field in reader.children:
            content += _to_json((child, sorted({*getattr(obj, field)})))
    except _NO_CONTENT:
        content = os.urandom(SIZE)
    flags = obj.model_flags
    if flags is _NO_FLAGS:
        return blake2b(content, digest_size=SIZE).digest() + b"-"
    content += b"~%d" % flags.value  # no JSON begins with ~
    return blake2b(content, digest_size=SIZE).digest() + (b"i" if flags.value & _IGNORE else b"-")


def digests_of_plain(model: type[DiffSyncModel], objects: Sequence[Mapping[str, Any]]) -> list[bytes] | None:
    """Return the digests of objects without flags, whose values are known to be plain; None if one needs `digest_of`.

    Args:
        model: the class of the objects.
        objects: their fields.
    """
    reader = _reader(model)
    if reader.values is None:
        return None
    try:
        contents = map(_to_json, map(reader.values, objects))
        for child, field in reader.children:
            below = [_to_json((child, sorted({*fields[field]}))) for fields in objects]
            contents = map(bytes.__add__, contents, below)
        return list(map(_digests_after(reader.head), contents))
    except _NO_CONTENT:
        return None


def _digests_after(head: bytes) -> Callable[[bytes], bytes]:
    """Return a function that returns the digest of a content after a head, without flags. The head is hashed once."""
    begun = blake2b(head, digest_size=SIZE)

    def digest(content: bytes) -> bytes:
        hashed = begun.copy()
        hashed.update(content)
        return hashed.digest() + b"-"

    return digest


@per_class
def fingerprint(model: type[DiffSyncModel]) -> str:
    """Return the fingerprint of a class. The digests of two classes can be compared if their fingerprints are equal."""
    content = [
        VERSION,
        model._modelname,
        list(model._identifiers),
        list(model._shortname),
        sorted(model._attributes),
        comparison_fingerprints(model),
    ]
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=SIZE).hexdigest()


@per_class
def methods_fingerprint(model: type[DiffSyncModel]) -> str:
    """Return the fingerprint of the code of a class that computes digests; empty if they depend on the fields only."""
    names, decorators = reported_values_of(model), model.__pydantic_decorators__
    serializers: list[Any] = [*decorators.field_serializers.values(), *decorators.model_serializers.values()]
    if not names and not serializers:
        return ""
    methods = [getattr(model, name, None) for name in (*names, "create_unique_id")]
    own = [text_of(method) for method in methods if getattr(method, "__module__", _MODEL) != _MODEL]
    content = [names, own, [text_of(serializer.func) for serializer in serializers]]
    return blake2b(json.dumps(content).encode(), digest_size=SIZE).hexdigest()


Read = Callable[["DiffSyncModel"], bytes]
"""Returns what is hashed for the digest of an object, without its children."""


ValuesOf = Callable[[Mapping[str, Any]], tuple[Any, ...]]
"""Reads the compared values from the fields."""


class _Reader(NamedTuple):
    """How the content that is hashed is read from the objects of a class."""

    read: Read
    children: tuple[tuple[str, str], ...]
    """Child models, each with the field that lists the children."""
    head: bytes = b""
    values: ValuesOf | None = None
    """Reads the compared values, if they are those of the fields."""


_NO_CONTENT = (
    PydanticSerializationError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    RecursionError,
    NotStorable,
)
"""What reading an object that cannot be digested raises."""


@per_class
def _reader(model: type[DiffSyncModel]) -> _Reader:
    names = tuple(dict.fromkeys((*model._identifiers, *model._shortname)))
    children = tuple(sorted(model.get_children_mapping().items()))
    known = getattr(model, "_schema", None)
    if known is not None and known.methods:  # the class of the value is not available
        return _Reader(_random_content, children)
    if not _depends_on_fields_only(model):
        return _Reader(_methods_reader(model, names, () if known is not None else reported_values_of(model)), children)
    head, values = _head(model), _tuple_getter(*names, *sorted(model._attributes))
    read_any = _methods_reader(model, names, ())

    def read(obj: DiffSyncModel) -> bytes:
        found = values(obj.__dict__)
        return head + _to_json(found) if all(map(is_plain, found)) else read_any(obj)

    return _Reader(read, children, head, values)


def _random_content(_: DiffSyncModel) -> bytes:
    return os.urandom(SIZE)


def _depends_on_fields_only(model: type[DiffSyncModel]) -> bool:
    """Whether a diff compares the values of the fields, without code of the class."""
    names = {*model._identifiers, *model._shortname, *model._attributes}
    return not reported_values_of(model) and not normalisers(model) and dumps_as_is(model, names)


def _head(model: type[DiffSyncModel]) -> bytes:
    """Return the first part of the content of all objects of a class, which differs for classes that compare differently."""
    known = getattr(model, "_schema", None)
    return to_json(
        [known.fingerprint, known.methods] if known is not None else [fingerprint(model), methods_fingerprint(model)]
    )


def _tuple_getter(*names: str) -> ValuesOf:
    return itemgetter(*names) if len(names) > 1 else lambda fields: tuple(fields[name] for name in names)


def _methods_reader(model: type[DiffSyncModel], names: tuple[str, ...], reported: tuple[str, ...]) -> Read:
    """Return a reader that uses the methods of objects. Without overridden ones the content is that of the fields."""
    head, attributes = _head(model), sorted(model._attributes)
    # A shortname is made of the fields, which overridden identifiers need not show; a diff compares it too.
    more = {*reported, "get_shortname"} if model._shortname and "get_identifiers" in reported else reported

    def read(obj: DiffSyncModel) -> bytes:
        identifiers, attrs = _compared(obj.get_identifiers()), _compared(obj.get_attrs())
        attrs |= {name: form for name, form in normal_forms(obj).items() if name in attrs}
        for name in names:
            identifiers.setdefault(name, comparable(getattr(obj, name)))
        content: list[Any] = [identifiers.pop(name) for name in names]
        content += [attrs.pop(name, _ABSENT) for name in attributes]
        rest = [identifiers, attrs]
        rest += [getattr(obj, name)() for name in ("get_unique_id", "get_shortname") if name in more]
        text = _to_json(content)
        return head + (text if rest == [{}, {}] else text + _to_json(rest))

    return read


def _compared(values: dict[str, Any]) -> dict[str, Any]:
    return {name: comparable(value) for name, value in values.items()}


_ABSENT = {"~absent": True}


_to_json = SchemaSerializer(core_schema.any_schema(), core_schema.CoreConfig(ser_json_inf_nan="constants")).to_json
