"""The index of one shard of a load, kept in memory while the shard is loaded, and built once at its end."""

from __future__ import annotations

from collections.abc import KeysView, Mapping, Sequence

from diffsync_store.store.index.built_index import BuiltIndex
from diffsync_store.store.index.children import ChildIds, join_ids

Children = Mapping[str, Sequence[str]]
"""The unique ids of the children of an object, by child model."""


class ShardIndex:
    """The digests and the listed children of the objects of a shard.

    It is not safe for threads: the store's lock guards it. It needs about 100 bytes an object beyond the unique id.
    """

    def __init__(self) -> None:
        self._digests: dict[str, dict[str, bytes]] = {}
        self._children: ChildIds = {}
        self._with_children: set[str] = set()
        """Models with an object that lists children."""

    def add(self, model: str, uid: str, digest: bytes, children: Children | None = None) -> None:
        """Add an object, or replace the one with its unique id.

        Args:
            model: name of the model.
            uid: unique id of the object.
            digest: as `digest_of` returns it: 12 bytes and the flag.
            children: unique ids of its children by child model.
        """
        try:
            self._digests[model][uid] = digest
        except KeyError:
            self._digests[model] = {uid: digest}
        if children or model in self._with_children:
            self._set_children(model, uid, children or {})

    def add_all(
        self, model: str, uids: Sequence[str], digests: Sequence[bytes], children: Mapping[str, Children]
    ) -> None:
        """Add or replace objects of one model; `children` has those of each object that lists some, by its unique id."""
        self._digests.setdefault(model, {}).update(zip(uids, digests, strict=True))
        if children or model in self._with_children:
            for uid in uids:
                self._set_children(model, uid, children.get(uid, {}))

    def remove(self, model: str, uid: str) -> None:
        """Remove an object, if it is there."""
        of_model = self._digests.get(model, {})
        if of_model.pop(uid, None) is None:
            return
        if not of_model:
            del self._digests[model]
        if model in self._with_children:
            self._set_children(model, uid, {})

    def contains(self, model: str, uid: str) -> bool:
        """Whether an object is there."""
        return uid in self._digests.get(model, ())

    def uids(self, model: str) -> KeysView[str]:
        """Return a view of the unique ids of a model."""
        return self._digests.setdefault(model, {}).keys()

    def counts(self) -> dict[str, int]:
        """Return the number of objects by model."""
        return {model: len(digests) for model, digests in self._digests.items() if digests}

    def __len__(self) -> int:
        return sum(map(len, self._digests.values()))

    def build(self, shards: int = 1) -> BuiltIndex:
        """Return the index of the objects that are there now. The shard must not change while it is read.

        Args:
            shards: number of declared shards. With one, a listed child that is not there is nowhere; with more, it may be in
                another shard.
        """
        return BuiltIndex({model: of for model, of in self._digests.items() if of}, self._children, shards)

    def _set_children(self, model: str, uid: str, children: Children) -> None:
        self._with_children.add(model)
        for child, of_parents in self._children.items():
            if child not in children and model in of_parents:
                of_parents[model].pop(uid, None)
        for child, uids in children.items():
            of_model = self._children.setdefault(child, {}).setdefault(model, {})
            if uids:
                of_model[uid] = join_ids(uids)
            else:
                of_model.pop(uid, None)
