"""PythonAdapter: records from any function that yields mappings, such as a generator, a dlt resource, a DataFrame's records."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from diffsync_store.adapters.mapped import AdapterSettings, MappedAdapter
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper


class PythonSettings(AdapterSettings):
    """Which module has the functions."""

    module: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    """The module's import path; `from` of a model names a function in it."""
    arguments: dict[str, Any] = {}
    """Keyword arguments for each function."""


class PythonAdapter(MappedAdapter):
    """Reads what functions yield. It does not write."""

    Settings = PythonSettings
    settings: PythonSettings

    def read(self, mapper: Mapper) -> Iterable[Record]:
        name = mapper.mapping.source or mapper.model.get_type()
        module = importlib.import_module(self.settings.module)
        function = None if name.startswith("_") else getattr(module, name, None)
        if not callable(function):
            raise LookupError(  # noqa: TRY004  # it is the name that is wrong
                f"The module {self.settings.module} has no function {name!r} to read {mapper.model.get_type()} from."
            )
        for record in function(**self.settings.arguments):
            if not isinstance(record, Mapping):
                raise TypeError(f"{self.settings.module}.{name} yields {type(record).__name__}, not a mapping.")
            yield record
