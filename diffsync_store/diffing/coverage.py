"""Which models can be compared by their digests."""

from __future__ import annotations

from diffsync_store._adapter_like import AdapterLike, is_stored
from diffsync_store.store.index.store_index import StoreIndex
from diffsync_store.store.record import ModelSchema


class Coverage:
    """A model is covered if its digests, and those of all models below it, are equal exactly when a diff finds no difference."""

    def __init__(self, adapters: tuple[AdapterLike, AdapterLike], indexes: tuple[StoreIndex, StoreIndex]) -> None:
        self._adapters = adapters
        self._schemas = tuple(index.schemas for index in indexes)
        self._known: dict[str, bool] = {}

    def covers(self, model: str) -> bool:
        """Whether a model is covered."""
        found = self._known.get(model)
        if found is None:
            found = self._known[model] = all(map(self._compares_the_same, self.with_models_below([model])))
        return found

    def with_models_below(self, models: list[str]) -> list[str]:
        """Return these models and all models of their children, on either side."""
        found, pending = dict[str, None](), models[::-1]
        while pending:
            name = pending.pop()
            if name not in found:
                found[name] = None
                for schemas in self._schemas:
                    pending += schemas[name].children if name in schemas else ()
        return list(found)

    def _compares_the_same(self, model: str) -> bool:
        source, target = (schemas.get(model) for schemas in self._schemas)
        if source is None or target is None:  # one side has no objects of the model, so none can be equal
            return True
        if not source.fingerprint or source.fingerprint != target.fingerprint:
            return False
        if source.children.keys() != target.children.keys():
            return False
        sides = zip(self._adapters, (source, target), strict=True)
        return all(_has_stored_schema(adapter, schema, model) for adapter, schema in sides)


def _has_stored_schema(adapter: AdapterLike, schema: ModelSchema, model: str) -> bool:
    """Whether the adapter's class compares the same as the class that wrote the objects."""
    if is_stored(adapter):
        return True
    declared = getattr(adapter, model, None)
    return declared is None or ModelSchema.of(declared).has_same_digests(schema)
