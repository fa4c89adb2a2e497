"""The nodes of a YAML document as plain data: dict, list, str, int, float, bool and None."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffsync_store.project.errors import Location
from diffsync_store.project.messages import is_secret_place
from diffsync_store.project.yaml_package import YAML, MappingNode, Node, ScalarNode, SequenceNode

MAX_DEPTH = 50
"""Maximum levels of lists and mappings."""
MAX_VALUES = 100_000
"""Maximum values of a file. Values of an alias count each time: a few lines of nested aliases can make billions."""

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TEXTS = {f"{_TAG}str", f"{_TAG}timestamp"}
_SCALARS = {*_TEXTS, *(f"{_TAG}{name}" for name in ("int", "float", "bool", "null"))}
_TAGS: dict[type[Node], set[str]] = {MappingNode: {f"{_TAG}map"}, SequenceNode: {f"{_TAG}seq"}, ScalarNode: _SCALARS}
"""The tags that a node may have."""
_TOO_MANY = f"more than {MAX_VALUES:,} values, those of aliases (*name, <<) counted each time. Use fewer aliases."
TOO_DEEP = f"more than {MAX_DEPTH} levels of lists and mappings. An alias must not contain itself."


class LimitExceeded(Exception):
    """The document has more values or levels than a file needs."""


class NodeReader:
    """Convert nodes to plain data."""

    def __init__(self) -> None:
        self.positions: dict[Location, tuple[int, int]] = {}
        """Line and column of each key and list item, counted from 1."""
        self.problems: list[tuple[Location, str, tuple[int, int]]] = []
        self._values = 0
        self._depth = 0
        self._constructor = YAML(typ="safe", pure=True).constructor

    def read(self, node: Node) -> Any:
        """Return the data of a document. Its problems are in `problems`."""
        try:
            return self._read(node, ())
        except LimitExceeded:
            return None

    def _read(self, node: Node, location: Location) -> Any:
        self.positions.setdefault(location, _position(node))
        if node.tag not in _TAGS[type(node)]:
            return self._problem(node, location, _unsupported_tag(str(node.tag), location))
        if isinstance(node, ScalarNode):
            self._count(location)
            return self._scalar(node, location)
        with self._level(location):
            if isinstance(node, MappingNode):
                return dict(self._pairs(node, location))
            return [self._read(item, (*location, index)) for index, item in enumerate(node.value)]

    @contextmanager
    def _level(self, location: Location) -> Iterator[None]:
        """Enter a collection; one that contains itself, through an alias, is too deep."""
        self._depth += 1
        self._count(location)
        yield
        self._depth -= 1

    def _count(self, location: Location) -> None:
        self._values += 1
        if self._values > MAX_VALUES or self._depth > MAX_DEPTH:
            message = TOO_DEEP if self._depth > MAX_DEPTH else _TOO_MANY
            self.problems.append((location[:1], message, self.positions[location[:1]]))
            raise LimitExceeded

    def _scalar(self, node: ScalarNode, location: Location) -> Any:
        if node.tag in _TEXTS:
            return str(node.value)
        try:
            return self._constructor.construct_object(node)
        except (ValueError, LookupError):
            kind = str(node.tag).removeprefix(_TAG)
            return self._problem(node, location, f"not a valid {kind}. Put a text into quotes.")

    def _pairs(self, node: MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        """Yield the keys with their values; those of `<<` come last, and replace none."""
        merged: list[Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif not isinstance(key, ScalarNode):
                self._problem(key, location, "a key must be a single word, not a list or a mapping")
            elif (at := (*location, str(key.value))) in self.positions:
                self._problem(key, at, "duplicate key. Remove one of them.")
            else:
                self.positions[at] = _position(key)
                yield str(key.value), self._read(value, at)
        for each in merged:
            yield from self._merged(each, location)

    def _merged(self, node: Node, location: Location) -> Iterator[tuple[str, Any]]:
        if not isinstance(node, MappingNode):
            self._problem(node, location, "<< needs a mapping, e.g. <<: *common, or a list of mappings")
            return
        with self._level(location):
            new = [pair for pair in node.value if (*location, str(pair[0].value)) not in self.positions]
            yield from self._pairs(MappingNode(node.ctag, new, node.start_mark, node.end_mark), location)

    def _problem(self, node: Node, location: Location, message: str) -> None:
        self.problems.append((location, message, _position(node)))


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _unsupported_tag(tag: str, location: Location) -> str:
    """Return the message of a tag; where secrets are, it may be a password that begins with `!`."""
    written = "a tag" if is_secret_place(location) else f"the tag {tag.replace(_TAG, '!!')}"
    return f"{written} is not supported here. Put a text that begins with ! into quotes; write a class as module:Class."
