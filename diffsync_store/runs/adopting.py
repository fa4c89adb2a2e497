"""Adopt what both sides of a sync have in common, as the file declares its field rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

from diffsync_store.field_rules import Adopter, Adoption, Counts
from diffsync_store.project import SyncContext, UserError
from diffsync_store.store import BaseStore
from diffsync_store.store.redis import Lease, target_lease
from diffsync_store.store.redis.memory import RedisTargetMemory
from diffsync_store.stored_adapter import StoredAdapter

_BATCH = 1000
_LEASE_SECONDS = 30.0


class Adopting:
    """One adoption. For one thread.

    Args:
        context: the project.
        sync_name: the sync.
        objects: whether objects are adopted too, so that a later sync may delete them.

    Raises:
        UserError: the sync has no field rule that needs it.
    """

    def __init__(self, context: SyncContext[Any], sync_name: str, *, objects: bool) -> None:
        self._context = context
        self._name = sync_name
        self.declared = context.project.sync(sync_name)
        rules = context.project.field_rules(self.declared.source, self.declared.target)
        _require_use(sync_name, has_values=rules.remembers_any_values, has_own=rules.deletes_any_own, objects=objects)
        self.memory = RedisTargetMemory(context.connection.client, self.declared.target, context.project.namespace)
        self._lease: Lease | None = None
        self._adopter = Adopter(rules, self.memory, self.declared.source, objects=objects)

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Hold the lease of the target: take it before the stores are loaded, so that no sync changes the target until the end.

        Raises:
            LeaseHeld: a sync changes the target, and the memory with it.
        """
        leases, reason = self._context.leases(), f"adopt {self._name}"
        with leases.take(target_lease(self.declared.target), reason, ttl=_LEASE_SECONDS) as self._lease:
            yield

    def count(self, store_ids: Mapping[str, str]) -> Counts:
        """Count what would be adopted.

        Args:
            store_ids: the stores of the source and the target, by the name of the adapter.
        """
        counts = Counts()
        with self._stores(store_ids) as (source, target):
            found = self._adopter.find(source, target)
            while batch := list(islice(found, _BATCH)):
                counts.add(batch)
        return counts

    def run(self, store_ids: Mapping[str, str], by: str) -> Adoption:
        """Adopt it, within `lease`. Nothing is changed in the target.

        Args:
            store_ids: as for `count`.
            by: who adopts.

        Raises:
            LeaseLost: somebody else may change the target.
        """
        with self._stores(store_ids) as (source, target):
            if self._lease is None:
                raise RuntimeError("Take the `lease` of the target first.")
            self._lease.check()
            return self._adopter.adopt(source, target, sync=self._name, by=by, now=self.memory.now)

    @contextmanager
    def _stores(self, store_ids: Mapping[str, str]) -> Iterator[tuple[BaseStore, BaseStore]]:
        with (
            self._context.open_store(store_ids[self.declared.source]) as source,
            self._context.open_store(store_ids[self.declared.target]) as target,
        ):
            adapters = StoredAdapter(source), StoredAdapter(target)
            yield adapters[0].store, adapters[1].store


def _require_use(sync_name: str, *, has_values: bool, has_own: bool, objects: bool) -> None:
    if objects and not has_own:
        raise UserError(
            f"The sync {sync_name} may delete all objects, so it needs none of its own. Set `deletes: own`, or leave out --objects."
        )
    if not has_values and not has_own:
        raise UserError(
            f"The sync {sync_name} remembers nothing, because it has neither `unless_changed` nor `deletes: own`."
        )
    if not has_values and not objects:
        raise UserError(
            f"No attribute of the sync {sync_name} has the rule `unless_changed`. To adopt objects, add --objects."
        )
