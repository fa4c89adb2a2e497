"""The records that a function yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diffsync_store.adapters.discovery.collection import Collection
from diffsync_store.adapters.discovery.samples import collection_of, sample
from diffsync_store.adapters.python import PythonAdapter


class FunctionDiscovery:
    """Looks at what one function of a module yields."""

    def __init__(self, settings: Mapping[str, Any], function: str) -> None:
        self.settings = settings
        self._function = function

    def names(self) -> Sequence[str]:
        """Return the name of the function."""
        return [self._function]

    def describe(self, name: str) -> Collection:
        """Return the fields of its first records."""
        return collection_of(name, name, sample(PythonAdapter, self.settings, {"from": name}))

    def close(self) -> None:
        """Nothing is open."""
