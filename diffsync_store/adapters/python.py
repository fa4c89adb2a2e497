"""PythonAdapter: records from anything in Python that yields mappings: a function, a generator, a list, a dlt resource, a DataFrame.

`from` of a model is `module:name`; with the setting `module`, the name alone. What is found is called with the arguments as keyword
arguments, or iterated over if it cannot be called, or if it can be iterated over and there are no arguments.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from diffsync_store.adapters.mapped import AdapterSettings, MappedAdapter, MappedModel
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper, RecordMapping

_NAME = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_SOURCE = re.compile(rf"(?:({_NAME}):)?([A-Za-z_]\w*)")


class NoSuchFunction(LookupError, ValueError):
    """`from` names no function."""


class PythonSettings(AdapterSettings):
    """Where the functions are, and what they are called with."""

    module: str = Field("", pattern=rf"^(?:{_NAME})?$")
    """The import path of the module of those functions whose `from` names no module."""
    arguments: dict[str, Any] = {}
    """Keyword arguments for each function."""


class PythonRecords(RecordMapping):
    """Which function yields the records of a model."""

    arguments: dict[str, Any] = {}
    """Keyword arguments for this function, besides those of the settings."""


class PythonAdapter(MappedAdapter):
    """Reads what functions yield. It does not write. One thread loads."""

    Settings = PythonSettings
    Records = PythonRecords
    settings: PythonSettings
    shard_is = "a keyword argument"

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        if not (mapping.list_path or mapping.lookup_only):
            self._found(mapping.source or model._modelname)
        return super().make_mapper(model, mapping)

    def read(self, mapper: Mapper) -> Iterable[Record]:
        source = mapper.mapping.source or mapper.model.get_type()
        own = mapper.mapping.arguments if isinstance(mapper.mapping, PythonRecords) else {}
        part = self.part_of(mapper)
        for value in () if part is None else part.values:
            given = {**self.settings.arguments, **own, mapper.mapping.shard: value}
            yield from _items(_called(self._found(source), source, given), source)
        if part is None:
            yield from _items(_called(self._found(source), source, {**self.settings.arguments, **own}), source)

    def _found(self, source: str) -> Any:
        match = _SOURCE.fullmatch(source)
        module = "" if match is None else match[1] or self.settings.module
        if match is None or not module:
            raise NoSuchFunction(
                f"`from: {source}` names no function. Write `module:function`, or set `module` under `settings`."
            )
        try:
            found = None if match[2].startswith("_") else getattr(importlib.import_module(module), match[2], None)
        except ModuleNotFoundError as error:
            raise NoSuchFunction(
                f"`from: {source}`: there is no module {error.name!r}. Correct the path, install its package, or add "
                "its folder to PYTHONPATH."
            ) from error
        if found is None:
            raise NoSuchFunction(f"The module {module} has no function {match[2]!r}. Correct `from: {source}`.")
        return found


def _called(found: Any, source: str, arguments: Mapping[str, Any]) -> Any:
    if isinstance(found, Iterable) and not isinstance(found, type) and not arguments:
        return found
    if not callable(found):
        raise TypeError(f"`from: {source}` cannot be called, so it takes no arguments. Remove `arguments`.")
    return found(**arguments)


def _items(found: Any, source: str) -> Iterator[Record]:
    """Yield the records of an iterable, of lists of them, or of a table of pandas or polars."""
    for item in _rows(found, source):
        if isinstance(item, list | tuple):
            yield from item
        else:
            yield item


def _rows(found: Any, source: str) -> Iterable[Any]:
    if hasattr(found, "to_dicts"):  # polars
        return found.to_dicts()  # type: ignore[no-any-return]
    if hasattr(found, "to_dict") and hasattr(found, "columns"):  # pandas
        return map(_without_nan, found.to_dict("records"))
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        raise TypeError(
            f"`from: {source}` returns {type(found).__name__}, not records. Return a list or a generator of mappings."
        )
    return found


def _without_nan(row: Mapping[str, Any]) -> Record:
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
