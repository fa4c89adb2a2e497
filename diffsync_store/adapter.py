"""Adapter: one system, its models, its records in a store."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, TypeVar, overload

import structlog

from diffsync_store._text_tree import tree_text
from diffsync_store.diff import Diff
from diffsync_store.differ import Differ
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import DiffClassMismatch, DiffException, ObjectNotFound
from diffsync_store.guards.guards import Guards, count_operations
from diffsync_store.introspection.builtin_aliases import Data, Text
from diffsync_store.introspection.model_classes import is_overridden
from diffsync_store.lifecycle import opened
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.base import BaseStore
from diffsync_store.store.local import LocalStore
from diffsync_store.store.record import StoreRecord
from diffsync_store.suppression import suppress
from diffsync_store.syncer import Syncer

M = TypeVar("M", bound=DiffSyncModel)
Callback = Callable[[str, int, int], None]
# Adapter has a member of the name type too.
ModelClass = type[M]
StoreClass = type[BaseStore]
DiffClass = type[Diff]
Model = str | DiffSyncModel | type[DiffSyncModel]
Identifier = str | dict[str, Any]


class Adapter:
    """One system. A subclass names its models as class variables, and loads the system's records in `load`.

        class Inventory(Adapter):
            site = Site
            device = Device
            top_level = ["site"]

            def load(self):
                ...

    Args:
        name: how the system is called in diffs and logs; the class's name when it is not given.
        internal_storage_engine: a store, or a class of stores to make one from.
    """

    type: ClassVar[Text | None] = None
    """Name of the kind of system; an adapter's is its class's name where neither the class nor `__init__` has said it."""
    _is_stored: ClassVar[bool] = False
    """The objects' values are those of JSON, whatever their classes were."""

    top_level: ClassVar[list[Text]] = []
    """Names of the models that diffs and syncs begin with."""

    def __init__(
        self,
        name: Text | None = None,
        internal_storage_engine: StoreClass | BaseStore = LocalStore,
    ) -> None:
        self.store: BaseStore
        if isinstance(internal_storage_engine, BaseStore):
            self.store = internal_storage_engine
            self.store.adapter = self
        else:
            self.store = internal_storage_engine(adapter=self)
        if self.type is None:
            self.type = type(self).__name__  # type: ignore[misc]  # each adapter has one, its class need not
        self.name = name or self.type

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check the models.

        Raises:
            AttributeError: a model stands under another name than its own, or `top_level` names one that is missing.
        """
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            if not _is_model(value):
                continue
            if value.get_type() != name:
                raise AttributeError(
                    f"{cls.__name__}.{name} is {value.__name__}, a model of name {value.get_type()!r}: "
                    f"call the class variable {value.get_type()!r}."
                )
            if name in _MEMBERS:
                raise AttributeError(
                    f"{cls.__name__}.{name} is a model, and {name!r} is a member of every adapter, which it would hide: "
                    f"give {value.__name__} another `_modelname`."
                )
        for name in cls.top_level:
            if not hasattr(cls, name):
                raise AttributeError(
                    f"{cls.__name__}.top_level names {name!r}, which is not a class attribute: add `{name} = ...`."
                )
            if not _is_model(getattr(cls, name)):
                raise AttributeError(
                    f"{cls.__name__}.top_level names {name!r}, but {getattr(cls, name)!r} is not a DiffSyncModel."
                )

    def __str__(self) -> Text:
        return f"{self.type}" if self.type == self.name else f'{self.type} "{self.name}"'

    def __repr__(self) -> Text:
        return f"<{self}>"

    def __len__(self) -> int:
        return self.store.count()

    def load(self) -> None:
        """Load the system's records into the store; for a subclass to write."""

    @property
    def fencing_token(self) -> int | None:
        """The token of the lease under which this is changed, for a system that can refuse older ones than it has seen.

        None where the store was opened without a lease.
        """
        return self.store.fencing_token

    # What a load says of its own completeness

    def rejecting(
        self,
        model: Text | ModelClass[Any],
        what: Any,
        payload: Any = None,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> AbstractContextManager[None, bool]:
        """Take in one record of a load; if the block raises, count the record as rejected and go on.

        Args:
            model: the model that the record would have become an object of.
            what: the record's key, by which a person finds it.
            payload: the record; kept short, with what stands under names of secrets masked.
            below: the object that the record would have stood below, at any depth, or its model and unique id: guards then
                suppress operations below it, not those of the whole model.
        """
        return self.store.rejecting(model, what, payload, **({} if below is None else {"below": below}))

    def incomplete(
        self,
        model: Text | ModelClass[Any],
        reason: Text,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> None:
        """Say of a load that it lacks records of a model, though nothing raised; of those `below` an object, or of all."""
        self.store.incomplete(model, reason, **({} if below is None else {"below": below}))

    def expect(self, model: Text | ModelClass[Any], count: int, *, at_least: bool = False) -> None:
        """Say of a load how many records of a model the system has, exactly or at the least; the last word counts."""
        self.store.expect(model, count, at_least=at_least)

    # The whole content as data and text

    def dict(self, exclude_defaults: bool = True, **kwargs: Any) -> Data:
        """All objects as `{model: {unique id: fields}}`, in the order of the tree of models, then of insertion."""
        order = self._get_initial_value_order()
        stored = self.get_all_model_names()
        names = [name for name in order if name in stored] + sorted(stored.difference(order))
        return {
            name: {
                obj.get_unique_id(): obj.dict(exclude_defaults=exclude_defaults, **kwargs)
                for obj in self.store.get_all(model=name)
            }
            for name in names
        }

    def str(self, indent: int = 0) -> Text:
        """All objects as text, as a tree."""
        margin = " " * indent
        parts = []
        for model in self.top_level:
            objects = self.get_all(model)
            if not objects:
                parts.append(f"{margin}{model}: []")
                continue
            parts.append(f"{margin}{model}")
            parts += [obj.str(indent=indent + 2) for obj in objects]
        return "\n".join(parts)

    def load_from_dict(self, data: Mapping[Text, Mapping[Text, Mapping[Text, Any]]]) -> None:
        """Load objects from what `dict` returns; models that the adapter does not declare are passed over."""
        order = self._get_initial_value_order()
        beside = [name for name in data if name not in order and hasattr(getattr(self, name, None), "get_type")]
        for name in [*order, *beside]:
            for fields in data.get(name, {}).values():
                self.add(getattr(self, name)(**fields))

    @classmethod
    def _get_initial_value_order(cls) -> list[Text]:
        """Names of all models: top level first, then the others, each behind those above it."""
        below: dict[Text, None] = {}

        def visit(name: Text) -> None:
            if name not in below:
                below[name] = None
                for child in reversed(_children_of(cls, name)):
                    visit(child)
                below[name] = below.pop(name)  # behind all that stands below it, for the order is turned round

        for name in reversed(cls.top_level):
            visit(name)
        return list(dict.fromkeys([*cls.top_level, *reversed(below)]))

    @classmethod
    def get_tree_traversal(cls, as_dict: bool = False) -> Text | Data:
        """The models and what stands below which, as text or as nested dicts; each is told in full only once."""
        tree: Data = {}
        places: dict[Text, Data] = {}
        for name in cls._get_initial_value_order():
            place = places[name] if name in places else places.setdefault(name, tree.setdefault(name, {}))
            for child in _children_of(cls, name):
                places.setdefault(child, place.setdefault(child, {}))
        return tree if as_dict else tree_text(cls.__name__, tree)

    # Diff and sync

    def diff_from(
        self,
        source: Adapter,
        diff_class: DiffClass = Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callback | None = None,
    ) -> Diff:
        """What has to change here so that this equals `source`."""
        return Differ(source, self, flags, diff_class, callback).run()

    def diff_to(
        self,
        target: Adapter,
        diff_class: DiffClass = Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callback | None = None,
    ) -> Diff:
        """What has to change in `target` so that it equals this."""
        return target.diff_from(self, diff_class=diff_class, flags=flags, callback=callback)

    def sync_from(
        self,
        source: Adapter,
        diff_class: DiffClass = Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callback | None = None,
        diff: Diff | None = None,
        *,
        guards: Guards | None = None,
    ) -> Diff:
        """Change this so that it equals `source`.

        Args:
            source: the adapter that is right.
            diff_class: class of the diff to make.
            flags: how to compare and to apply.
            callback: called with stage ("diff" or "sync"), number done, number in all.
            diff: the diff to apply, exactly as it is; only without one is one made.
            guards: what the sync must not do. What they suppress is logged and removed from the diff.

        Returns:
            The diff that was applied; its `result` says what became of it.

        Raises:
            DiffClassMismatch: `diff` is not of the class `diff_class`.
            ChangeLimitExceeded: the guards' change limits do not allow it; nothing was applied.
            DiffException: guards were given with a diff that is not in memory.
            StoreReloaded: with guards, a load of one of the two stores has begun since the diff was made, or while it was; or
                one has ended since. Nothing was applied.
        """
        if diff is not None and not isinstance(diff, diff_class):
            raise DiffClassMismatch(
                f"The provided diff's class ({type(diff).__name__}) does not match the diff_class: {diff_class.__name__}"
            )
        loads = None if guards is None else (source.store.record(), self.store.record())
        if diff is None:
            diff = self.diff_from(source, diff_class=diff_class, flags=flags, callback=callback)
        elif guards is not None:
            for side, seen in zip((source, self), diff.load_versions, strict=False):
                side.store.require_load_version(seen)
        if guards is not None and loads is not None:
            source.store.require_same_load(loads[0])
            self.store.require_same_load(loads[1])
            self._guard(diff, source, guards, *loads)
        with opened(self):
            if Syncer(diff, source, self, flags, callback).run():
                logger = structlog.get_logger().new(src=source, dst=self, flags=flags)
                self.sync_complete(source, diff, flags, logger)
                self.store.flush()
        return diff

    def _guard(
        self, diff: Diff, source: Adapter, guards: Guards, of_source: StoreRecord, of_target: StoreRecord
    ) -> None:
        """Remove what the guards suppress from a diff, by the records of the two stores from before it was made."""
        if "children" not in vars(diff):
            raise DiffException("Guards need a diff in memory: give `saved.diff()` instead of `saved.streamed()`.")
        removed = suppress(diff, guards.suppressions(of_source, of_target))
        guards.check(count_operations(diff), of_target)
        numbers = Counter((element.type, element.action, reason) for element, reason in removed)
        logger = structlog.get_logger().new(src=source, dst=self)
        for (model, action, reason), number in numbers.items():
            logger.warning("Operations suppressed", action=action, model=model, number=number, reason=reason)

    def sync_to(
        self,
        target: Adapter,
        diff_class: DiffClass = Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callback | None = None,
        diff: Diff | None = None,
        *,
        guards: Guards | None = None,
    ) -> Diff:
        """Change `target` so that it equals this; as `sync_from`, seen from the other side."""
        # The target may have a `sync_from` of its own that knows of no guards.
        given = {} if guards is None else {"guards": guards}
        return target.sync_from(self, diff_class=diff_class, flags=flags, callback=callback, diff=diff, **given)

    def sync_complete(
        self,
        source: Adapter,
        diff: Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        logger: Any = None,
    ) -> None:
        """Called after a sync that changed something, or tried to; does nothing, for a subclass to extend."""

    def _overrides(self, *names: Text) -> bool:
        """Whether the adapter has a way of its own for one of these methods: of its class, or set on it."""
        return is_overridden(self, Adapter, names)

    # The store's objects

    def get_all_model_names(self) -> set[Text]:
        """Names of the models that there are objects of."""
        return self.store.get_all_model_names()

    @overload
    def get(self, obj: ModelClass[M] | M, identifier: Identifier) -> M: ...
    @overload
    def get(self, obj: Text, identifier: Identifier) -> Any: ...
    def get(self, obj: Any, identifier: Identifier) -> Any:
        """The object with this unique id, or these identifiers.

        Raises:
            ObjectNotFound: there is none.
        """
        return self.store.get(model=obj, identifier=identifier)

    @overload
    def get_or_none(self, obj: ModelClass[M] | M, identifier: Identifier) -> M | None: ...
    @overload
    def get_or_none(self, obj: Text, identifier: Identifier) -> Any: ...
    def get_or_none(self, obj: Any, identifier: Identifier) -> Any:
        """The object with this unique id, or these identifiers; None if there is none."""
        try:
            return self.get(obj, identifier)
        except ObjectNotFound:
            return None

    @overload
    def get_all(self, obj: ModelClass[M] | M) -> list[M]: ...
    @overload
    def get_all(self, obj: Text) -> list[Any]: ...
    def get_all(self, obj: Any) -> list[Any]:
        """All objects of a model in order of insertion."""
        return self.store.get_all(model=obj)

    @overload
    def iter_all(self, obj: ModelClass[M] | M) -> Iterator[M]: ...
    @overload
    def iter_all(self, obj: Text) -> Iterator[Any]: ...
    def iter_all(self, obj: Any) -> Iterator[Any]:
        """All objects of a model in order of insertion, one after the other: those let go of take no memory."""
        return self.store.iter_all(model=obj)

    @overload
    def get_by_uids(self, uids: list[Text], obj: ModelClass[M] | M) -> list[M]: ...
    @overload
    def get_by_uids(self, uids: list[Text], obj: Text) -> list[Any]: ...
    def get_by_uids(self, uids: list[Text], obj: Any) -> list[Any]:
        """The objects with these unique ids, in the order of the ids.

        Raises:
            ObjectNotFound: one of them is not there.
        """
        return self.store.get_by_uids(uids=uids, model=obj)

    def add(self, obj: DiffSyncModel) -> None:
        """Take in a new object.

        Raises:
            ObjectAlreadyExists: another object has the same identifiers.
        """
        self.store.add(obj=obj)

    def update(self, obj: DiffSyncModel) -> None:
        """Take in an object, in the place of whatever has its identifiers."""
        self.store.update(obj=obj)

    def remove(self, obj: DiffSyncModel, remove_children: bool = False) -> None:
        """Remove an object, with everything below it if asked to.

        Raises:
            ObjectNotFound: it is not there.
        """
        self.store.remove(obj=obj, remove_children=remove_children)

    def get_or_instantiate(self, model: ModelClass[M], ids: Data, attrs: Data | None = None) -> tuple[M, bool]:
        """The object with these identifiers, made and added if there is none; and whether it was."""
        return self.store.get_or_instantiate(model=model, ids=ids, attrs=attrs)

    def get_or_add_model_instance(self, obj: M) -> tuple[M, bool]:
        """The object that has the same identifiers, or else `obj`, which is added; and whether it was."""
        return self.store.get_or_add_model_instance(obj=obj)

    def update_or_instantiate(self, model: ModelClass[M], ids: Data, attrs: Data) -> tuple[M, bool]:
        """The object with these identifiers, with these attributes; made and added if there is none."""
        return self.store.update_or_instantiate(model=model, ids=ids, attrs=attrs)

    def update_or_add_model_instance(self, obj: M) -> tuple[M, bool]:
        """The object that has the same identifiers, with the attributes of `obj`; or else `obj`, which is added."""
        return self.store.update_or_add_model_instance(obj=obj)

    def count(self, model: Model | None = None) -> int:
        """Number of objects of one model, or of all."""
        return self.store.count(model=model)


_MEMBERS = frozenset({"store", "name", *(name for name in vars(Adapter) if not name.startswith("_"))})
"""Names that a model cannot have, for it stands on the adapter's class under its own."""


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, DiffSyncModel)


class DiffSync(Adapter):
    """The former name of Adapter."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        _warn_of_former_name()
        super().__init_subclass__(**kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _warn_of_former_name()
        super().__init__(*args, **kwargs)


def _warn_of_former_name() -> None:
    warnings.warn(
        "'diffsync_store.DiffSync' is deprecated, use 'diffsync_store.Adapter' instead.",
        DeprecationWarning,
        stacklevel=3,
    )


def _children_of(adapter: type[Adapter], name: str) -> list[str]:
    model = getattr(adapter, name, None)
    return [] if model is None else list(model.get_children_mapping())
