"""A mapping over the records of Nautobot: choices are their values, tags are their names."""

from __future__ import annotations

from typing import Any

from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import Getter, Record, compile_getter, is_plain
from diffsync_store.mapping.records import Mapper, RecordMapping

CUSTOM_FIELDS = "custom_fields"
TAGS = "tags"
_INCLUDED = ("computed_fields", "relationships", "config_context")
"""What Nautobot adds to a record on request only."""
_CHOICE = frozenset({"value", "label"})
_DEEPEST = 10
"""Nautobot's greatest `depth`."""


class NautobotMapper(Mapper):
    """A mapping that knows the paths that it reads. Threads may share it."""

    def __init__(self, model: type[DeclaredModel], mapping: RecordMapping) -> None:
        self.paths: list[str] = []
        super().__init__(model, mapping, compile_path=self._compile)

    def _compile(self, path: str) -> Getter:
        self.paths.append(path)
        if path == TAGS:
            return _names_of_tags
        read = compile_getter(path)
        return lambda record, parent: plain(read(record, parent))

    @property
    def heads(self) -> list[str]:
        """Return the keys of a record that plain paths begin with."""
        return list(dict.fromkeys(path.partition(".")[0] for path in self.paths if is_plain(path)))

    @property
    def nested(self) -> set[str]:
        """Return the keys under which a record names other records or choices."""
        dotted = {path.partition(".")[0] for path in self.paths if is_plain(path) and "." in path}
        return dotted - {CUSTOM_FIELDS, *_INCLUDED}

    @property
    def depth(self) -> int:
        """Return the number of levels of nested records that Nautobot has to include."""
        levels = [path.count(".") for path in self.paths if not path.startswith((f"{CUSTOM_FIELDS}.", *_INCLUDED))]
        return min(max([*levels, 1 if TAGS in self.heads else 0], default=0), _DEEPEST)

    @property
    def included(self) -> list[str]:
        """Return the optional parts that Nautobot has to include in its records."""
        return [name for name in _INCLUDED if any(path.startswith(name) for path in self.paths)]


def plain(value: Any) -> Any:
    """Return a choice as its value; everything else as it is."""
    return value["value"] if isinstance(value, dict) and value.keys() == _CHOICE else value


def _names_of_tags(record: Record, _parent: Any) -> Any:
    tags = record.get(TAGS)
    return None if tags is None else [tag["name"] for tag in tags]
