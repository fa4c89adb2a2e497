"""Digests of objects. Two stores compare digests, and read only the objects whose digests differ.

The digest of an object is a hash of everything that a diff compares: its identifiers, the normal forms of its attributes, its
flags, and the unique ids of its children. Equal digests mean equal objects. Different digests mean that the objects must be
compared. An object that cannot be digested gets a random digest.

A digest consists of two 48-bit lanes, so that Redis's Lua, whose numbers are floating-point, can add them exactly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

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
    read, read_plain, children = _reader(type(obj))
    try:
        content = read_plain(obj) if is_plain else read(obj)
        for model, field in children:
            content += to_json((model, sorted(set(getattr(obj, field)))))
    except (PydanticSerializationError, ValueError, TypeError, AttributeError, KeyError, RecursionError, NotStorable):
        content = os.urandom(SIZE)
    flags = obj.model_flags
    if flags is _NO_FLAGS:
        return blake2b(content, digest_size=SIZE).digest() + b"-"
    content += b"~%d" % flags.value  # no JSON begins with ~
    return blake2b(content, digest_size=SIZE).digest() + (b"i" if flags.value & _IGNORE else b"-")


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


Reader = Callable[["DiffSyncModel"], bytes]
"""Returns the content of an object that is hashed for its digest."""


@per_class
def _reader(model: type[DiffSyncModel]) -> tuple[Reader, Reader, tuple[tuple[str, str], ...]]:
    """Return a reader of objects, a reader of objects with plain values, and the child models with their fields."""
    names = tuple(dict.fromkeys((*model._identifiers, *model._shortname)))
    read: Reader
    known = getattr(model, "_schema", None)
    if known is not None and known.methods:  # the class of the value is not available
        read = _random_content
    elif _depends_on_fields_only(model):
        read, read_plain = _fields_readers(model, names)
        return read, read_plain, tuple(sorted(model.get_children_mapping().items()))
    else:
        read = _methods_reader(model, names, () if known is not None else reported_values_of(model))
    return read, read, tuple(sorted(model.get_children_mapping().items()))


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


def _fields_readers(model: type[DiffSyncModel], names: tuple[str, ...]) -> tuple[Reader, Reader]:
    """Return readers that use the fields: one for any values, and one for plain values."""
    head, attributes = _head(model), sorted(model._attributes)
    values = _tuple_getter(*names, *attributes)
    read_any = _methods_reader(model, names, ())

    def read_plain(obj: DiffSyncModel) -> bytes:
        return head + to_json(values(obj.__dict__), inf_nan_mode="constants")

    def read(obj: DiffSyncModel) -> bytes:
        return read_plain(obj) if all(map(is_plain, values(obj.__dict__))) else read_any(obj)

    return read, read_plain


def _tuple_getter(*names: str) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    return itemgetter(*names) if len(names) > 1 else lambda fields: tuple(fields[name] for name in names)


def _methods_reader(model: type[DiffSyncModel], names: tuple[str, ...], reported: tuple[str, ...]) -> Reader:
    """Return a reader that uses the methods of objects. Without overridden ones the content is that of the fields."""
    head, attributes = _head(model), sorted(model._attributes)

    def read(obj: DiffSyncModel) -> bytes:
        identifiers, attrs = _compared(obj.get_identifiers()), _compared(obj.get_attrs())
        attrs |= {name: form for name, form in normal_forms(obj).items() if name in attrs}
        for name in names:
            identifiers.setdefault(name, comparable(getattr(obj, name)))
        content: list[Any] = [identifiers.pop(name) for name in names]
        content += [attrs.pop(name, _ABSENT) for name in attributes]
        rest = [identifiers, attrs]
        rest += [getattr(obj, name)() for name in ("get_unique_id", "get_shortname") if name in reported]
        text = _to_json(content)
        return head + (text if rest == [{}, {}] else text + _to_json(rest))

    return read


def _compared(values: dict[str, Any]) -> dict[str, Any]:
    return {name: comparable(value) for name, value in values.items()}


_ABSENT = {"~absent": True}


def _to_json(content: Any) -> bytes:
    return to_json(content, inf_nan_mode="constants")
