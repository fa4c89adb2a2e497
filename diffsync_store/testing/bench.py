"""Bench: loads, compares and syncs a system under test, and checks what it has afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

from diffsync_store.adapter import Adapter
from diffsync_store.agents import Agent
from diffsync_store.diff import Diff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import ObjectAlreadyExists
from diffsync_store.hooks import hook
from diffsync_store.journal import Journal
from diffsync_store.lifecycle import opened
from diffsync_store.model import DiffSyncModel
from diffsync_store.result import SyncResult
from diffsync_store.store.base import BaseStore
from diffsync_store.store.local import LocalStore
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.sync import Sync
from diffsync_store.testing.hook_calls import HookCalls, watched
from diffsync_store.testing.sample import Record, Sample
from diffsync_store.testing.system import ABILITIES, SystemUnderTest

if TYPE_CHECKING:
    from diffsync_store.diffs import SavedDiff  # needs the redis package

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE


class Bench:
    """The work of a case. One thread uses it.

    Args:
        system: the system under test.
        samples: the samples of its models, those that others need first.
    """

    def __init__(self, system: SystemUnderTest, samples: Sequence[Sample]) -> None:
        self.system = system
        self.samples = {sample.model: sample for sample in samples}
        self._open: dict[int, ExitStack] = {}
        self.models = self.adapter()
        """An adapter for its models alone."""

    def __repr__(self) -> str:
        return f"<bench of {type(self.system).__name__}>"

    def clear(self) -> None:
        """Delete all records of the sampled models, dependants first."""
        for record in reversed(self.seen()):
            self.system.remove(record)

    # Records

    def some_of_each(self, count: int = 2, *, second: bool = False) -> list[Record]:
        """Return the first records of each model. The models that others need have their first attributes' record number 0."""
        return [record for sample in self.samples.values() for record in sample.records(count, second=second)]

    def with_needs(self, records: Iterable[Record]) -> list[Record]:
        """Return records with those that they need, in an order in which they can be created."""
        wanted = {(record.model, _key(record)): record for record in records}
        for model in {model for model, _ in wanted}:
            for needed in self.needed_by(model):
                record = self.samples[needed].record()
                wanted.setdefault((needed, _key(record)), record)
        return [record for model in self.samples for (of, _), record in wanted.items() if of == model]

    def needed_by(self, model: str) -> set[str]:
        """Return the models that records of a model need, directly or through others."""
        needs = self.samples[model].needs
        return set(needs).union(*map(self.needed_by, needs))

    def cannot(self, sample: Sample | None, ability: str) -> str:
        """Return why the system, or a model, cannot do something; empty if it can.

        Args:
            sample: the sample of the model; None for all models.
            ability: a name in `ABILITIES`.

        Raises:
            ValueError: the system or a sample names something else as what it cannot do.
        """
        samples = [sample] if sample is not None else list(self.samples.values())
        limits = {type(self.system).__name__: self.system.cannot} | {one.model: one.cannot for one in samples}
        for name, reasons in limits.items():
            unknown = sorted(reasons.keys() - ABILITIES.keys())
            if unknown:
                raise ValueError(f"`cannot` of {name} names {unknown[0]!r}. Use one of {', '.join(ABILITIES)}.")
            if ability in reasons:
                return f"{name} cannot do {ability!r} ({ABILITIES[ability]}): {reasons[ability]}"
        return ""

    # The system

    def put(self, records: Iterable[Record]) -> None:
        """Put records, and those that they need, into the system."""
        for record in self.with_needs(records):
            self.system.put(record)

    def seen(self) -> list[Record]:
        """Return all records that the system has now."""
        found = []
        for name in self.samples:
            identifiers = _model(self.models, name)._identifiers
            for fields in self.system.records(name):
                ids = {field: fields[field] for field in identifiers}
                attributes = {field: value for field, value in fields.items() if field not in identifiers}
                found.append(Record(name, ids, attributes))
        return found

    # Adapters

    def adapter(self, store: BaseStore | None = None) -> Adapter:
        """Return a new adapter that has loaded nothing."""
        return self.system.make_adapter(LocalStore() if store is None else store)

    def load(self, store: BaseStore | None = None) -> Adapter:
        """Return a new adapter that has loaded the system, and stays open until the end of the case."""
        adapter = self.adapter(store)
        self._open[id(adapter)] = stack = ExitStack()
        stack.enter_context(opened(adapter))
        return self.load_with(adapter)

    def load_with(self, adapter: Adapter) -> Adapter:
        """Load the system with an adapter; return it."""
        with adapter.store.loading(), opened(adapter):
            adapter.load()
        return adapter

    def try_load(self, adapter: Adapter) -> Exception | None:
        """Load the system with an adapter; return the error that the load raises, if it does."""
        try:
            self.load_with(adapter)
        except Exception as error:  # noqa: BLE001  # any error of any client
            return error
        return None

    def close(self, adapter: Adapter) -> str:
        """Close an adapter and its store; return the store's id, by which another process finds it."""
        self._open.pop(id(adapter), ExitStack()).close()
        adapter.store.close()
        return adapter.store.store_id or ""

    def close_all(self) -> None:
        """Close the adapters that are still open."""
        while self._open:
            self._open.popitem()[1].close()

    def wanted(self, records: Iterable[Record], store: BaseStore | None = None) -> Adapter:
        """Return an adapter that holds records, and those that they need, without a call of the system."""
        return self._holding(self.with_needs(records), store)

    def _holding(self, records: Iterable[Record], store: BaseStore | None = None, *, name: str = "wanted") -> Adapter:
        adapter = self._without_system(name, store)
        with adapter.store.loading():
            for record in records:
                obj = _model(adapter, record.model)(**record.fields)
                try:
                    adapter.add(obj)
                except ObjectAlreadyExists:
                    raise AssertionError(f"The system has {record.model} {obj.get_unique_id()!r} twice.") from None
                parent = self._parent(adapter, record)
                if parent is not None:
                    parent.add_child(obj)
        return adapter

    def _without_system(self, name: str, store: BaseStore | None) -> Adapter:
        """Return an adapter with the models of the adapter under test, and no system."""
        adapter = Adapter(name, LocalStore() if store is None else store)
        adapter.top_level = self.models.top_level  # type: ignore[misc]  # of this adapter alone
        models = list(self.models.top_level)
        for model in models:  # the list grows by the children
            setattr(adapter, model, _model(self.models, model))
            models += [child for child in _model(self.models, model)._children if child not in models]
        return adapter

    def _parent(self, adapter: Adapter, record: Record) -> DiffSyncModel | None:
        for name, sample in self.samples.items():
            if record.model in _model(adapter, name)._children:
                return adapter.get_or_none(_model(adapter, name), dict(sample.identifiers(0)))
        return None

    def look_up(self, adapter: Adapter, model: str, records: Iterable[Record]) -> list[dict[str, Any] | None] | None:
        """Return what the lookup of a model returns for each record; None if it cannot look up."""
        of, ids = _model(adapter, model), [record.identifiers for record in records]
        many, one = hook(of, "lookup_many"), hook(of, "lookup")
        with opened(adapter):
            found: Any = NotImplemented if many is None else many(adapter, ids)
            if found is NotImplemented and one is not None:
                found = [one(adapter, each) for each in ids]
        if found is NotImplemented or any(now is NotImplemented for now in found):
            return None
        return [found.get(of.create_unique_id(**each)) for each in ids] if isinstance(found, Mapping) else list(found)

    def watching(self, adapter: Adapter) -> AbstractContextManager[HookCalls]:
        """Watch the calls of an adapter's hooks for the time of the block."""
        return watched([_model(adapter, name) for name in self.samples])

    # Syncs

    def sync(self, records: Iterable[Record], target: Adapter | None = None, **options: Any) -> SyncResult:
        """Make the system hold these records, those that they need, and no others.

        Args:
            records: the records.
            target: the loaded adapter; by default a new one.
            options: as of `SyncOptions`.
        """
        target = target or self.load()
        source = self.wanted(records)
        return self.apply(target.diff_from(source), source, target, **options)

    def apply(
        self,
        diff: Diff,
        source: Adapter,
        target: Adapter,
        *,
        journal: Journal | None = None,
        flags: DiffSyncFlags = GO_ON,
        **options: Any,
    ) -> SyncResult:
        """Apply a diff, with two retries unless the options say otherwise."""
        return Sync(diff, source, target, _options(options), journal=journal, flags=flags).run()

    def apply_saved(
        self, saved: SavedDiff, source: Adapter, target: Adapter, *, agent: Agent | None = None, **options: Any
    ) -> SyncResult:
        """Apply a saved diff, as `apply` does; as one of several agents, if one is given. Threads may call it."""
        return saved.apply(source, target, options=_options(options), flags=GO_ON, agent=agent)

    def sync_all(self, records: Iterable[Record], target: Adapter | None = None, **options: Any) -> SyncResult:
        """Sync, and require that every operation is done and that the system holds the records."""
        records = list(records)
        result = self.sync(records, target, **options)
        assert result.is_complete, f"The sync left operations undone: {_rejects(result)}"
        self.require_system(records)
        self.require_no_difference(records)
        return result

    # Checks

    def require_system(self, records: Iterable[Record]) -> None:
        """Require that the system holds these records, those that they need, and no others, each once."""
        diff = self._holding(self.seen(), name="found").diff_from(self.wanted(records))
        assert not diff.has_diffs(), f"The system does not hold what it should:\n{diff.str()}"

    def require_no_difference(self, records: Iterable[Record], target: Adapter | None = None) -> None:
        """Require that a new load finds these records, those that they need, and no others."""
        diff = (target or self.load()).diff_from(self.wanted(records))
        assert not diff.has_diffs(), (
            "A new load finds other records than the system should hold, so every sync would change them again:\n"
            f"{diff.str()}"
        )


def _options(given: Mapping[str, Any]) -> SyncOptions:
    return SyncOptions(**{"retries": 2, "backoff": 0.01, **given})


def _model(adapter: Adapter, name: str) -> type[DiffSyncModel]:
    found: type[DiffSyncModel] = getattr(adapter, name)
    return found


def _key(record: Record) -> tuple[str, ...]:
    return tuple(map(repr, record.identifiers.values()))


def _rejects(result: SyncResult) -> str:
    found = [f"{reject.action} {reject.model} {reject.unique_id}: {reject.reason}" for reject in result.rejects]
    return "; ".join([*found, *result.next_steps(), result.stopped])
