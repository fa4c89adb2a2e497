"""Adapters that are written for diffsync: classes of that package, which the library never imports itself."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from diffsync_store._adapter_like import diffsync_adapter
from diffsync_store.adapter import Adapter
from diffsync_store.store import BaseStore


def is_adapter_class(found: Any) -> bool:
    """Return whether something is an adapter class, of this library or of diffsync."""
    return isinstance(found, type) and (issubclass(found, Adapter) or is_of_diffsync(found))


def is_of_diffsync(found: type[Any]) -> bool:
    """Return whether an adapter class is one of diffsync."""
    base = diffsync_adapter()
    return base is not None and issubclass(found, base)


def accepted(found: type[Any], names: Collection[str]) -> list[str]:
    """Return those of the arguments that a class accepts by keyword."""
    parameters = inspect.signature(found).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return list(names)
    by_keyword = {each.name for each in parameters if each.kind is not each.POSITIONAL_ONLY}
    return [name for name in names if name in by_keyword]


def create(found: type[Any], name: str, store: BaseStore, settings: Mapping[str, Any]) -> Any:
    """Create an adapter of diffsync; its class need not accept a name and a store, nor pass them on."""
    given = {"name": name, "internal_storage_engine": store}
    adapter = found(**{key: given[key] for key in accepted(found, given)}, **settings)
    adapter.name = name
    adapter.store = store(adapter)
    return adapter
