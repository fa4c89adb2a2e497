"""The objects that a comparison has to read: those that may differ, and those above them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from diffsync_store.diffing.differing import differing
from diffsync_store.store.index.format import IGNORED, NORMAL
from diffsync_store.store.index.local_index import LocalIndex
from diffsync_store.store.index.store_index import IndexUnusable, StoreIndex

_STORED = (NORMAL.decode(), IGNORED.decode())


class Marks:
    """The marked objects of two stores. An object that is not marked is equal on both sides, with everything below it.

    An object is marked if its entry differs, if it was written since the index was built, or if it lists a marked object as child.
    Where only new writes have changed who lists whom, the parent itself was written: the index has the edges to all others. They
    are read from one side, because where the sides differ, the parent is marked anyway.

    Args:
        source: the index of the source.
        target: the index of the target.
        models: the models to compare.
        most: number of objects that may differ.

    Raises:
        IndexUnusable: more objects may differ.
    """

    def __init__(self, source: StoreIndex, target: StoreIndex, models: Iterable[str], most: int) -> None:
        self.side = target if isinstance(target, LocalIndex) else source
        """The side that edges and nodes are read from."""
        self._flags: dict[str, dict[str, str]] = {model: {} for model in models}
        self._only_above: dict[str, set[str]] = {model: set() for model in self._flags}
        self._below: dict[str, dict[str, dict[str, list[str]]]] = {model: {} for model in self._flags}
        """Marked children of the objects that are only above others, by model, child model and unique id."""
        self._written_on_both: dict[str, set[str]] = {}
        self._most = most
        for model, flags in self._flags.items():
            self._mark_differing(source, target, model, flags)
        for model, flags in self._flags.items():
            self._mark_touched(source, target, model, flags)
        self._mark_above()

    def __contains__(self, model: str) -> bool:
        return model in self._flags

    def of(self, model: str) -> Mapping[str, str]:
        """Return the marked objects of a model. The values are flags of `side`."""
        return self._flags[model]

    def stored(self, model: str) -> list[str]:
        """Return the marked objects of a model that the index of `side` has as objects."""
        return [uid for uid, flag in self._flags[model].items() if flag in _STORED]

    def is_equal(self, model: str, uid: str) -> bool:
        """Whether a marked object is equal on both sides: it is marked only because objects below it are."""
        return uid in self._only_above.get(model, ())

    def below(self, model: str, uid: str) -> Iterator[tuple[str, list[str]]]:
        """Yield child models with the marked children of an object that is equal on both sides."""
        for child, of_parents in self._below[model].items():
            if uid in of_parents:
                yield child, of_parents[uid]

    def is_stored(self, model: str, uid: str) -> bool:
        """Whether the index of `side` has a marked object as an object."""
        return self._flags[model].get(uid) in _STORED

    def was_written_on_both(self, model: str, uid: str) -> bool:
        """Whether an object was written on both sides since the indexes were built."""
        return uid in self._written_on_both.get(model, ())

    def _mark_differing(self, source: StoreIndex, target: StoreIndex, model: str, flags: dict[str, str]) -> None:
        is_source = self.side is source
        for uid, on_source, on_target in differing(source, target, model):
            flags[uid] = on_source if is_source else on_target
            if len(flags) > self._most:
                self._require_few()
        self._require_few()

    def _mark_touched(self, source: StoreIndex, target: StoreIndex, model: str, flags: dict[str, str]) -> None:
        on_source, on_target = (index.touched(model, self._most) for index in (source, target))
        self._written_on_both[model] = {*on_source} & {*on_target}
        new = [uid for uid in dict.fromkeys((*on_source, *on_target)) if uid not in flags]
        self._require_few(len(new))  # before they are looked up
        flags.update(zip(new, self.side.flags(model, new), strict=True))

    def _require_few(self, more: int = 0) -> None:
        if sum(map(len, self._flags.values())) + more > self._most:
            raise IndexUnusable(f"more than {self._most} objects differ")

    def _mark_above(self) -> None:
        ahead = [(model, list(flags)) for model, flags in self._flags.items()]
        while ahead:
            child, uids = ahead.pop()
            new: dict[str, list[str]] = {}
            for parent, uid, children in self.side.parents(child, uids):
                known = self._flags.get(parent)
                if known is not None and uid not in known:
                    known[uid] = _STORED[0]
                    self._only_above[parent].add(uid)
                    new.setdefault(parent, []).append(uid)
                if known is not None and uid in self._only_above[parent]:
                    self._below[parent].setdefault(child, {}).setdefault(uid, []).extend(children)
            ahead += new.items()
