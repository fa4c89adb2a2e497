"""Adapter: one system with its models and a store for its records."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """One system. A subclass declares its models as class variables and loads the system's records in `load`.

        class Inventory(Adapter):
            site = Site
            device = Device
            top_level = ["site"]

            def load(self):
                ...

    Threads may use one adapter at the same time, as its store allows. Processes each make their own adapter.

    Args:
        name: name of the system in diffs and logs; by default the adapter's type.
        internal_storage_engine: a store, or the class of the store to create.
    """

    type: ClassVar[Text | None] = None
    """Type of the system. An adapter without one gets the name of its class."""
    _is_stored: ClassVar[bool] = False
    """The model classes come from the store's schema, not from code."""

    top_level: ClassVar[list[Text]] = []
    """Names of the models at the top of the tree, in the order of diffs and syncs."""

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
            self.type = type(self).__name__  # type: ignore[misc]  # set on the instance; the class may have none
        self.name = name or self.type

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check the declared models.

        Raises:
            AttributeError: a class variable differs from the name of its model, or `top_level` names no model.
        """
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            if not _is_model(value):
                continue
            if value.get_type() != name:
                raise AttributeError(
                    f"{cls.__name__}.{name} is {value.__name__}, whose model name is {value.get_type()!r}: "
                    f"rename the class variable to {value.get_type()!r}."
                )
            if name in _MEMBERS:
                raise AttributeError(
                    f"{cls.__name__}.{name} is a model, but {name!r} is a member of every adapter: "
                    f"give {value.__name__} another `_modelname`."
                )
        for name in cls.top_level:
            if not hasattr(cls, name):
                raise AttributeError(
                    f"{cls.__name__}.top_level names {name!r}, which is not a class variable: add `{name} = ...`."
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
        """Load the system's records into the store. Override it in a subclass."""

    def shards(self) -> Sequence[Text] | Mapping[Text, Any]:
        """Return the names of the shards in which the system can be loaded; empty if it is only loaded as a whole.

        Override it together with `load_shard`, unless the file lists the names. A mapping also says, by name of the shard, below which
        object all its records are: an object, a pair of model and unique id, a list of these, or None if they may be anywhere.
        """
        return ()

    def load_shard(self, name: Text, of: Sequence[Text]) -> None:
        """Load the records of one shard into the store. Override it in a subclass whose system can be loaded in shards.

        Each record must be in exactly one shard, together with all records below it.

        Args:
            name: the shard to load.
            of: the names of all shards of the load.
        """
        raise NotImplementedError(
            f"{type(self).__name__} loads no shards. Override `load_shard`, or remove `shards` from the file."
        )

    @property
    def fencing_token(self) -> int | None:
        """The fencing token of the lease of the target, for systems that refuse smaller tokens than they have seen.

        None if the store was opened without a lease.
        """
        return self.store.fencing_token

    # Completeness of a load

    def rejecting(
        self,
        model: Text | ModelClass[Any],
        what: Any,
        payload: Any = None,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> AbstractContextManager[None, bool]:
        """Load one record; if the block raises, count the record as rejected and continue.

        Args:
            model: the model of the record.
            what: the key of the record, to find it by.
            payload: the record; its first 2,000 characters are kept, with secrets redacted.
            below: the ancestor of the record, or its model and unique id: guards then suppress only operations below it, instead
                of those of the whole model.
        """
        return self.store.rejecting(model, what, payload, **({} if below is None else {"below": below}))

    def incomplete(
        self,
        model: Text | ModelClass[Any],
        reason: Text,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> None:
        """Report that the load lacks records of a model, below an object or anywhere, although nothing raised an error."""
        self.store.incomplete(model, reason, **({} if below is None else {"below": below}))

    def expect(self, model: Text | ModelClass[Any], count: int, *, at_least: bool = False) -> None:
        """Declare how many records of a model the system has, exactly or at least. The last call counts."""
        self.store.expect(model, count, at_least=at_least)

    # The content as data and text

    def dict(self, exclude_defaults: bool = True, **kwargs: Any) -> Data:
        """Return all objects as `{model: {unique id: fields}}`: models in tree order, objects in order of insertion."""
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
        """Return all objects as a tree of text."""
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
        """Load objects from the result of `dict`. Models that the adapter does not declare are ignored."""
        order = self._get_initial_value_order()
        others = [name for name in data if name not in order and hasattr(getattr(self, name, None), "get_type")]
        for name in [*order, *others]:
            for fields in data.get(name, {}).values():
                self.add(getattr(self, name)(**fields))

    @classmethod
    def _get_initial_value_order(cls) -> list[Text]:
        """Return the names of all models: top level first, then the others, parents before children."""
        below: dict[Text, None] = {}

        def visit(name: Text) -> None:
            if name not in below:
                below[name] = None
                for child in reversed(_children_of(cls, name)):
                    visit(child)
                below[name] = below.pop(name)  # behind its children, because the order is reversed at the end

        for name in reversed(cls.top_level):
            visit(name)
        return list(dict.fromkeys([*cls.top_level, *reversed(below)]))

    @classmethod
    def get_tree_traversal(cls, as_dict: bool = False) -> Text | Data:
        """Return the tree of models as text or nested dicts. The children of a model are listed once."""
        tree: Data = {}
        nodes: dict[Text, Data] = {}
        for name in cls._get_initial_value_order():
            node = nodes[name] if name in nodes else nodes.setdefault(name, tree.setdefault(name, {}))
            for child in _children_of(cls, name):
                nodes.setdefault(child, node.setdefault(child, {}))
        return tree if as_dict else tree_text(cls.__name__, tree)

    # Diff and sync

    def diff_from(
        self,
        source: Adapter,
        diff_class: DiffClass = Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callback | None = None,
    ) -> Diff:
        """Return the changes that make this adapter equal to `source`."""
        return Differ(source, self, flags, diff_class, callback).run()

    def diff_to(
        self,
        target: Adapter,
        diff_class: DiffClass = Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callback | None = None,
    ) -> Diff:
        """Return the changes that make `target` equal to this adapter."""
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
        """Make this adapter equal to `source`.

        Args:
            source: the source of truth.
            diff_class: class of the diff to compute.
            flags: how to compare and apply.
            callback: called with the stage ("diff" or "sync"), the number processed and the total.
            diff: the diff to apply; computed by default.
            guards: the guards of the sync. Operations that they suppress are logged and removed from the diff.

        Returns:
            The applied diff; its `result` has the outcome.

        Raises:
            DiffClassMismatch: `diff` is not of the class `diff_class`.
            ChangeLimitExceeded: the guards' change limits do not allow it; nothing was applied.
            DiffException: guards were given with a diff that is not in memory.
            StoreReloaded: guards were given, and one of the stores was loaded again since the diff was started. Nothing was
                applied.
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
        self, diff: Diff, source: Adapter, guards: Guards, source_record: StoreRecord, target_record: StoreRecord
    ) -> None:
        """Remove the suppressed operations from a diff. The records were read before the diff was made."""
        if "children" not in vars(diff):
            raise DiffException("Guards need a diff in memory: pass `saved.diff()` instead of `saved.streamed()`.")
        removed = suppress(diff, guards.suppressions(source_record, target_record))
        guards.check(count_operations(diff), target_record)
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
        """Make `target` equal to this adapter; see `sync_from`."""
        # The target may override `sync_from` without the parameter `guards`.
        options = {} if guards is None else {"guards": guards}
        return target.sync_from(self, diff_class=diff_class, flags=flags, callback=callback, diff=diff, **options)

    def sync_complete(
        self,
        source: Adapter,
        diff: Diff,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        logger: Any = None,
    ) -> None:
        """Hook that is called after a sync attempted any operation. Override it in a subclass."""

    def _overrides(self, *names: Text) -> bool:
        """Whether the adapter overrides one of these methods, in its class or on the instance."""
        return is_overridden(self, Adapter, names)

    # Objects in the store

    def get_all_model_names(self) -> set[Text]:
        """Return the names of the models that have objects."""
        return self.store.get_all_model_names()

    @overload
    def get(self, obj: ModelClass[M] | M, identifier: Identifier) -> M: ...
    @overload
    def get(self, obj: Text, identifier: Identifier) -> Any: ...
    def get(self, obj: Any, identifier: Identifier) -> Any:
        """Return the object with this unique id or these identifiers.

        Raises:
            ObjectNotFound: no such object.
        """
        return self.store.get(model=obj, identifier=identifier)

    @overload
    def get_or_none(self, obj: ModelClass[M] | M, identifier: Identifier) -> M | None: ...
    @overload
    def get_or_none(self, obj: Text, identifier: Identifier) -> Any: ...
    def get_or_none(self, obj: Any, identifier: Identifier) -> Any:
        """Return the object with this unique id or these identifiers, or None."""
        try:
            return self.get(obj, identifier)
        except ObjectNotFound:
            return None

    @overload
    def get_all(self, obj: ModelClass[M] | M) -> list[M]: ...
    @overload
    def get_all(self, obj: Text) -> list[Any]: ...
    def get_all(self, obj: Any) -> list[Any]:
        """Return all objects of a model in order of insertion."""
        return self.store.get_all(model=obj)

    @overload
    def iter_all(self, obj: ModelClass[M] | M) -> Iterator[M]: ...
    @overload
    def iter_all(self, obj: Text) -> Iterator[Any]: ...
    def iter_all(self, obj: Any) -> Iterator[Any]:
        """Yield all objects of a model in order of insertion. Objects that the caller does not keep are freed."""
        return self.store.iter_all(model=obj)

    @overload
    def get_by_uids(self, uids: list[Text], obj: ModelClass[M] | M) -> list[M]: ...
    @overload
    def get_by_uids(self, uids: list[Text], obj: Text) -> list[Any]: ...
    def get_by_uids(self, uids: list[Text], obj: Any) -> list[Any]:
        """Return the objects with these unique ids, in the order of the ids.

        Raises:
            ObjectNotFound: one of them is missing.
        """
        return self.store.get_by_uids(uids=uids, model=obj)

    def add(self, obj: DiffSyncModel) -> None:
        """Add a new object.

        Raises:
            ObjectAlreadyExists: another object has the same identifiers.
        """
        self.store.add(obj=obj)

    def update(self, obj: DiffSyncModel) -> None:
        """Add an object, or replace the one with the same identifiers."""
        self.store.update(obj=obj)

    def remove(self, obj: DiffSyncModel, remove_children: bool = False) -> None:
        """Remove an object; with `remove_children` also everything below it.

        Raises:
            ObjectNotFound: it is not in the store.
        """
        self.store.remove(obj=obj, remove_children=remove_children)

    def get_or_instantiate(self, model: ModelClass[M], ids: Data, attrs: Data | None = None) -> tuple[M, bool]:
        """Return the object with these identifiers, created if missing, and whether it was created."""
        return self.store.get_or_instantiate(model=model, ids=ids, attrs=attrs)

    def get_or_add_model_instance(self, obj: M) -> tuple[M, bool]:
        """Return the object with the same identifiers, or add `obj`; and whether it was added."""
        return self.store.get_or_add_model_instance(obj=obj)

    def update_or_instantiate(self, model: ModelClass[M], ids: Data, attrs: Data) -> tuple[M, bool]:
        """Return the object with these identifiers, updated or created with `attrs`, and whether it was created."""
        return self.store.update_or_instantiate(model=model, ids=ids, attrs=attrs)

    def update_or_add_model_instance(self, obj: M) -> tuple[M, bool]:
        """Return the object with the same identifiers, updated from `obj`, or add `obj`; and whether it was added."""
        return self.store.update_or_add_model_instance(obj=obj)

    def count(self, model: Model | None = None) -> int:
        """Return the number of objects of one model, or of all."""
        return self.store.count(model=model)


_MEMBERS = frozenset({"store", "name", *(name for name in vars(Adapter) if not name.startswith("_"))})
"""Names that no model may have, because models are attributes of the adapter class."""


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, DiffSyncModel)


class DiffSync(Adapter):
    """Deprecated name of `Adapter`, with the same rules for threads and processes."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        _warn_deprecated()
        super().__init_subclass__(**kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _warn_deprecated()
        super().__init__(*args, **kwargs)


def _warn_deprecated() -> None:
    warnings.warn(
        "'diffsync_store.DiffSync' is deprecated, use 'diffsync_store.Adapter' instead.",
        DeprecationWarning,
        stacklevel=3,
    )


def _children_of(adapter: type[Adapter], name: str) -> list[str]:
    model = getattr(adapter, name, None)
    return [] if model is None else list(model.get_children_mapping())
