"""The format of a class: how its objects are encoded and decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic_core import (
    SchemaSerializer,
    SchemaValidator,
    core_schema,
)

from diffsync_store.introspection.model_classes import (
    dumps_as_is,
    library_base,
    per_class,
)
from diffsync_store.store.reported_values import reported_values_of
from diffsync_store.values.atoms import SAFE
from diffsync_store.values.errors import Unreadable
from diffsync_store.values.plain import PLAIN

_NOT_ENCODED = ("adapter", "model_flags")

FLAGS = "~flags"


class ClassFormat:
    """How objects of one class are encoded and decoded."""

    def __init__(self, model: Any) -> None:
        fields = {
            name: field for name, field in model.model_fields.items() if name not in _NOT_ENCODED and not field.exclude
        }
        self.model = model
        self.names = tuple(fields)
        self.values = itemgetter(*self.names, "model_flags", "adapter")
        """Reads the values of the fields, then the flags and the adapter."""
        self.plain_types = [_plain_types(field.annotation) for field in fields.values()]
        self.unchecked = _ByKinds(self._find_unchecked)
        """By the types of `values`: positions of values to check with `is_plain`; None if a value is not plain."""
        self.unchecked_if_storable = _ByKinds(self._find_unchecked_if_storable)
        """The same to know whether `pack` refuses no value; None if only `encode` can tell."""
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

    def _find_unchecked(self, kinds: tuple[type, ...]) -> tuple[int, ...] | None:
        unchecked = []
        for position, (kind, allowed) in enumerate(zip(kinds, self.plain_types, strict=False)):
            if kind in {list, dict} and allowed is None:
                unchecked.append(position)
            elif kind not in PLAIN or (allowed is not None and kind not in allowed):
                return None
        return tuple(unchecked)

    def _find_unchecked_if_storable(self, kinds: tuple[type, ...]) -> tuple[int, ...] | None:
        return () if SAFE.issuperset(kinds[: len(self.names)]) else self.unchecked[kinds]

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
                and not is_tagged(fields[name])
            ):
                expected = " or ".join(sorted(kind.__name__ for kind in allowed))
                raise Unreadable(f"{name} is {type(fields[name]).__name__}, not {expected or 'as annotated'}")


class _ByKinds(dict[tuple[type, ...], tuple[int, ...] | None]):
    """What follows from the types of values, found when it is asked for first."""

    def __init__(self, find: Callable[[tuple[type, ...]], tuple[int, ...] | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, kinds: tuple[type, ...]) -> tuple[int, ...] | None:
        found = self[kinds] = self._find(kinds)
        return found


def is_tagged(value: Any) -> bool:
    """Whether a JSON value is a dict with one tag."""
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
def class_format(model: Any) -> ClassFormat:
    """Return the format of a class."""
    return ClassFormat(model)


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


@per_class
def root_class(model: Any) -> Any:
    """Return the most basic class with this model name: the class to decode with if no adapter declares one."""
    root = library_base(model)
    bases = [base for base in model.__mro__ if issubclass(base, root) and base is not root]
    return next((base for base in reversed(bases) if base._modelname == model._modelname), model)
