"""Decode objects."""

from __future__ import annotations

from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import (
    from_json,
)

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.introspection.model_classes import (
    per_class,
)
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.record import ModelSchema
from diffsync_store.store.reported_values import NOTHING_REPORTED, ReportedValues
from diffsync_store.store.serialization.class_format import FLAGS, ClassFormat, class_format, is_tagged, root_class
from diffsync_store.store.serialization.custom_fields import read_by_class
from diffsync_store.store.stored_model import stored_model
from diffsync_store.values.codec import Find, unpack
from diffsync_store.values.custom_classes import class_name
from diffsync_store.values.errors import Unreadable
from diffsync_store.values.known_classes import known_classes, subclasses_of
from diffsync_store.values.models import assembled, build, private_of
from diffsync_store.values.readable import typed


def decode(model: type[DiffSyncModel], value: bytes, uid: str) -> Any:
    """Return the object that `encode` has written, as an instance of `model` or of the class that it was stored as.

    Raises:
        ObjectStoreException: the value does not fit the class.
    """
    fmt = class_format(model)
    if fmt.is_simple and b'"~' not in value and b"\n" not in value:
        try:
            fields, _, fields_set = fmt.validator.validate_json(value)
        except ValidationError:
            pass  # a field is missing, or has another type
        else:
            fields = {"model_flags": fmt.flags, "adapter": None, **fields}  # in the order of the class
            return assembled(model, fields, fields_set, None, private_of(model) if fmt.has_private else None)
    end = value.find(b"\n")
    try:
        fields = from_json(value if end < 0 else value[:end])
        reported = NOTHING_REPORTED if end < 0 else ReportedValues.model_validate_json(value[end + 1 :])
        kind: Any = model if reported.kind is None else _class_of(model, reported)
        return _decoded(class_format(kind), fields, reported, uid)
    except (Unreadable, ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        _refuse(model, uid, error)


def _refuse(model: type[DiffSyncModel], uid: str, error: Exception) -> NoReturn:
    raise ObjectStoreException(
        f"The stored {model._modelname} {uid!r} does not fit the class {model.__qualname__}: {error}. "
        "If the class has changed since the store was loaded, load it again."
    ) from error


def _decoded(fmt: ClassFormat, stored: Any, reported: ReportedValues, uid: str) -> Any:
    if type(stored) is not dict:
        raise Unreadable("it is not an object")
    flags = stored.pop(FLAGS, None)
    extra = None
    if fmt.takes_extra:
        names = stored.keys() - fmt.model.model_fields - {"~"}
        extra = {name: unpack(value) for name, value in stored.items() if name in names}
    fmt.check(stored)
    found = {name: _unpacked(fmt, name, stored[name]) for name in fmt.names if name in stored}
    fields_set = {*found, *(extra or ())}
    fields = {"model_flags": fmt.flags, "adapter": None, **found}
    if flags is not None:
        fields["model_flags"] = type(fmt.flags)(flags)
        fields_set.add("model_flags")
    find = known_classes(fmt.model).find
    private = reported.private and {name: unpack(part, find) for name, part in reported.private.items()}
    obj = build(fmt.model, fields, fields_set, extra, private)
    if fmt.stores_reported_values:
        obj.set_reported_values(reported, uid)
    return obj


def _unpacked(fmt: ClassFormat, name: str, value: Any) -> Any:
    if is_tagged(value):
        [(tag, content)] = value.items()
        if tag == "~value":
            return content
        if tag == "~field":
            return content if fmt.stores_reported_values else read_by_class(fmt.model, name, content)
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
    known, name = class_format(model).subclasses, reported.kind or ""
    if name not in known:
        known |= {class_name(kind): kind for kind in (*subclasses_of(root_class(model)), *subclasses_of(model))}
    found = known.get(name)
    if found is None or found._modelname != model._modelname:
        raise Unreadable(
            f"it was stored as {reported.kind}, a class that is unknown here. Import the module that defines it"
        )
    return found
