"""Count the objects at and below open nodes, once all shards are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from diffsync_store.store.index.format import LEAF, MAX_NODE, NODE, decode_uid
from diffsync_store.store.index.node_counts import too_many
from diffsync_store.store.index.open_nodes import unpack_open_node

Found = Any
"""A packed node, `-` if the object is not stored, or empty if it is a leaf."""

_MAX_WAITING = 20_000
"""Children that are looked up together."""


@dataclass(slots=True)
class Node:
    """An open node."""

    model: str
    uid: bytes
    counted: int
    skipped: int
    is_ignored: bool
    waits_for: list[tuple[str, bytes, tuple[int, int]]] = field(default_factory=list)
    """Model, unique id and stored node of children in the same group: open ones are not counted yet."""

    def packed(self) -> bytes:
        """Return the node as it is stored."""
        return NODE.pack(self.counted, self.skipped)

    def add(self, counted: int, skipped: int) -> None:
        """Add what is at and below a child; nothing below an ignored object counts."""
        if not self.is_ignored:
            self.counted += counted
            self.skipped += skipped


class OpenCounts:
    """Counts the open nodes of one group of models.

    Args:
        index: where to read and write.
        models: the models of the group.
        is_cyclic: whether objects of the group may be below each other. They are then kept in memory.
    """

    def __init__(self, index: Any, models: Sequence[str], *, is_cyclic: bool) -> None:
        self._index = index
        self._models = models
        self._is_cyclic = is_cyclic

    def resolve(self) -> str:
        """Write the nodes, and the edges of their children in other shards. Return why it cannot be done; empty if it was."""
        reason = ""
        if not self._is_cyclic:
            for model in self._models:
                for nodes in self._batches(model):
                    reason = reason or self._write(model, nodes)
            return reason
        found = {(model, node.uid): node for model in self._models for nodes in self._batches(model) for node in nodes}
        reason = _count(found)
        for model in self._models:
            reason = reason or self._write(model, [node for node in found.values() if node.model == model])
        return reason

    def _write(self, model: str, nodes: Sequence[Node]) -> str:
        """Write the nodes of a model. Return why it cannot be done; empty if it was."""
        counted = [node for node in nodes if not node.is_ignored]
        for node in counted:
            if max(node.counted, node.skipped) > MAX_NODE:
                return too_many(model, decode_uid(node.uid))
        self._index.add_nodes(model, counted)
        return ""

    def _batches(self, model: str) -> Iterator[list[Node]]:
        """Yield the open nodes of a model, with what is below their children added, except for those of the group."""
        nodes: dict[bytes, Node] = {}
        waiting: dict[str, list[tuple[Node, bytes, bool]]] = {}
        number, last = 0, b""
        for parts in self._index.open_parts(model):
            for part in map(unpack_open_node, parts):
                if number >= _MAX_WAITING and part.uid != last:
                    self._look_up(waiting)
                    yield list(nodes.values())
                    nodes, waiting, number = {}, {}, 0
                last = part.uid
                node = nodes.get(part.uid)
                if node is None:
                    is_ignored = (part.counted, part.skipped) == (0, 1)
                    node = nodes[part.uid] = Node(model, part.uid, part.counted, part.skipped, is_ignored)
                else:
                    node.add(part.counted, part.skipped)
                for child_model, is_elsewhere, uids in part.waits_for:
                    of_child = waiting.setdefault(decode_uid(child_model), [])
                    of_child += [(node, uid, is_elsewhere) for uid in uids]
                    number += len(uids)
        self._look_up(waiting)
        yield list(nodes.values())

    def _look_up(self, waiting: dict[str, list[tuple[Node, bytes, bool]]]) -> None:
        for child_model, children in waiting.items():
            edges = [(uid, node.model, node.uid) for node, uid, is_elsewhere in children if is_elsewhere]
            if edges:
                self._index.add_edges(child_model, edges)
            answers = self._index.look_up(child_model, [uid for _, uid, _ in children])
            is_in_group = self._is_cyclic and child_model in self._models
            for (node, uid, _), answer in zip(children, answers, strict=True):
                if answer == b"-":
                    self._index.add_missing(child_model, uid)
                    continue
                stored = NODE.unpack(answer) if answer else LEAF
                if is_in_group:
                    node.waits_for.append((child_model, uid, stored))
                else:
                    node.add(*stored)


def _count(nodes: dict[tuple[str, bytes], Node]) -> str:
    """Add up the nodes of a group; return the object that is below itself, empty if there is none."""
    is_begun: dict[tuple[str, bytes], bool] = {}
    """Whether all objects below a node are counted, by the nodes that were visited."""
    for first in nodes:
        waiting = [first]
        while waiting:
            key = waiting[-1]
            node = nodes[key]
            if key not in is_begun and not node.is_ignored:
                is_begun[key] = False
                below = [(model, uid) for model, uid, _ in node.waits_for if (model, uid) in nodes]
                circle = next((each for each in below if is_begun.get(each) is False), None)
                if circle is not None:
                    return f"{circle[0]} {decode_uid(circle[1])} is below itself"
                waiting += [each for each in below if each not in is_begun]
                continue
            waiting.pop()
            if not is_begun.get(key, False):
                is_begun[key] = True
                for model, uid, stored in node.waits_for:
                    child = nodes.get((model, uid))
                    node.add(*(stored if child is None else (child.counted, child.skipped)))
    return ""
