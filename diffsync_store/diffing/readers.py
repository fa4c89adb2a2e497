"""How a comparison reads the objects of an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from diffsync_store._adapter_like import AdapterLike, overrides
from diffsync_store.exceptions import ObjectNotFound
from diffsync_store.model import DiffSyncModel

Objects = Mapping[str, "DiffSyncModel"]
"""Objects by unique id."""

NOTHING: Objects = {}

Below = Mapping[str, Sequence[str]]
"""Children to compare of objects that are equal on both sides, by the unique ids of these objects."""

NONE_BELOW: Below = {}

NO_PARENT: Sequence[str] = []
"""The list of children on a side that lacks the parent. Compare it by identity: a parent may have an empty list."""


def reader_for(adapter: AdapterLike) -> StoreReader:
    """Return a reader of the adapter's store, or of the adapter if it overrides how objects are read."""
    methods = "get_all", "get_by_uids"
    if overrides(adapter, *methods) or adapter.store.overrides(*methods):
        return AdapterReader(adapter)
    return IndexedReader(adapter) if adapter.store.may_have_changed_uids() else StoreReader(adapter)


class StoreReader:
    """Reads objects from the store in chunks, by the unique ids that they were stored under."""

    uses_adapter_methods = False
    """Objects come from the adapter's own `get_all` and `get_by_uids`."""

    def __init__(self, adapter: AdapterLike) -> None:
        self.adapter = adapter
        self.store = adapter.store

    def count(self, model: str) -> int:
        """Return the number of objects of a model."""
        return self.adapter.count(model)

    def uids(self, model: str) -> Iterator[str]:
        """Yield the unique ids of a model in order of insertion."""
        return self.store.uids(model)

    def missing(self, model: str, uids: Sequence[str]) -> list[str]:
        """Return those of the unique ids that have no object."""
        found = self.store.positions(model, uids)
        return [uid for uid in uids if uid not in found]

    def objects(self, model: str, uids: Sequence[str], known: Objects = NOTHING, below: Below = NONE_BELOW) -> Objects:
        """Return the objects with these unique ids, without those that are missing.

        Args:
            model: the model.
            uids: the unique ids.
            known: objects of the other side that are equal on this one. They need not be read.
            below: objects whose lists need only have these children.
        """
        return self._read_unknown(model, uids, known, below)

    def children(
        self, model: str, groups: Sequence[Sequence[str]], known: Objects = NOTHING, below: Below = NONE_BELOW
    ) -> list[Objects]:
        """Return the objects of each group of siblings, in the order of their parent's list.

        Args:
            model: the model.
            groups: the unique ids of each group.
            known: objects of the other side that are equal on this one. They need not be read.
            below: objects whose lists need only have these children.

        Raises:
            ObjectNotFound: a listed child is missing.
        """
        uids = [uid for group in groups for uid in group]
        found = self._read_unknown(model, uids, known, below)
        if len(found) < len(uids):
            for uid in uids:
                if uid not in found:
                    raise ObjectNotFound(
                        f"{model} {uid} not present in {self.store}, although an object of {self.adapter} lists it as child"
                    )
        return [self._select(found, group) for group in groups]

    def _read_unknown(self, model: str, uids: Sequence[str], known: Objects, below: Below) -> Objects:
        wanted = [uid for uid in uids if uid not in known and uid not in below] if known or below else uids
        read = self.store.snapshot(model, wanted) if wanted else {}
        if below:
            read |= self.store.snapshot_above(model, below)
            read = {uid: read[uid] for uid in uids if uid in read}
        return read | {uid: known[uid] for uid in uids if uid in known} if known else read

    def _select(self, found: Objects, uids: Sequence[str]) -> Objects:
        return {uid: found[uid] for uid in uids}


class IndexedReader(StoreReader):
    """Reads all objects of a model at once and indexes them by their current unique ids, which may have changed."""

    def __init__(self, adapter: AdapterLike) -> None:
        super().__init__(adapter)
        self._model = ""
        self._objects: Objects = {}

    def _read(self, model: str) -> Iterable[DiffSyncModel]:
        return self.store.snapshot_all(model)

    def _index(self, model: str) -> Objects:
        if self._model != model:
            self._model, self._objects = model, _by_unique_id(self._read(model))
        return self._objects

    def uids(self, model: str) -> Iterator[str]:
        return iter(self._index(model))

    def missing(self, model: str, uids: Sequence[str]) -> list[str]:
        objects = self._index(model)
        return [uid for uid in uids if uid not in objects]

    def objects(  # it has all
        self, model: str, uids: Sequence[str], known: Objects = NOTHING, below: Below = NONE_BELOW
    ) -> Objects:
        objects = self._index(model)
        return {uid: objects[uid] for uid in uids if uid in objects}

    def _select(self, found: Objects, uids: Sequence[str]) -> Objects:
        return _by_unique_id(map(found.__getitem__, uids))


class AdapterReader(IndexedReader):
    """Reads objects through the adapter's own `get_all` and `get_by_uids`."""

    uses_adapter_methods = True

    def count(self, model: str) -> int:
        return len(self.adapter.get_all(model))

    def _read(self, model: str) -> Iterable[DiffSyncModel]:
        return self.adapter.get_all(model)

    def children(  # it asks the adapter
        self, model: str, groups: Sequence[Sequence[str]], known: Objects = NOTHING, below: Below = NONE_BELOW
    ) -> list[Objects]:
        return [{} if uids is NO_PARENT else self._get(model, uids) for uids in groups]

    def _get(self, model: str, uids: Sequence[str]) -> Objects:
        as_listed: Any = uids
        return _by_unique_id(self.adapter.get_by_uids(as_listed, model))


def _by_unique_id(objects: Iterable[DiffSyncModel]) -> Objects:
    return {obj.get_unique_id(): obj for obj in objects}
