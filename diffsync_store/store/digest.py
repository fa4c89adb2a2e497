"""Digests: what two stores compare instead of objects.

An object's digest is a hash of what a diff would compare of it: identifiers, attributes in their normal forms, whether
it is to be ignored, and which children it lists. Digests that are equal mean objects that are; a digest that differs
says only that the objects have to be looked at, so whatever cannot be digested gets one that equals none.

Two 48-bit lanes, so that sums of digests stay exact where numbers are floating-point, as in the Lua of Redis.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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
from diffsync_store.values.codec import NotStorable, comparable, is_plain

VERSION = 2
"""Changes with whatever changes digests; stores with another one are compared in full."""

SIZE = 12
"""Bytes of a digest."""

_MODEL = "diffsync_store.model"
_NO_FLAGS = DiffSyncModelFlags.NONE
_IGNORE = DiffSyncModelFlags.IGNORE.value


def digest_of(obj: DiffSyncModel, *, is_plain: bool = False) -> bytes:
    """The object's digest: `SIZE` bytes, then `i` if a diff ignores the object, `-` otherwise.

    Args:
        obj: the object.
        is_plain: all its values are known to be JSON values; saves checking them.
    """
    read, read_plain, children = _reader(type(obj))
    try:
        content = read_plain(obj) if is_plain else read(obj)
        for model, field in children:
            content += to_json((model, sorted(set(getattr(obj, field)))))
    except (PydanticSerializationError, ValueError, TypeError, AttributeError, KeyError, RecursionError, NotStorable):
        content = os.urandom(SIZE)
    if obj.model_flags is not _NO_FLAGS and obj.model_flags.value & _IGNORE:
        return blake2b(b"ignored" + content, digest_size=SIZE).digest() + b"i"
    return blake2b(content, digest_size=SIZE).digest() + b"-"


@per_class
def fingerprint(model: type[DiffSyncModel]) -> str:
    """What makes the digests of two classes comparable: they are if this is equal."""
    said = [
        VERSION,
        model._modelname,
        list(model._identifiers),
        list(model._shortname),
        sorted(model._attributes),
        comparison_fingerprints(model),
    ]
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=SIZE).hexdigest()


@per_class
def methods_fingerprint(model: type[DiffSyncModel]) -> str:
    """The class's own code that digests are made by; empty where they are made of the fields alone."""
    names, decorators = reported_values_of(model), model.__pydantic_decorators__
    serializers: list[Any] = [*decorators.field_serializers.values(), *decorators.model_serializers.values()]
    if not names and not serializers:
        return ""
    said = [getattr(model, name, None) for name in (*names, "create_unique_id")]
    own = [text_of(function) for function in said if getattr(function, "__module__", _MODEL) != _MODEL]
    content = [names, own, [text_of(serializer.func) for serializer in serializers]]
    return blake2b(json.dumps(content).encode(), digest_size=SIZE).hexdigest()


Reader = Callable[["DiffSyncModel"], bytes]


@per_class
def _reader(model: type[DiffSyncModel]) -> tuple[Reader, Reader, tuple[tuple[str, str], ...]]:
    """What makes the content of an object that is to be digested; and its child models with their fields."""
    names = tuple(dict.fromkeys((*model._identifiers, *model._shortname)))
    read: Reader
    known = getattr(model, "_schema", None)
    if known is not None and known.methods:  # the class of the value is not available
        read = _equal_to_none
    elif _says_its_fields(model):
        read, read_plain = _fields_readers(model, names)
        return read, read_plain, tuple(sorted(model.get_children_mapping().items()))
    else:
        read = _said_reader(model, names, () if known is not None else reported_values_of(model))
    return read, read, tuple(sorted(model.get_children_mapping().items()))


def _equal_to_none(_: DiffSyncModel) -> bytes:
    return os.urandom(SIZE)


def _says_its_fields(model: type[DiffSyncModel]) -> bool:
    """Whether the fields' values say what a diff compares, where JSON has them as they are."""
    names = {*model._identifiers, *model._shortname, *model._attributes}
    return not reported_values_of(model) and not normalisers(model) and dumps_as_is(model, names)


def _head(model: type[DiffSyncModel]) -> bytes:
    """Of all digests of a class: those of another class are comparable only where it compares the same."""
    known = getattr(model, "_schema", None)
    return to_json(
        [known.fingerprint, known.methods] if known is not None else [fingerprint(model), methods_fingerprint(model)]
    )


def _fields_readers(model: type[DiffSyncModel], names: tuple[str, ...]) -> tuple[Reader, Reader]:
    """From the fields: of any values, and of values that are known to be JSON values."""
    head, attributes = _head(model), sorted(model._attributes)
    fields = [*names, *attributes, "model_flags"]  # the last only so that there are two
    values = itemgetter(*fields)
    said = _said_reader(model, names, ())

    def read_plain(obj: DiffSyncModel) -> bytes:
        return head + to_json(values(obj.__dict__)[:-1], inf_nan_mode="constants")

    def read(obj: DiffSyncModel) -> bytes:
        return read_plain(obj) if all(map(is_plain, values(obj.__dict__)[:-1])) else said(obj)

    return read, read_plain


def _said_reader(model: type[DiffSyncModel], names: tuple[str, ...], said: tuple[str, ...]) -> Reader:
    """From what the object says of itself; as from the fields, where that is the same."""
    head, attributes = _head(model), sorted(model._attributes)

    def read(obj: DiffSyncModel) -> bytes:
        identifiers, attrs = _compared(obj.get_identifiers()), _compared(obj.get_attrs())
        attrs |= {name: form for name, form in normal_forms(obj).items() if name in attrs}
        for name in names:
            identifiers.setdefault(name, comparable(getattr(obj, name)))
        content: list[Any] = [identifiers.pop(name) for name in names]
        content += [attrs.pop(name, _ABSENT) for name in attributes]
        rest = [identifiers, attrs]
        rest += [getattr(obj, name)() for name in ("get_unique_id", "get_shortname") if name in said]
        told = _as_text(content)
        return head + (told if rest == [{}, {}] else told + _as_text(rest))

    return read


def _compared(values: dict[str, Any]) -> dict[str, Any]:
    return {name: comparable(value) for name, value in values.items()}


_ABSENT = {"~absent": True}


def _as_text(content: Any) -> bytes:
    return to_json(content, inf_nan_mode="constants")
