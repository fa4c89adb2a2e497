"""What a comparison reads of an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from diffsync_store.exceptions import ObjectNotFound

if TYPE_CHECKING:
    from diffsync_store._adapter_like import AdapterLike
    from diffsync_store.model import DiffSyncModel

Objects = Mapping[str, "DiffSyncModel"]
"""Objects by unique id."""

ABSENT: Sequence[str] = []
"""The children of a parent that a side does not have."""


def side_of(adapter: AdapterLike) -> Side:
    """How to read an adapter: straight from its store, unless it has its own way."""
    reads = "get_all", "get_by_uids"
    if adapter._overrides(*reads) or adapter.store.overrides(*reads):
        return AskedSide(adapter)
    return WholeSide(adapter) if adapter.store.may_have_changed_uids() else Side(adapter)


class Side:
    """One side of a comparison, read from the store in pieces, where each object stands under its unique id."""

    is_asked = False
    """The adapter's own methods say what it has, not its store."""

    def __init__(self, adapter: AdapterLike) -> None:
        self.adapter = adapter
        self.store = adapter.store

    def count(self, model: str) -> int:
        """Number of objects of a model."""
        return self.adapter.count(model)

    def uids(self, model: str) -> Iterator[str]:
        """The unique ids of all objects of a model, in their order."""
        return self.store.uids(model)

    def lacking(self, model: str, uids: Sequence[str]) -> list[str]:
        """Those of the unique ids that it has no objects of."""
        there = self.store.positions(model, uids)
        return [uid for uid in uids if uid not in there]

    def objects(self, model: str, uids: Sequence[str]) -> Objects:
        """Those of the objects that it has."""
        return self.store.snapshot(model, uids)

    def children(self, model: str, families: Sequence[Sequence[str]]) -> list[Objects]:
        """The children of each family, of which the unique ids are given as their parent lists them.

        Raises:
            ObjectNotFound: one of them is not there.
        """
        uids = [uid for family in families for uid in family]
        found = self.store.snapshot(model, uids) if uids else {}
        if len(found) < len(uids):
            for uid in uids:
                if uid not in found:
                    raise ObjectNotFound(
                        f"{model} {uid} not present in {self.store}, although an object of {self.adapter} lists it as child"
                    )
        return [self._known(found, family) for family in families]

    def _known(self, found: Objects, uids: Sequence[str]) -> Objects:
        return {uid: found[uid] for uid in uids}


class WholeSide(Side):
    """A side whose objects are known by the unique ids that they have now, whatever they were added under."""

    def __init__(self, adapter: AdapterLike) -> None:
        super().__init__(adapter)
        self._model = ""
        self._objects: Objects = {}

    def _read(self, model: str) -> Iterable[DiffSyncModel]:
        return self.store.snapshot_all(model)

    def _all(self, model: str) -> Objects:
        if self._model != model:
            self._model, self._objects = model, _by_unique_id(self._read(model))
        return self._objects

    def uids(self, model: str) -> Iterator[str]:
        return iter(self._all(model))

    def lacking(self, model: str, uids: Sequence[str]) -> list[str]:
        objects = self._all(model)
        return [uid for uid in uids if uid not in objects]

    def objects(self, model: str, uids: Sequence[str]) -> Objects:
        objects = self._all(model)
        return {uid: objects[uid] for uid in uids if uid in objects}

    def _known(self, found: Objects, uids: Sequence[str]) -> Objects:
        return _by_unique_id(map(found.__getitem__, uids))


class AskedSide(WholeSide):
    """A side that is read through the adapter's own `get_all` and `get_by_uids`."""

    is_asked = True

    def count(self, model: str) -> int:
        return len(self.adapter.get_all(model))

    def _read(self, model: str) -> Iterable[DiffSyncModel]:
        return self.adapter.get_all(model)

    def children(self, model: str, families: Sequence[Sequence[str]]) -> list[Objects]:
        return [{} if uids is ABSENT else self._asked(model, uids) for uids in families]

    def _asked(self, model: str, uids: Sequence[str]) -> Objects:
        as_listed: Any = uids
        return _by_unique_id(self.adapter.get_by_uids(as_listed, model))


def _by_unique_id(objects: Iterable[DiffSyncModel]) -> Objects:
    return {obj.get_unique_id(): obj for obj in objects}
