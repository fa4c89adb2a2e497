"""DiffSyncModel: the base of every class of record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store._child_index import CHILDREN_LOCK, INDEXED_FROM, ChildIndex
from diffsync_store._object_store import ObjectStore
from diffsync_store._tree_depth import require_depth
from diffsync_store.enum import DiffSyncModelFlags, DiffSyncStatus
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType
from diffsync_store.hooks import require_hooks
from diffsync_store.introspection.builtin_aliases import ChildFields, Data, Text
from diffsync_store.introspection.field_types import is_scalar, plain_fields
from diffsync_store.introspection.model_classes import ModelType, overrides

M = TypeVar("M", bound="DiffSyncModel")

_ADAPTER = frozenset({"adapter"})


class DiffSyncModel(BaseModel, metaclass=ModelType):
    """A class of record: what identifies it, what is compared, what stands below it.

    A subclass declares its fields as any pydantic model does, and names them in these class variables:

    - `_modelname`: the name of the class of record, unique among an adapter's models;
    - `_identifiers`: the fields that together identify an object;
    - `_shortname`: the fields that name an object among its siblings; all identifiers when empty;
    - `_attributes`: the fields that a diff compares;
    - `_children`: names of child models, each with the field that lists its children's unique ids;
    - `_secrets`: the fields whose values nobody is to read, beside those whose names say so (`password`, `api_key`, ...):
      logs, rejects, tables and forms show `***`. A subclass adds to those of its base class.

    Threads may share an object: `add_child`, `remove_child` and assignments of several threads are all kept. What is changed
    in place, as by an append to a list, is as safe as the list.

    A subclass that writes to a system extends `create`, `update` and `delete`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, ser_json_inf_nan="constants")

    # Slots, not private attributes of pydantic: those cost as much as a whole field for each object made.
    __slots__ = ("__weakref__", "_child_indexes", "_outcome", "_tracked")

    if TYPE_CHECKING:
        _child_indexes: dict[Text, ChildIndex]
        _outcome: tuple[DiffSyncStatus, Text]
        _tracked: Any

    _modelname: ClassVar[Text] = "diffsyncmodel"
    _identifiers: ClassVar[tuple[Text, ...]] = ()
    _shortname: ClassVar[tuple[Text, ...]] = ()
    _attributes: ClassVar[tuple[Text, ...]] = ()
    _children: ClassVar[ChildFields] = {}
    _secrets: ClassVar[tuple[Text, ...]] = ()

    _tracks_changes: ClassVar[bool] = True
    """Assignments and releases reach the store."""
    _changes_in_place: ClassVar[bool] = False
    """A field may hold a value that can be changed without being assigned to."""
    _changeable_fields: ClassVar[tuple[Text, ...] | None] = ()
    """The fields that may; None where any may."""
    _identifier_values: ClassVar[Any] = None
    """Reads the identifiers from the fields, where the unique id is made of them as they are; one alone is no tuple."""
    _plain_identifiers: ClassVar[tuple[Text, ...] | None] = ()
    _plain_attributes: ClassVar[tuple[Text, ...] | None] = ()
    """The identifiers, the attributes, in the order of the fields, where pydantic dumps them as they are; else None."""
    _kept_slots: ClassVar[tuple[Text, ...]] = ("_outcome",)
    """What goes with a copy or a pickle of an object beside its fields."""
    _is_declared: ClassVar[bool] = False
    """The class is made, and what is above follows from its declaration."""

    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.NONE
    adapter: Any = Field(default=None, exclude=True, repr=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check that the class variables name fields, that no field has two roles, and that the hooks can be called.

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
                # An identifier may be anything that the class has, such as a computed field.
                if name not in cls.model_fields and not (role == "_identifiers" and hasattr(cls, name)):
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
        require_hooks(cls, cls.model_fields)

    @classmethod
    def _read_declaration(cls) -> None:
        """Work out what follows from the declaration, so that it is not looked for on each use."""
        takes_extra = cls.model_config.get("extra") == "allow"
        changeable = tuple(
            name
            for name, field in cls.model_fields.items()
            if name not in ("adapter", "model_flags") and not is_scalar(field.annotation)
        )
        found: Data = {
            "_changeable_fields": None if takes_extra else changeable,
            "_changes_in_place": takes_extra or bool(changeable),
            "_plain_identifiers": plain_fields(cls, cls._identifiers),
            "_plain_attributes": plain_fields(cls, cls._attributes),
            "_is_declared": True,
        }
        plain = found["_plain_identifiers"] and not overrides(cls, ("get_identifiers", "create_unique_id"))
        found["_identifier_values"] = itemgetter(*cls._identifiers) if plain else None
        ends = getattr(cls, "__del__", None)
        if found["_changes_in_place"] and not hasattr(ends, "tells_store"):  # only where it can matter: it costs time
            found["__del__"] = _telling(ends)
        for name, value in found.items():
            type.__setattr__(cls, name, value)

    def __repr__(self) -> Text:
        return f'{self.get_type()} "{self.get_unique_id()}"'

    def __str__(self) -> Text:
        return self.get_unique_id()

    def __setattr__(self, name: Text, value: Any) -> None:
        super().__setattr__(name, value)
        adapter = self.__dict__.get("adapter")
        if adapter is not None:
            store = getattr(adapter, "store", None)
            if isinstance(store, ObjectStore):  # a mock or a stub in the place of the adapter has none
                store.mark_dirty(self)

    # Copies and pickles keep the status, as they would keep a private attribute of pydantic.

    def __copy__(self) -> Self:
        return _with_slots(super().__copy__(), _slots_of(self))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A copy of the object and of its adapter; an adapter whose store is elsewhere stays one and the same."""
        memo = {} if memo is None else memo
        store = _store_of(self)
        if store is not None and not store.is_in_memory:
            memo[id(self.adapter)] = self.adapter
        return _with_slots(super().__deepcopy__(memo), _slots_of(self))

    def copy(self, **kwargs: Any) -> Self:
        """As pydantic's, which is deprecated: use `model_copy`."""
        return _with_slots(super().copy(**kwargs), _slots_of(self))

    def __getstate__(self) -> Data:
        return {**super().__getstate__(), **_slots_of(self)}

    def __setstate__(self, state: Data) -> None:
        super().__setstate__(state)
        _with_slots(self, state)

    def dict(self, **kwargs: Any) -> Data:
        """The fields as a dict; takes the arguments of pydantic's `model_dump`."""
        return super().model_dump(**{"exclude": _ADAPTER, **kwargs})

    def json(self, **kwargs: Any) -> Text:
        """The fields as JSON, without those that have their default; takes the arguments of `model_dump_json`."""
        return super().model_dump_json(**{"exclude": _ADAPTER, "exclude_defaults": True, **kwargs})

    def str(self, include_children: bool = True, indent: int = 0) -> Text:
        """The object as text, and what stands below it."""
        margin = " " * indent
        require_depth(indent // 4)
        lines = [f"{margin}{self.get_type()}: {self.get_unique_id()}: {self.get_attrs()}"]
        for model, field in self._children.items():
            uids = getattr(self, field)
            store = _store_of(self)
            # In one request, so that they are at hand below.
            held = store.fetch(model, uids) if store is not None and include_children else None
            if not (uids and include_children and (held or self.adapter)):
                lines.append(f"{margin}  {field}: {uids}")
                continue
            lines.append(f"{margin}  {field}")
            for uid in uids:
                try:
                    # What stands in the place of an adapter, such as a mock, may give anything.
                    lines.append(f"{self.adapter.get(model, uid).str(include_children, indent + 4)}")
                except ObjectNotFound:
                    lines.append(f"{margin}    {uid} (ERROR: details unavailable)")
            del held
        return "\n".join(lines)

    def set_status(self, status: DiffSyncStatus, message: Text = "") -> None:
        """Say how the last operation on the object ended."""
        object.__setattr__(self, "_outcome", (status, message))

    def get_status(self) -> tuple[DiffSyncStatus, Text]:
        """How the last operation on the object ended, and what was said about it."""
        try:
            return self._outcome
        except AttributeError:
            return DiffSyncStatus.SUCCESS, ""

    @property
    def _status(self) -> DiffSyncStatus:
        """The name that diffsync has for what `get_status` says first; programs read it and set it."""
        return self.get_status()[0]

    @_status.setter
    def _status(self, status: DiffSyncStatus) -> None:
        self.set_status(status, self._status_message)

    @property
    def _status_message(self) -> Text:
        return self.get_status()[1]

    @_status_message.setter
    def _status_message(self, message: Text) -> None:
        self.set_status(self._status, message)

    @classmethod
    def create_base(cls, adapter: Any, ids: Mapping[Text, Any], attrs: Mapping[Text, Any]) -> Self | None:
        """Make the object for `create`, without any system behind it."""
        obj = cls(**ids, adapter=adapter, **attrs)
        obj.set_status(DiffSyncStatus.SUCCESS, "Created successfully")
        return obj

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
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
            return self.dict(include=set(names))
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
        field, uid = self._field_for(child), child.get_unique_id()
        with CHILDREN_LOCK:
            children = self._children_in(field)
            is_new = uid not in children
            if is_new:
                children.append(uid)
        if not is_new:
            raise ObjectAlreadyExists(f"{child.get_type()} {uid} is a child of {self!r} already", child)
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
            with CHILDREN_LOCK:
                self._children_in(field).remove(uid)
        except ValueError:
            raise ObjectNotFound(f"{child} is not a child of {self!r}: it is not in {field}") from None
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

    def tell_when_let_go(self, tracked: Any) -> None:
        """From now on a store keeps track of the object; None if none does any more."""
        object.__setattr__(self, "_tracked", tracked)

    def tracked_by(self) -> Any:
        """What the store that keeps track of the object knows it by; None where none does."""
        try:
            return object.__getattribute__(self, "_tracked")  # pydantic would look for it elsewhere, which takes long
        except AttributeError:
            return None

    def forget_child_indexes(self) -> None:
        """Let go of what makes finding children fast."""
        object.__setattr__(self, "_child_indexes", {})

    def _tell_change(self) -> None:
        store = _store_of(self)
        if store is not None:
            store.mark_dirty(self)


def _store_of(obj: DiffSyncModel) -> ObjectStore | None:
    """The adapter's store; a mock or a stub in the place of the adapter has none."""
    store = getattr(obj.__dict__.get("adapter"), "store", None)
    return store if isinstance(store, ObjectStore) else None


def _slots_of(obj: DiffSyncModel) -> dict[str, Any]:
    return {name: getattr(obj, name) for name in obj._kept_slots if hasattr(obj, name)}


def _with_slots(obj: M, slots: Mapping[str, Any]) -> M:
    for name in obj._kept_slots:
        if name in slots:
            object.__setattr__(obj, name, slots[name])
    return obj


def _all_secrets(model: type[DiffSyncModel]) -> tuple[str, ...]:
    """The fields that a class and its bases declare as secret.

    Raises:
        AttributeError: what it declares is no tuple of names of fields.
    """
    declared = vars(model).get("_secrets", ())
    if not isinstance(declared, tuple | list | set | frozenset) or not all(isinstance(name, str) for name in declared):
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


def _telling(ends: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """A `__del__` that tells the store of the object's end, after the one that the class has."""

    def let_go(obj: DiffSyncModel) -> None:
        try:
            if ends is not None:
                ends(obj)
        finally:
            tracked = obj.tracked_by()
            if tracked is not None:
                tracked.let_go(obj)

    let_go.tells_store = True  # type: ignore[attr-defined]
    return let_go
