"""DiffSyncModel: the base of every class of record."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import types
import uuid
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store.aliases import ChildFields, Data, Text
from diffsync_store.children import INDEXED_FROM, ChildIndex
from diffsync_store.classes import dumps_as_is
from diffsync_store.enum import DiffSyncModelFlags, DiffSyncStatus
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter

_SCALARS = (
    str, int, float, bool, bytes, complex, type(None), decimal.Decimal, enum.Enum, uuid.UUID,
    dt.datetime, dt.date, dt.time, dt.timedelta,
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
    ipaddress.IPv4Interface, ipaddress.IPv6Interface,
)  # fmt: skip


class DiffSyncModel(BaseModel):
    """A class of record: what identifies it, what is compared, what stands below it.

    A subclass declares its fields as any pydantic model does, and names them in these class variables:

    - `_modelname`: the name of the class of record, unique among an adapter's models;
    - `_identifiers`: the fields that together identify an object;
    - `_shortname`: the fields that name an object among its siblings; all identifiers when empty;
    - `_attributes`: the fields that a diff compares;
    - `_children`: names of child models, each with the field that lists its children's unique ids;
    - `_secrets`: the fields whose values nobody is to read, beside those whose names say so (`password`, `api_key`, ...):
      logs, rejects, tables and forms show `***`. A subclass adds to those of its base class.

    A subclass that writes to a system extends `create`, `update` and `delete`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, ser_json_inf_nan="constants")

    # Slots, not private attributes of pydantic: those cost as much as a whole field for each object made.
    __slots__ = ("__weakref__", "_child_indexes", "_status", "_tracked")

    if TYPE_CHECKING:
        _child_indexes: dict[str, ChildIndex]
        _status: tuple[DiffSyncStatus, str]
        _tracked: bool

    _modelname: ClassVar[str] = "diffsyncmodel"
    _identifiers: ClassVar[tuple[str, ...]] = ()
    _shortname: ClassVar[tuple[str, ...]] = ()
    _attributes: ClassVar[tuple[str, ...]] = ()
    _children: ClassVar[dict[str, str]] = {}
    _secrets: ClassVar[tuple[str, ...]] = ()

    _tracks_changes: ClassVar[bool] = True
    """Assignments and releases reach the store."""
    _changes_in_place: ClassVar[bool] = False
    """A field may hold a value that can be changed without being assigned to."""
    _changeable_fields: ClassVar[tuple[str, ...] | None] = ()
    """The fields that may; None where any may."""
    _identifier_values: ClassVar[itemgetter[Any] | None] = None
    """Reads the identifiers from the fields, where the unique id is made of them as they are; one alone is no tuple."""
    _plain_identifiers: ClassVar[tuple[str, ...] | None] = ()
    _plain_attributes: ClassVar[tuple[str, ...] | None] = ()
    """The identifiers, the attributes, in the order of the fields, where pydantic dumps them as they are; else None."""

    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.NONE
    adapter: Any = Field(default=None, exclude=True, repr=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check that the class variables name fields, and that no field has two roles.

        Raises:
            AttributeError: they do not.
        """
        super().__pydantic_init_subclass__(**kwargs)
        cls._secrets = _all_secrets(cls)
        roles = {
            "_identifiers": tuple(cls._identifiers),
            "_shortname": tuple(cls._shortname),
            "_attributes": tuple(cls._attributes),
            "_children": tuple(cls._children.values()),
        }
        for role, names in roles.items():
            for name in names:
                if name not in cls.model_fields:
                    raise AttributeError(
                        f"{cls.__name__}.{role} names {name!r}, which is not a field of the class: "
                        f"add it with a type annotation (`{name}: str`)."
                    )
        for first, second in (
            ("_identifiers", "_attributes"),
            ("_identifiers", "_children"),
            ("_attributes", "_children"),
        ):
            both = sorted(set(roles[first]) & set(roles[second]))
            if both:
                raise AttributeError(f"{cls.__name__} has {', '.join(both)} in both {first} and {second}.")
        takes_extra = cls.model_config.get("extra") == "allow"
        changeable = tuple(
            name
            for name, field in cls.model_fields.items()
            if name not in ("adapter", "model_flags") and not _is_scalar(field.annotation)
        )
        cls._changeable_fields = None if takes_extra else changeable
        cls._changes_in_place = takes_extra or bool(changeable)
        cls._plain_identifiers = _plain(cls, cls._identifiers)
        cls._plain_attributes = _plain(cls, cls._attributes)
        own = cls.__mro__[: cls.__mro__.index(DiffSyncModel)]
        has_own = any(name in vars(base) for base in own for name in ("create_unique_id", "get_identifiers"))
        cls._identifier_values = None
        if cls._identifiers and cls._plain_identifiers is not None and not has_own:
            cls._identifier_values = itemgetter(*cls._identifiers)
        if cls._changes_in_place:
            cls.__del__ = _let_go  # type: ignore[attr-defined]  # only where it can matter: it costs time

    def __repr__(self) -> Text:
        return f'{self.get_type()} "{self.get_unique_id()}"'

    def __str__(self) -> Text:
        return self.get_unique_id()

    def __setattr__(self, name: Text, value: Any) -> None:
        super().__setattr__(name, value)
        adapter = self.__dict__.get("adapter")
        if adapter is not None:
            adapter.store.changed(self)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A copy of the object; the adapter, with its store and its connections, stays one and the same."""
        memo = {} if memo is None else memo
        memo[id(self.adapter)] = self.adapter
        return super().__deepcopy__(memo)

    def dict(self, **kwargs: Any) -> Data:
        """The fields as a dict; takes the arguments of pydantic's `model_dump`."""
        return self.model_dump(**kwargs)

    def json(self, **kwargs: Any) -> Text:
        """The fields as JSON, without those that have their default; takes the arguments of `model_dump_json`."""
        return self.model_dump_json(**{"exclude_defaults": True, **kwargs})

    def str(self, include_children: bool = True, indent: int = 0) -> Text:
        """The object as text, and what stands below it."""
        margin = " " * indent
        lines = [f"{margin}{self.get_type()}: {self.get_unique_id()}: {self.get_attrs()}"]
        for model, field in self._children.items():
            uids = getattr(self, field)
            found = self.adapter.store.fetch(model, uids) if include_children and self.adapter is not None else {}
            if not found:
                lines.append(f"{margin}  {field}: {uids}")
                continue
            lines.append(f"{margin}  {field}")
            for uid in uids:
                child = found.get(uid)
                lines.append(child.str(True, indent + 4) if child else f"{margin}    {uid} (not in the store)")
        return "\n".join(lines)

    def set_status(self, status: DiffSyncStatus, message: Text = "") -> None:
        """Say how the last operation on the object ended."""
        object.__setattr__(self, "_status", (status, message))

    def get_status(self) -> tuple[DiffSyncStatus, Text]:
        """How the last operation on the object ended, and what was said about it."""
        try:
            return self._status
        except AttributeError:
            return DiffSyncStatus.SUCCESS, ""

    @classmethod
    def create_base(cls, adapter: Adapter, ids: Mapping[Text, Any], attrs: Mapping[Text, Any]) -> Self | None:
        """Make the object for `create`, without any system behind it."""
        obj = cls(**ids, adapter=adapter, **attrs)
        obj.set_status(DiffSyncStatus.SUCCESS, "Created successfully")
        return obj

    @classmethod
    def create(cls, adapter: Adapter, ids: Data, attrs: Data) -> Self | None:
        """Create a record in the adapter's system and return it as object.

        Return None to leave the object, and all below it, out of the store.

        Raises:
            ObjectNotCreated: it could not be created.
        """
        return cls.create_base(adapter=adapter, ids=ids, attrs=attrs)

    def update_base(self, attrs: Mapping[Text, Any]) -> Self | None:
        """Assign the changed attributes for `update`, without any system behind the object."""
        for name, value in attrs.items():
            setattr(self, name, value)
        self.set_status(DiffSyncStatus.SUCCESS, "Updated successfully")
        return self

    def update(self, attrs: Data) -> Self | None:
        """Change the record in the adapter's system; `attrs` holds only what changes.

        Return None to say that it was not changed.

        Raises:
            ObjectNotUpdated: it could not be updated.
        """
        return self.update_base(attrs)

    def delete_base(self) -> Self | None:
        """Note the deletion for `delete`, without any system behind the object."""
        self.set_status(DiffSyncStatus.SUCCESS, "Deleted successfully")
        return self

    def delete(self) -> Self | None:
        """Delete the record from the adapter's system.

        Return None to keep the object in the store.

        Raises:
            ObjectNotDeleted: it could not be deleted.
        """
        return self.delete_base()

    @classmethod
    def get_type(cls) -> Text:
        """Name of the model."""
        return cls._modelname

    @classmethod
    def create_unique_id(cls, **identifiers: Any) -> Text:
        """The unique id that an object with these identifiers has.

        Raises:
            KeyError: an identifier is missing.
        """
        return "__".join(str(identifiers[name]) for name in cls._identifiers)

    @classmethod
    def get_children_mapping(cls) -> ChildFields:
        """Names of child models, each with the field that lists the children's unique ids."""
        return cls._children

    def get_identifiers(self) -> Data:
        """The fields that identify the object, as pydantic dumps them."""
        return self._dumped(self._plain_identifiers, self._identifiers)

    def get_attrs(self) -> Data:
        """The fields that a diff compares, as pydantic dumps them: a copy."""
        return self._dumped(self._plain_attributes, self._attributes)

    def _dumped(self, plain: tuple[Text, ...] | None, names: tuple[Text, ...]) -> Data:
        if plain is None:
            return self.model_dump(include=set(names))
        fields = self.__dict__
        return {name: fields[name] for name in plain}

    def get_unique_id(self) -> Text:
        """The identifiers as one string, unique among the objects of the model."""
        read = self._identifier_values
        if read is None:
            return self.create_unique_id(**self.get_identifiers())
        values = read(self.__dict__)
        return "__".join(map(str, values)) if len(self._identifiers) > 1 else str(values)

    def get_shortname(self) -> Text:
        """The object's name among its siblings."""
        if self._shortname:
            return "__".join(str(getattr(self, name)) for name in self._shortname)
        return self.get_unique_id()

    def add_child(self, child: DiffSyncModel) -> None:
        """List an object among this one's children.

        Raises:
            ObjectStoreWrongType: the model has no such children.
            ObjectAlreadyExists: the child is listed already.
        """
        field = self._field_for(child)
        children, uid = self._children_in(field), child.get_unique_id()
        if uid in children:
            raise ObjectAlreadyExists(f"{child.get_type()} {uid} is a child of {self!r} already", child)
        children.append(uid)
        self._tell_change()

    def remove_child(self, child: DiffSyncModel) -> None:
        """Take an object from the list of this one's children.

        Raises:
            ObjectStoreWrongType: the model has no such children.
            ObjectNotFound: the child is not listed.
        """
        field = self._field_for(child)
        uid = child.get_unique_id()
        try:
            self._children_in(field).remove(uid)
        except ValueError:
            raise ObjectNotFound(f"{uid} is not a child of {self!r}: it is not in {field}") from None
        self._tell_change()

    def _field_for(self, child: DiffSyncModel) -> Text:
        model = child.get_type()
        if model not in self._children:
            raise ObjectStoreWrongType(
                f"{self.get_type()} has no children of type {model}, only {sorted(self._children)}: "
                f"{child!r} cannot be a child of {self!r}"
            )
        return self._children[model]

    def _children_in(self, field: Text) -> ChildIndex | list[Text]:
        """The list of children, or an index of it that takes the same calls where it is long."""
        children: list[Text] = getattr(self, field)
        if len(children) < INDEXED_FROM:
            return children
        indexes: dict[str, ChildIndex]
        try:
            indexes = self._child_indexes
        except AttributeError:
            indexes = {}
            object.__setattr__(self, "_child_indexes", indexes)
        index = indexes.get(field)
        if index is None or not index.fits(children):
            index = indexes[field] = ChildIndex(children)
        return index

    def tell_when_let_go(self) -> None:
        """From now on a store keeps track of the object."""
        object.__setattr__(self, "_tracked", True)

    def untrack(self) -> None:
        """No store keeps track of the object any more."""
        object.__delattr__(self, "_tracked")

    def is_tracked(self) -> bool:
        """Whether a store keeps track of the object, or did."""
        try:
            object.__getattribute__(self, "_tracked")
        except AttributeError:
            return False
        return True

    def forget_child_indexes(self) -> None:
        """Let go of what makes finding children fast."""
        object.__setattr__(self, "_child_indexes", {})

    def _tell_change(self) -> None:
        if self.adapter is not None:
            self.adapter.store.changed(self)


def _all_secrets(model: type[DiffSyncModel]) -> tuple[str, ...]:
    """The fields that a class and its bases declare as secret.

    Raises:
        AttributeError: what it declares is no tuple of names of fields.
    """
    declared = vars(model).get("_secrets", ())
    if isinstance(declared, str) or not all(isinstance(name, str) for name in declared):
        raise AttributeError(
            f"{model.__name__}._secrets is {declared!r}, which is not a tuple of names of fields: "
            'write it as `_secrets = ("psk",)`.'
        )
    for name in declared:
        if name not in model.model_fields and not hasattr(model, name) and name not in model.model_computed_fields:
            raise AttributeError(
                f"{model.__name__}._secrets names {name!r}, which is not a field of the class: "
                f"add it with a type annotation (`{name}: str`)."
            )
    inherited = (name for base in model.__mro__[1:] for name in vars(base).get("_secrets", ()))
    return tuple(dict.fromkeys((*declared, *inherited)))


def _let_go(obj: DiffSyncModel) -> None:
    if not obj.is_tracked():
        return
    adapter = obj.__dict__.get("adapter")
    if adapter is not None:
        adapter.store.let_go(obj)


def _plain(model: type[BaseModel], names: Iterable[str]) -> tuple[str, ...] | None:
    """These fields in the order of the model, if pydantic dumps them as they are and none can be changed in place."""
    fields = tuple(name for name in model.model_fields if name in names)
    is_plain = dumps_as_is(model, fields) and all(_is_scalar(model.model_fields[name].annotation) for name in fields)
    return fields if is_plain else None


def _is_scalar(annotation: Any) -> bool:
    """Whether values of this type cannot be changed in place."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, _SCALARS)
    origin = get_origin(annotation)
    if origin is Literal:
        return True
    if origin is Annotated:
        return _is_scalar(get_args(annotation)[0])
    return origin in (Union, types.UnionType) and all(map(_is_scalar, get_args(annotation)))
