"""How many objects a diff counts and skips at and below each object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index.children import ChildIds, JoinedIds, split_ids
from diffsync_store.store.index.format import IGNORED, MAX_NODE

Counts = tuple[int, int]
"""Number of objects that a diff counts, and number of those that it skips because of their flags."""

Digests = Mapping[str, Mapping[str, bytes]]

_IGNORED = IGNORED[0]
_SKIPPED: Counts = (0, 1)
_OPEN: Counts = (-1, -1)
"""The counts of an object whose children are being counted."""


def too_many(model: str, uid: str) -> str:
    """Return why the index of a store cannot be used that has this object."""
    return f"more than {MAX_NODE:,} objects are below {model} {uid}"


class OpenNode(NamedTuple):
    """An object whose counts depend on objects of other shards."""

    uid: str
    counts: Counts
    """Without the children that it waits for; final if it is ignored."""
    waits_for: list[tuple[str, bool, list[str]]]
    """Child model, whether they are not among the objects of the shard, and unique ids of children."""


class NodeCounts:
    """The counts of the objects.

    The counts of an object are open if a child at any level below it may be in another shard.

    Args:
        digests: digest with flag by model and unique id.
        children: the listed children.
        can_be_elsewhere: whether children that are not among the objects may be in another shard. If not, they do not count.
    """

    def __init__(self, digests: Digests, children: ChildIds, *, can_be_elsewhere: bool = False) -> None:
        self._digests = digests
        self._can_be_elsewhere = can_be_elsewhere
        self._open: dict[str, set[str]] = {}
        self._lists: dict[str, list[tuple[str, dict[str, JoinedIds]]]] = {}
        for child, of_parents in children.items():
            for parent, of_model in of_parents.items():
                self._lists.setdefault(parent, []).append((child, of_model))
        self._known: dict[str, dict[str, Counts]] = {model: {} for model in self._lists}
        self._ignored = {
            model: [uid for uid, digest in of_model.items() if digest[SIZE] == _IGNORED]
            for model, of_model in digests.items()
        }
        self.reason = ""
        """Names an object that is below itself, or has too many objects below it; empty if there is none."""
        for model, lists in self._lists.items():
            for _, of_model in lists:
                for uid in of_model:
                    if uid not in self._known[model]:
                        self._count(model, uid)

    def of(self, model: str) -> Iterator[tuple[str, Counts]]:
        """Yield unique id and counts of the objects of a model that list children or are ignored, and are not open.

        All other objects that are not open are leaves.
        """
        known, is_open = self._known.get(model, {}), self._open.get(model, ())
        yield from ((uid, counts) for uid, counts in known.items() if uid not in is_open)
        yield from ((uid, _SKIPPED) for uid in self._ignored.get(model, ()) if uid not in known)

    def total(self, model: str) -> Counts:
        """Return the sum of the counts of all objects of a model that are not open."""
        counted, skipped, others = 0, 0, len(self._digests.get(model, {})) - len(self._open.get(model, ()))
        for _, counts in self.of(model):
            counted += counts[0]
            skipped += counts[1]
            others -= 1
        return counted + others, skipped

    def open(self, model: str) -> Iterator[OpenNode]:
        """Yield the open objects of a model, and the ignored ones with children that may be in another shard."""
        for uid in self._known.get(model, {}) if self._can_be_elsewhere else ():
            is_open = uid in self._open.get(model, ())
            if not is_open and self._known[model][uid] != _SKIPPED:
                continue
            waits_for: list[tuple[str, bool, list[str]]] = []
            for child, uids in self._below(model, uid):
                digests, of_child = self._digests.get(child, {}), self._open.get(child, set())
                elsewhere = [child_uid for child_uid in uids if child_uid not in digests]
                waits_for.append((child, True, elsewhere))
                waits_for.append((child, False, [child_uid for child_uid in uids if is_open and child_uid in of_child]))
            lists = [(child, is_elsewhere, uids) for child, is_elsewhere, uids in waits_for if uids]
            if lists:
                yield OpenNode(uid, self._known[model][uid], lists)

    def _count(self, model: str, uid: str) -> None:
        """Count an object, after all objects below it that list children."""
        waiting = [(model, uid)]
        while waiting:
            model, uid = waiting[-1]
            known = self._known[model]
            found = known.get(uid)
            if found is None and self._digests[model][uid][SIZE] == _IGNORED:
                known[uid] = _SKIPPED
            elif found is None:
                known[uid] = _OPEN
                waiting.extend(self._uncounted_below(model, uid))
                continue
            elif found is _OPEN:
                known[uid] = counts = self._sum(model, uid)
                if max(counts) > MAX_NODE:
                    self.reason = self.reason or too_many(model, uid)
            waiting.pop()

    def _below(self, model: str, uid: str) -> Iterator[tuple[str, dict[str, None]]]:
        """Yield child models with the ids that an object lists."""
        for child, of_model in self._lists[model]:
            joined = of_model.get(uid)
            if joined is not None:
                yield child, split_ids(joined)

    def _uncounted_below(self, model: str, uid: str) -> Iterator[tuple[str, str]]:
        for child, listed in self._lists[model]:
            known = self._known.get(child)
            if known is None or uid not in listed:
                continue
            digests = self._digests.get(child, {})
            lists = [of_model for _, of_model in self._lists[child]]
            for child_uid in split_ids(listed[uid]):
                found = known.get(child_uid)
                if found is _OPEN:
                    self.reason = self.reason or f"{child} {child_uid} is below itself"
                elif found is None and child_uid in digests and any(child_uid in of_model for of_model in lists):
                    yield child, child_uid

    def _sum(self, model: str, uid: str) -> Counts:
        counted, skipped = 1, 0
        for child, uids in self._below(model, uid):
            known, digests = self._known.get(child, {}), self._digests.get(child, {})
            if child not in self._known and not self._ignored.get(child):  # all are leaves
                stored = len(digests.keys() & uids.keys())
                counted += stored
                if stored < len(uids) and self._can_be_elsewhere:
                    self._open.setdefault(model, set()).add(uid)
                continue
            is_open = self._open.get(child, ())
            for child_uid in uids:
                digest = digests.get(child_uid)
                if digest is None or child_uid in is_open:
                    if digest is not None or self._can_be_elsewhere:
                        self._open.setdefault(model, set()).add(uid)
                    continue
                found = known.get(child_uid)
                if found is _OPEN:  # it is below itself, which is the reason not to use the index
                    continue
                if found is not None:
                    counted += found[0]
                    skipped += found[1]
                elif digest[SIZE] == _IGNORED:
                    skipped += 1
                else:
                    counted += 1
        return counted, skipped
