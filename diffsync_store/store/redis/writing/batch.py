"""A batch of writes that one command sends to Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

MAX_OBJECTS = 500
MAX_BYTES = 500_000

Kind = Literal["deletes", "adds", "puts", "updates"]

Children = Mapping[str, Sequence[str]]
"""Unique ids of children by child model."""


@dataclass(slots=True)
class Batch:
    """Writes of one kind to one model.

    `adds` are new objects; Redis refuses them if the unique id exists. `puts` add or replace objects. `updates` change stored
    objects; Redis skips them if the object no longer exists.
    """

    model: str
    kind: Kind
    known_in: bytes = b""
    """Epoch of the store in which the objects are known to be new; empty if Redis must check."""
    schema: str = ""
    """The `ModelSchema` of the model, as JSON."""
    uids: list[str] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    """The objects; none for deletes."""
    digests: list[bytes] = field(default_factory=list)
    children: dict[str, Children] = field(default_factory=dict)
    """Of each object that lists children, by its unique id."""
    size: int = 0
    """Approximate size in bytes."""
    number: int = 0
    """Sequence number among the batches of one writer to one partition; 0 before it is sent."""
    partition: int = 0
    """Number of the partition that the batch is for."""
    whole: Batch | None = None
    """The batch that this one is a part of, if the store has several partitions."""
    places: list[int] = field(default_factory=list)
    """Where the objects are in the whole batch."""
    is_queued: bool = False
    """Whether it is in the queue, or a batch that has its objects."""
    in_shard: bool = False
    """Whether it was sent last as a part of the writer's shard."""
    first: int = 0
    """Position of the first object, of adds in a shard; 0 before it is known."""
    reserved: int | None = None
    """Number before the first object in the order of those that are added outside of a shard, if the writer has reserved them."""
    is_apart: bool = False
    """Whether Redis must look whether its adds are stored."""
    page: int | None = None
    """Number of the page with the ids, of adds in a shard."""

    def append(self, uid: str, value: bytes, digest: bytes, children: Children | None = None) -> None:
        """Append an object."""
        self.uids.append(uid)
        self.values.append(value)
        self.digests.append(digest)
        if children:
            self.children[uid] = children
        self.size += len(value) + 2 * len(uid)

    def extend(
        self,
        uids: list[str],
        values: Sequence[bytes],
        digests: Sequence[bytes],
        children: Iterable[Children | None] | None = None,
    ) -> None:
        """Append objects; `children` are those of each, or None if no object lists any."""
        self.uids += uids
        self.values += values
        self.digests += digests
        if children is not None:
            self.children.update((uid, listed) for uid, listed in zip(uids, children, strict=True) if listed)
        self.size += sum(map(len, values)) + 2 * sum(map(len, uids))

    def has_room(self, values: Sequence[bytes]) -> bool:
        """Whether these values do not fill the batch, whatever their ids are."""
        return self.size + 2 * sum(map(len, values)) < MAX_BYTES

    def split(self, number: int, partition_of: Callable[[str], int]) -> list[Batch]:
        """Return the parts for the partitions; the batch itself if there is one partition."""
        if number == 1:
            return [self]
        epochs = self.known_in.split(b",") if self.known_in else [b""] * number
        parts: dict[int, Batch] = {}
        every: list[Batch] = []
        for place, uid in enumerate(self.uids):
            found = partition_of(uid)
            part = parts.get(found)
            if part is None or len(part.uids) == MAX_OBJECTS:
                part = parts[found] = Batch(
                    self.model, self.kind, epochs[found], self.schema, partition=found, whole=self
                )
                every.append(part)
            part.uids.append(uid)
            part.places.append(place)
            if self.values:
                part.values.append(self.values[place])
                part.digests.append(self.digests[place])
            if uid in self.children:
                part.children[uid] = self.children[uid]
        return every

    @property
    def is_full(self) -> bool:
        return self.size >= MAX_BYTES


def joined(batches: Iterable[Batch], most: int) -> list[Batch]:
    """Return fewer batches with the same objects, at most `most` in each. Those of one model stay in order.

    Batches that may have been sent, and parts, stay as they are. No batch is changed.
    """
    groups: list[list[Batch]] = []
    latest: dict[str, list[Batch]] = {}
    for batch in batches:
        group = latest.get(batch.model)
        if group is not None and _fits(batch, group, most):
            group.append(batch)
        else:
            groups.append([batch])
            latest[batch.model] = groups[-1]
    return [group[0] if len(group) == 1 else _join(group) for group in groups]


def _fits(batch: Batch, group: Sequence[Batch], most: int) -> bool:
    """Whether a batch can be joined with those before it."""
    first, every = group[0], (*group, batch)
    if (batch.kind, batch.known_in, batch.schema) != (first.kind, first.known_in, first.schema):
        return False
    if any(each.number or each.whole is not None for each in (first, batch)):
        return False
    return sum(len(each.uids) for each in every) <= most and sum(each.size for each in every) <= MAX_BYTES


def _join(group: Sequence[Batch]) -> Batch:
    first = group[0]
    whole = Batch(first.model, first.kind, first.known_in, first.schema, is_queued=True)
    for batch in group:
        whole.uids += batch.uids
        whole.values += batch.values
        whole.digests += batch.digests
        whole.children.update(batch.children)
        whole.size += batch.size
    return whole
