"""How the records of a system become the fields of a model, and how the fields become what the system takes.

    mapping = RecordMapping(fields={"manufacturer": "manufacturer.name", "status": {"path": "status.value", "map": {"a": "Active"}}})
    mapper = Mapper(device_type, mapping)
    mapper.fields_of({"model": "X", "manufacturer": {"name": "Juniper"}, "status": {"value": "a"}})
    mapper.payload_of({"model": "X", "status": "Active"})

A field without a line is read from, and written to, the key of its own name. A mapper is compiled once for a model, does not
change, and may be shared by threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Self, get_origin

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator, model_validator
from pydantic.fields import FieldInfo

from diffsync_store.mapping.definitions import Closed
from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import Getter, Record, Setter, compile_getter, compile_setter, is_plain
from diffsync_store.mapping.transforms import TRANSFORM_SCHEMA, Transform, compile_inverse, compile_transform
from diffsync_store.mapping.types import payload_form

_IGNORED = frozenset({"adapter", "model_flags", "system_id"})


class CannotWrite(ValueError):
    """A value has no form that the target's system takes."""


def _require_transform(declared: Any) -> Any:
    compile_transform(declared)
    return declared


Scalar = str | int | float | bool | None


def _require_distinct(table: dict[Scalar, Any]) -> dict[Scalar, Any]:
    keys = [_key(key) for key in table]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"`map` has {', '.join(map(repr, twice))} twice, as text and as a value. Remove one.")
    return table


Declared = Annotated[Any, AfterValidator(_require_transform), WithJsonSchema(TRANSFORM_SCHEMA)]
"""A transform as the file declares it."""


class FieldMapping(Closed):
    """Where a field's value comes from and goes to."""

    text_is = "path"

    path: str = ""
    """Where the value is in the record; the field's own name by default."""
    value: Any = None
    """The same value for each record, instead of a path."""
    map: Annotated[dict[Scalar, Any], AfterValidator(_require_distinct), WithJsonSchema({"type": "object"})] = {}
    """Value in the system → value of the field. A value that is not listed stays as it is. The words `true`, `false` and `null` stand
    for these values."""
    default: Any = None
    """The value where the record has none."""
    transforms: tuple[Declared, ...] = ()
    """Names of transforms, applied in this order to what was read."""
    write: str | None = None
    """Where the value is written, where it is not the path that it is read from."""
    read_only: bool = False
    """The value is never written, so a difference is no change where this adapter is the target."""
    fill_empty: bool = False
    """The value is written with a new record, and where the target's value is empty: null, an empty text, an empty list. A difference
    from any other value is no change where this adapter is the target."""

    @field_validator("path")
    @classmethod
    def _require_path(cls, path: str) -> str:
        if path:
            compile_getter(path)
        return path

    @field_validator("write")
    @classmethod
    def _require_plain_path(cls, path: str | None) -> str | None:
        if path is not None:
            compile_setter(path)
        return path

    @field_validator("transforms", mode="before")
    @classmethod
    def _take_one_alone(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Mapping) else value

    @model_validator(mode="after")
    def _require_one_source(self) -> Self:
        if self.path and "value" in self.model_fields_set:
            raise ValueError("A field has a `path` or a `value`, not both.")
        if self.read_only and self.write is not None:
            raise ValueError("A field that is `read_only` is not written: remove `write`.")
        if self.read_only and self.fill_empty:
            raise ValueError("A field that is `read_only` is never written: remove `fill_empty`.")
        return self

    @property
    def write_path(self) -> str | None:
        """Return the path to which the value is written; None if it is not written."""
        if self.read_only or "value" in self.model_fields_set:
            return self.write
        if self.write is not None:
            return self.write
        return self.path if self.path and is_plain(self.path) else None


class RecordMapping(Closed):
    """How the records of one model are found and read."""

    source: str = Field("", alias="from")
    """Where the records come from, in the words of the adapter: a table, an endpoint, a file pattern; or `interfaces[]`, a list
    inside each record of `parent`."""
    parent: str = ""
    """The model whose records hold the list; by default the model that has this one as a child."""
    distinct: bool = False
    """Several records may have the same identifiers, such as the manufacturer in each of its device types: they are one object. One
    whose attributes contradict the first one's is rejected."""
    where: str = ""
    """A path or JMESPath expression: only the records for which it is true are read, those without null, false or an empty value."""
    fields: dict[str, FieldMapping] = {}
    """The fields whose value is not simply found under their own name."""
    references: dict[str, str] = {}
    """Where the system's id of a referenced record is written, by the name of the reference; by default under that name."""
    lookup_only: bool = False
    """The records are looked up to write references to them. They are not loaded, compared or changed."""
    shard: str = ""
    """What the shard of a record depends on, in the words of the adapter: a column, a filter, the folder of its file. For adapters
    with `shards`."""

    @field_validator("where")
    @classmethod
    def _require_condition(cls, where: str) -> str:
        if where:
            compile_getter(where)
        return where

    @field_validator("source")
    @classmethod
    def _require_list_path(cls, source: str) -> str:
        if source.endswith("[]"):
            compile_getter(_list_path(source))
        return source

    @property
    def list_path(self) -> str:
        """Return the path of the list inside the parent's record; empty if the records are not in a list."""
        return _list_path(self.source) if self.source.endswith("[]") else ""


def _list_path(source: str) -> str:
    """`interfaces[]` is the list under this key; of `modules[].ports[]` all lists together, as in JMESPath."""
    path = source.removesuffix("[]")
    return path if is_plain(path) else source


class Mapper:
    """The mapping of one model, compiled. Threads may share it.

    Args:
        model: the model.
        mapping: how its records are read; without it each field is read under its own name.
        compile_path: makes the function that reads a path, for adapters whose records are not nested.
        has_ids: a reference is written as the id of the record; where the system has none, by the fields that name it.

    Raises:
        ValueError: the mapping names a field that the model does not have.
    """

    def __init__(
        self,
        model: type[DeclaredModel],
        mapping: RecordMapping | None = None,
        *,
        compile_path: Callable[[str], Getter] = compile_getter,
        has_ids: bool = True,
    ) -> None:
        mapping = mapping or RecordMapping()
        self.model = model
        self.mapping = mapping
        names = mapped_fields(model)
        unknown = sorted(mapping.fields.keys() - set(names))
        if unknown:
            raise ValueError(
                f"Model {model._modelname!r} has no field {', '.join(map(repr, unknown))}. Its fields are {', '.join(names)}."
            )
        fields = {
            name: _with_empty_list(mapping.fields.get(name, FieldMapping()), model.model_fields[name]) for name in names
        }
        self._readers = [(name, _reader(field, compile_path(field.path or name))) for name, field in fields.items()]
        self._writers = dict(_writers(fields, _named_by_references(model) if has_ids else set()))
        self.written_references = {
            label: mapping.references.get(label, label)
            for label, reference in (model._references if has_ids else {}).items()
            if label in mapping.references or not self._writers.keys() & set(reference.fields.values())
        }
        """Where the ids of referenced records are written: a reference whose fields are written themselves needs none."""
        inside = {field for label in self.written_references for field in model._references[label].fields.values()}
        self.unwritten = frozenset(names) - self._writers.keys() - inside
        """Fields whose value does not reach the system."""
        self.left_alone = {name: "always" for name in model._attributes if name in self.unwritten} | {
            name: "filled" for name in model._attributes if fields[name].fill_empty and name not in self.unwritten
        }
        """Attributes that a sync leaves as they are: `always`, or `filled` where they have a value."""
        self.where = compile_path(mapping.where) if mapping.where else None
        """Whether a record is read; None for all of them."""
        self._list = compile_getter(mapping.list_path) if mapping.list_path else compile_getter("_")

    def fields_of(self, record: Record, parent: Any = None) -> dict[str, Any]:
        """Return the fields of a record, for the model to validate; a field that the record lacks is left to the model's default.

        Raises:
            ValueError, TypeError: a transform does not take the value, or there is no parent to read from.
        """
        found = {}
        for name, read in self._readers:
            value = read(record, parent)
            if value is not None:
                found[name] = value
        return found

    def list_of(self, record: Record) -> Any:
        """Return the value in a parent's record at the path of this model's list; None if there is none."""
        return self._list(record, None)

    def key_of(self, record: Record, parent: Any = None) -> str:
        """Return the identifiers of a record, as text for a person. The record may not fit its model."""
        return "__".join(map(str, self.identifiers_of(record, parent)))

    def identifiers_of(self, record: Record, parent: Any = None) -> list[Any]:
        """Return the identifiers of a record that may not fit its model; `?` for one that cannot be read."""
        found = []
        for name, read in self._readers:
            if name in self.model._identifiers:
                try:
                    found.append(read(record, parent))
                except Exception:  # noqa: BLE001  # the record does not fit; a person gets what can be read of it
                    found.append("?")
        return found

    def unique_id_of(self, record: Record, parent: Any = None) -> str:
        """Return the unique id of a record's object; the key if the record does not fit its model."""
        try:
            return self.model(**self.fields_of(record, parent)).get_unique_id()
        except Exception:  # noqa: BLE001  # it is no object, so it has no unique id
            return self.key_of(record, parent)

    def payload_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of an object in the system's form, without fields that are not written.

        Raises:
            CannotWrite, CannotInvert: a value has no counterpart in a field's `map`, or none from which its transforms make it.
        """
        payload: dict[str, Any] = {}
        for name, value in values.items():
            write = self._writers.get(name)
            if write is not None:
                write(payload, value)
        return payload

    def is_written(self, name: str) -> bool:
        """True if the field's value reaches the system."""
        return name in self._writers


def mapped_fields(model: type[DeclaredModel]) -> list[str]:
    """Return the names of the fields that a mapping reads and writes."""
    children = {field for base in model.__mro__ for field in vars(base).get("_children", {}).values()}
    return [name for name in model.model_fields if name not in _IGNORED and name not in children]


def _with_empty_list(field: FieldMapping, declared: FieldInfo) -> FieldMapping:
    """Return the mapping of a list that is text in the system: no text is the empty list, as it is written."""
    is_text = any(isinstance(transform, Mapping) and "split" in transform for transform in field.transforms)
    if is_text and declared.is_required() and get_origin(declared.annotation) is list and field.default is None:
        return field.model_copy(update={"default": []})
    return field


def _reader(field: FieldMapping, read: Getter) -> Getter:
    if "value" in field.model_fields_set:
        value = field.value
        return lambda _record, _parent: value
    steps: list[Transform] = [compile_transform(declared) for declared in field.transforms]
    if field.map:
        steps.append(_mapped(field.map))
    if field.default is not None:
        steps.append(_defaulted(field.default))
    if not steps:
        return read
    if len(steps) == 1:
        [step] = steps
        return lambda record, parent: step(read(record, parent))

    def read_and_transform(record: Record, parent: Any) -> Any:
        value = read(record, parent)
        for step in steps:
            value = step(value)
        return value

    return read_and_transform


def _key(value: Any) -> str:
    """Return the key of a value in a `map`: true, false and null as in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _mapped(declared: Mapping[Scalar, Any]) -> Transform:
    table = {_key(key): value for key, value in declared.items()}

    def apply(value: Any) -> Any:
        if isinstance(value, list):
            return [table.get(_key(item), item) for item in value]
        return table.get(_key(value), value) if not isinstance(value, Mapping) else value

    return apply


def _defaulted(default: Any) -> Transform:
    return lambda value: default if value is None else value


def _named_by_references(model: type[DeclaredModel]) -> set[str]:
    return {field for reference in model._references.values() for field in reference.fields.values()}


def _writers(
    fields: Mapping[str, FieldMapping], named: set[str]
) -> Iterator[tuple[str, Callable[[dict[str, Any], Any], None]]]:
    for name, field in fields.items():
        if name in named and field.write is None and "." in field.path:
            continue  # it is read from the record that is referenced
        path = (
            field.write_path
            if field.path or "value" in field.model_fields_set or field.read_only
            else field.write or name
        )
        if path is None or not is_plain(path):
            continue
        inverses = [compile_inverse(declared) for declared in reversed(field.transforms)]
        if None in inverses and field.write is None:
            continue
        steps = [step for step in (*_map_back(name, field.map), *inverses) if step is not None]
        yield name, _writer(compile_setter(path), steps)


def _writer(put: Setter, steps: list[Transform]) -> Callable[[dict[str, Any], Any], None]:
    if not steps:
        return lambda payload, value: put(payload, payload_form(value))

    def write(payload: dict[str, Any], value: Any) -> None:
        for step in steps:
            value = step(value)
        put(payload, payload_form(value))

    return write


def _map_back(name: str, table: Mapping[Scalar, Any]) -> Iterator[Transform]:
    """Yield the function that maps the value of a field back to that of the system; nothing without a `map`."""
    if not table:
        return
    back = _inverted(table)
    known = set(map(_key, table.values()))

    def one(value: Any) -> Any:
        key = _key(value)
        if key in known and key not in back:
            raise CannotWrite(
                f"`map` of {name!r} gives {value!r} for several values. Map one of them, or set `read_only: true`."
            )
        return back.get(key, value)

    yield lambda value: [one(item) for item in value] if isinstance(value, list) else one(value)


def _inverted(table: Mapping[Scalar, Any]) -> dict[str, Any]:
    """Value of the field → value in the system; those that several values stand for are left out."""
    found: dict[str, Any] = {}
    several = set()
    for outside, inside in table.items():
        key = _key(inside)
        if key in found:
            several.add(key)
        words: dict[Scalar, Any] = {"null": None, "true": True, "false": False}
        found[key] = words.get(outside, outside) if isinstance(outside, str) else outside
    return {key: value for key, value in found.items() if key not in several}
