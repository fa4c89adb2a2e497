"""DiffSyncModel: the base class of all models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store._child_index import CHILDREN_LOCK, INDEXED_FROM, ChildIndex
from diffsync_store._object_store import ObjectStore
from diffsync_store._tree_depth import require_depth
from diffsync_store.enum import DiffSyncModelFlags, DiffSyncStatus
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType
from diffsync_store.hooks import require_hooks
from diffsync_store.introspection.builtin_aliases import ChildFields, Data, Text
from diffsync_store.introspection.declaration import all_secrets, check_declaration, derived_class_variables
from diffsync_store.introspection.model_classes import ModelType

M = TypeVar("M", bound="DiffSyncModel")

_ADAPTER = frozenset({"adapter"})


class DiffSyncModel(BaseModel, metaclass=ModelType):
    """The base class of models. A model describes records: their identifiers, attributes and children.

    A subclass declares its fields as in any pydantic model, and assigns their names to class variables:

    - `_modelname`: the name of the model, unique within an adapter;
    - `_identifiers`: the fields that identify an object;
    - `_shortname`: the fields that name an object among its siblings; the identifiers by default;
    - `_attributes`: the fields that a diff compares;
    - `_children`: child model names, each with the field that lists the unique ids of the children;
    - `_secrets`: fields with secret values, besides those with a secret name (`password`, `api_key`, ...). Logs, rejects,
      tables and forms show `***` instead. A subclass adds to the fields of its base class.

    Override `create`, `update` and `delete` to write to a system.

    Threads may share an object: no `add_child`, `remove_child` or assignment is lost. In-place changes, such as an append to
    a list, are as thread-safe as the value.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, ser_json_inf_nan="constants")

    # Slots instead of pydantic's private attributes, which cost as much as a field for each object.
    __slots__ = ("__weakref__", "_child_indexes", "_outcome")

    if TYPE_CHECKING:
        _child_indexes: dict[Text, ChildIndex]
        _outcome: tuple[DiffSyncStatus, Text]

    _modelname: ClassVar[Text] = "diffsyncmodel"
    _identifiers: ClassVar[tuple[Text, ...]] = ()
    _shortname: ClassVar[tuple[Text, ...]] = ()
    _attributes: ClassVar[tuple[Text, ...]] = ()
    _children: ClassVar[ChildFields] = {}
    _secrets: ClassVar[tuple[Text, ...]] = ()
    _left_alone: ClassVar[Mapping[Text, Text]] = {}
    """Attributes of a target that a sync leaves as they are: `always`, or `filled` where they have a value."""

    _changes_in_place: ClassVar[bool] = False
    """Whether a field may hold a mutable value."""
    _identifier_values: ClassVar[Any] = None
    """A getter of the identifiers if the unique id is their text, else None. A single identifier is not a tuple."""
    _identifier_format: ClassVar[Text] = ""
    """The format of a unique id of several identifiers."""
    _plain_identifiers: ClassVar[tuple[Text, ...] | None] = ()
    _plain_attributes: ClassVar[tuple[Text, ...] | None] = ()
    """Identifiers and attributes in field order if pydantic dumps their values unchanged, else None."""
    _kept_slots: ClassVar[tuple[Text, ...]] = ("_outcome",)
    """Slots that are copied and pickled with the object."""
    _is_declared: ClassVar[bool] = False
    """The class is complete: the variables above are computed."""

    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.NONE
    adapter: Any = Field(default=None, exclude=True, repr=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check the declaration and the hooks.

        Raises:
            AttributeError: a class variable names no field, a field has two roles, or an action has no method.
        """
        super().__pydantic_init_subclass__(**kwargs)
        cls._secrets = all_secrets(cls)
        check_declaration(cls)
        require_hooks(cls, cls.model_fields)

    @classmethod
    def _read_declaration(cls) -> None:
        """Compute the class variables that follow from the declaration."""
        for name, value in derived_class_variables(cls).items():
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
            if isinstance(store, ObjectStore):  # a mock of an adapter has none
                store.mark_dirty(self)

    # Copies and pickles keep the status, as with a private attribute of pydantic.

    def __copy__(self) -> Self:
        return _with_slots(super().__copy__(), _slots_of(self))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy the object and its adapter. An adapter whose store is not in memory is shared, not copied."""
        memo = {} if memo is None else memo
        store = _store_of(self)
        if store is not None and not store.is_in_memory:
            memo[id(self.adapter)] = self.adapter
        return _with_slots(super().__deepcopy__(memo), _slots_of(self))

    def copy(self, **kwargs: Any) -> Self:
        """Deprecated by pydantic: use `model_copy`."""
        return _with_slots(super().copy(**kwargs), _slots_of(self))

    def __getstate__(self) -> Data:
        return {**super().__getstate__(), **_slots_of(self)}

    def __setstate__(self, state: Data) -> None:
        super().__setstate__(state)
        _with_slots(self, state)

    def dict(self, **kwargs: Any) -> Data:
        """Return the fields as a dict. Takes the arguments of pydantic's `model_dump`."""
        return super().model_dump(**{"exclude": _ADAPTER, **kwargs})

    def json(self, **kwargs: Any) -> Text:
        """Return the fields as JSON without defaults. Takes the arguments of `model_dump_json`."""
        return super().model_dump_json(**{"exclude": _ADAPTER, "exclude_defaults": True, **kwargs})

    def str(self, include_children: bool = True, indent: int = 0) -> Text:
        """Return the object and everything below it as text."""
        margin = " " * indent
        require_depth(indent // 4)
        lines = [f"{margin}{self.get_type()}: {self.get_unique_id()}: {self.get_attrs()}"]
        for model, field in self._children.items():
            uids = getattr(self, field)
            store = _store_of(self)
            # One request for all children; `get` below finds them in memory.
            children = store.fetch(model, uids) if store is not None and include_children else None
            if not (uids and include_children and (children or self.adapter)):
                lines.append(f"{margin}  {field}: {uids}")
                continue
            lines.append(f"{margin}  {field}")
            for uid in uids:
                try:
                    # A mock of an adapter may return anything.
                    lines.append(f"{self.adapter.get(model, uid).str(include_children, indent + 4)}")
                except ObjectNotFound:
                    lines.append(f"{margin}    {uid} (ERROR: details unavailable)")
            del children
        return "\n".join(lines)

    def set_status(self, status: DiffSyncStatus, message: Text = "") -> None:
        """Set the outcome of the last operation on the object."""
        object.__setattr__(self, "_outcome", (status, message))

    def get_status(self) -> tuple[DiffSyncStatus, Text]:
        """Return the outcome of the last operation on the object, and its message."""
        try:
            return self._outcome
        except AttributeError:
            return DiffSyncStatus.SUCCESS, ""

    @property
    def _status(self) -> DiffSyncStatus:
        """The status under diffsync's name, which programs read and set."""
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
        """Build the object for `create` without writing to a system."""
        obj = cls(**ids, adapter=adapter, **attrs)
        obj.set_status(DiffSyncStatus.SUCCESS, "Created successfully")
        return obj

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        """Create a record in the adapter's system and return the object.

        Return None to skip the object and everything below it.

        Raises:
            ObjectNotCreated: the system did not create it.
        """
        return cls.create_base(adapter=adapter, ids=ids, attrs=attrs)

    def update_base(self, attrs: Mapping[Text, Any]) -> Self | None:
        """Assign the attributes for `update` without writing to a system."""
        for name, value in attrs.items():
            setattr(self, name, value)
        self.set_status(DiffSyncStatus.SUCCESS, "Updated successfully")
        return self

    def update(self, attrs: Data) -> Self | None:
        """Update the record in the adapter's system. `attrs` holds only the attributes that change.

        Return None if the record was not updated; nothing below the object is synced then.

        Raises:
            ObjectNotUpdated: the system did not update it.
        """
        return self.update_base(attrs)

    def delete_base(self) -> Self | None:
        """Record the deletion for `delete` without writing to a system."""
        self.set_status(DiffSyncStatus.SUCCESS, "Deleted successfully")
        return self

    def delete(self) -> Self | None:
        """Delete the record from the adapter's system.

        Return None to keep the object in the store.

        Raises:
            ObjectNotDeleted: the system did not delete it.
        """
        return self.delete_base()

    @classmethod
    def get_type(cls) -> Text:
        """Return the name of the model."""
        return cls._modelname

    @classmethod
    def create_unique_id(cls, **identifiers: Any) -> Text:
        """Return the unique id of an object with these identifiers.

        Raises:
            KeyError: an identifier is missing.
        """
        return "__".join(str(identifiers[name]) for name in cls._identifiers)

    @classmethod
    def get_children_mapping(cls) -> ChildFields:
        """Return child model names, each with the field that lists the unique ids of the children."""
        return cls._children

    def get_identifiers(self) -> Data:
        """Return the identifiers as pydantic dumps them."""
        return self._dumped(self._plain_identifiers, self._identifiers)

    def get_attrs(self) -> Data:
        """Return a copy of the attributes as pydantic dumps them."""
        return self._dumped(self._plain_attributes, self._attributes)

    def _dumped(self, plain: tuple[Text, ...] | None, names: tuple[Text, ...]) -> Data:
        if plain is None:
            return self.dict(include=set(names))
        fields = self.__dict__
        return {name: fields[name] for name in plain}

    def get_unique_id(self) -> Text:
        """Return the identifiers as one string, unique within the model."""
        read = self._identifier_values
        if read is None:
            return self.create_unique_id(**self.get_identifiers())
        values = read(self.__dict__)
        return self._identifier_format % values if self._identifier_format else str(values)

    def get_shortname(self) -> Text:
        """Return the object's name among its siblings."""
        if self._shortname:
            return "__".join(str(getattr(self, name)) for name in self._shortname)
        return self.get_unique_id()

    def add_child(self, child: DiffSyncModel) -> None:
        """Add an object to this one's children.

        Raises:
            ObjectStoreWrongType: the model has no such child model.
            ObjectAlreadyExists: it is already a child.
        """
        field, uid = self._field_for(child), child.get_unique_id()
        with CHILDREN_LOCK:
            children = self._children_in(field)
            is_new = uid not in children
            if is_new:
                children.append(uid)
        if not is_new:
            raise ObjectAlreadyExists(f"{child.get_type()} {uid} is already a child of {self!r}", child)
        self._report_change()

    def remove_child(self, child: DiffSyncModel) -> None:
        """Remove an object from this one's children.

        Raises:
            ObjectStoreWrongType: the model has no such child model.
            ObjectNotFound: it is not a child.
        """
        field = self._field_for(child)
        uid = child.get_unique_id()
        try:
            with CHILDREN_LOCK:
                self._children_in(field).remove(uid)
        except ValueError:
            raise ObjectNotFound(f"{child} is not a child of {self!r}: it is not in {field}") from None
        self._report_change()

    def _field_for(self, child: DiffSyncModel) -> Text:
        model = child.get_type()
        if model not in self._children:
            raise ObjectStoreWrongType(
                f"{self.get_type()} has no children of type {model}, only {sorted(self._children)}: "
                f"{child!r} cannot be a child of {self!r}"
            )
        return self._children[model]

    def _children_in(self, field: Text) -> ChildIndex | list[Text]:
        """Return the list of children, or an index with the same methods if the list is long."""
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

    def _report_change(self) -> None:
        store = _store_of(self)
        if store is not None:
            store.mark_dirty(self)


def _store_of(obj: DiffSyncModel) -> ObjectStore | None:
    """Return the adapter's store. A mock of an adapter has none."""
    store = getattr(obj.__dict__.get("adapter"), "store", None)
    return store if isinstance(store, ObjectStore) else None


def _slots_of(obj: DiffSyncModel) -> dict[str, Any]:
    return {name: getattr(obj, name) for name in obj._kept_slots if hasattr(obj, name)}


def _with_slots(obj: M, slots: Mapping[str, Any]) -> M:
    for name in obj._kept_slots:
        if name in slots:
            object.__setattr__(obj, name, slots[name])
    return obj
