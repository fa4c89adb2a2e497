"""The shards of a load into a store in memory."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, ItemsView, Iterator, Mapping
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import Any

from diffsync_store.enum import ShardState
from diffsync_store.exceptions import ObjectAlreadyExists, StoreInUse
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.load_report import LoadReport
from diffsync_store.store.shards.plan import ShardPlan
from diffsync_store.store.shards.record import ShardRecord

Objects = dict[str, dict[str, DiffSyncModel]]
"""Objects by model and unique id."""

_current: ContextVar[LocalShard | None] = ContextVar("the shard that this thread loads", default=None)


class LocalShard:
    """One shard: its objects, and the report of its load."""

    def __init__(self, owner: LocalShards, name: str, report: LoadReport) -> None:
        self.owner = owner
        self.report = report
        self.objects: Objects = {}
        self.is_open = True
        """Whether a thread is inside its `loading()`."""
        now = datetime.now(UTC)
        self._record = ShardRecord(
            name=name,
            state=ShardState.LOADING,
            below=owner.plan.below.get(name, ()),
            writer=f"{socket.gethostname()}:{os.getpid()}",
            started=now,
            updated=now,
        )

    def record(self) -> ShardRecord:
        """Return the record of the shard."""
        return self._record.model_copy(update={"counts": self.counts(), **self.report.numbers()})

    def counts(self) -> dict[str, int]:
        """Return the number of objects by model."""
        return {model: len(objects) for model, objects in list(self.objects.items()) if objects}

    def end(self, state: ShardState, reason: str, gaps: Mapping[str, Any]) -> None:
        """Set the state of the shard. A failed one has no objects."""
        if state is ShardState.FAILED:
            self.objects = {}
        self._record = self._record.model_copy(
            update={"state": state, "reason": reason, "gaps": dict(gaps), "updated": datetime.now(UTC)}
        )


class LocalShards(Mapping[str, dict[str, DiffSyncModel]]):
    """The shards of one load, and their objects instead of those of the store until they are sealed.

    A thread sees the objects of the shard that it loads; a thread that loads none sees those of all shards. Threads may share it.
    """

    def __init__(self, plan: ShardPlan) -> None:
        self.plan = plan
        self.is_sealed = False
        self._shards: dict[str, LocalShard] = {}

    def records(self) -> tuple[ShardRecord, ...]:
        """Return the records of all declared shards, in order."""
        return tuple(
            self._shards[name].record()
            if name in self._shards
            else ShardRecord(name=name, below=self.plan.below.get(name, ()))
            for name in self.plan.names
        )

    def open_names(self) -> list[str]:
        """Return the names of the shards that are being loaded."""
        return [name for name, shard in self._shards.items() if shard.is_open]

    def lacks(self, name: str, plan: ShardPlan, data: Mapping[str, Collection[str]]) -> bool:
        """Whether the load was sealed without this shard, and the store has had the same objects since then."""
        shard = self._shards.get(name)
        is_missing = shard is None or shard.record().state is ShardState.FAILED
        if not (self.is_sealed and plan.load and self.plan.same_load(plan) and is_missing):
            return False
        loaded = self.merged()
        return {model: {*data[model]} for model in data if data[model]} == {model: {*loaded[model]} for model in loaded}

    def enter(self, name: str, report: LoadReport) -> tuple[LocalShard, Token[LocalShard | None]]:
        """Begin to load a shard in this thread; what it had before is dropped."""
        shard = self._shards[name] = LocalShard(self, name, report)
        return shard, _current.set(shard)

    def leave(self, shard: LocalShard, token: Token[LocalShard | None]) -> None:
        """End the load of a shard in this thread."""
        shard.is_open = False
        _current.reset(token)

    def current(self) -> LocalShard | None:
        """Return the shard of this thread; of a thread that has entered none, the only one that is being loaded, or None."""
        shard = _current.get()
        if shard is not None and shard.owner is self:
            return shard
        is_open = [each for each in list(self._shards.values()) if each.is_open]
        return is_open[0] if len(is_open) == 1 else None

    def merged(self) -> Objects:
        """Return the objects of all shards: shards in declared order, objects in order of insertion.

        Raises:
            ObjectAlreadyExists: an object is in two shards.
        """
        found: Objects = {}
        for shard in self._in_order():
            for model, objects in shard.objects.items():
                known = found.setdefault(model, {})
                twice = next((uid for uid in objects if uid in known), None)
                if twice is not None:
                    raise ObjectAlreadyExists(self._twice(model, twice), objects[twice])
                known.update(objects)
        return found

    def _in_order(self) -> list[LocalShard]:
        return [self._shards[name] for name in self.plan.names if name in self._shards]

    def _twice(self, model: str, uid: str) -> str:
        names = [shard.record().name for shard in self._in_order() if uid in shard.objects.get(model, {})]
        return twice_text(model, uid, names[0], names[1])

    # The objects of the store until the seal, as LocalStore reads and writes them

    def __getitem__(self, model: str) -> dict[str, DiffSyncModel]:
        shard = self.current()
        return (self._all() if shard is None else shard.objects)[model]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.items()))

    def __len__(self) -> int:
        return len(self.items())

    def setdefault(self, model: str, default: dict[str, DiffSyncModel]) -> dict[str, DiffSyncModel]:
        """Return the objects of a model, to change them.

        Raises:
            StoreInUse: this thread loads no shard.
        """
        shard = self.current()
        if shard is None:
            raise StoreInUse(
                "The store is loaded in shards, and this thread is in none of them. Add inside of `loading(shard=...)`; start other "
                "threads of it with `contextvars.copy_context().run`."
            )
        return shard.objects.setdefault(model, default)

    def items(self) -> ItemsView[str, dict[str, DiffSyncModel]]:
        """Return models and their objects."""
        shard = self.current()
        return (self._all() if shard is None else shard.objects).items()

    def _all(self) -> Objects:
        found: Objects = {}
        for shard in reversed(self._in_order()):
            for model, objects in list(shard.objects.items()):
                found[model] = {**objects, **found.get(model, {})} if model in found else dict(objects)
        return found


def twice_text(model: str, uid: str, first: str, second: str) -> str:
    """Return the message about an object that two shards have loaded."""
    return (
        f"{model} {uid} is in the shard {first} and in the shard {second}. Nothing was sealed. Correct what one of them loads, "
        "load it again, and seal again."
    )
