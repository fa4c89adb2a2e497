"""YAML files. Reading is fast and keeps nothing but the values; what is written again keeps comments, order and quotes.

Only what reads back as it is written becomes a number, and only `true` and `false` a boolean: `1.10`, `01`, `1e3`, `12:30`, `no` and
`2026-01-02` stay text, so that a name that looks like something else loses nothing. The type of a field turns text into its value.
"""

from __future__ import annotations

import functools
import importlib
import io
import re
from collections.abc import Iterator
from typing import Any

from diffsync_store.adapters.files.formats import FileFormat, InvalidFile, Row

_INT = re.compile(r"-?(?:0|[1-9]\d{0,17})\Z")
_FLOAT = re.compile(r"-?(?:0|[1-9]\d{0,8})\.(?:0|\d{0,5}[1-9])\Z")
_FIRST = frozenset("-0123456789tTfFnN~") | {""}
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_NULL_OF_TEXT = re.compile(r"[:-] +(null|~)(?=[\s,}\]])")
_OTHER_BREAK = re.compile("[\\x85\\u2028\\u2029]")
"""Breaks of lines that only double quotes keep."""
_WIDTH = 100_000
"""Lines are never broken."""


class YamlFile(FileFormat):
    """A YAML file: a list of records, one record, or what holds a list; each document of several is one of these."""

    keeps_one_record = True

    def rows(self) -> Iterator[Row]:
        documents = self._documents(self.text())
        if not any(document is not None for document in documents):
            raise InvalidFile("it is empty")
        for document in documents:
            if document is not None:
                yield from map(Row, self.records_in(document))

    def _documents(self, text: str) -> list[Any]:
        yaml = _pyyaml()
        try:
            return list(_Builder(text).documents())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise InvalidFile(
                f"it is not valid YAML: {error.problem or error}", 0 if mark is None else mark.line + 1
            ) from error
        except yaml.YAMLError as error:
            raise InvalidFile(f"it is not valid YAML: {error}") from error
        except RecursionError as error:
            raise InvalidFile("it is nested too deeply") from error

    def content(self) -> Any:
        from ruamel.yaml.error import YAMLError

        if len(self._documents(self.text())) > 1:
            raise InvalidFile("it has several documents, so it is read-only")
        try:
            return _ruamel(self.text()).load(self.text())
        except YAMLError as error:
            raise InvalidFile(f"it is not valid YAML: {error}") from error

    def dump(self, content: Any) -> bytes:
        before = self.text() if self.path.exists() else ""
        text = io.StringIO()
        _ruamel(before).dump(content, text)
        written = text.getvalue()
        return (written.replace("\n", "\r\n") if "\r\n" in before else written).encode(self.encoding())


def _ruamel(text: str) -> Any:
    """Return a reader and writer that keeps the style of a text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.util import load_yaml_guess_indent

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.explicit_start = text.startswith("---")
    _, indent, offset = load_yaml_guess_indent(text, yaml=YAML(typ="rt")) if text.strip() else (None, None, None)
    if offset:
        yaml.indent(mapping=indent - offset if indent and indent > offset else 2, sequence=offset + 2, offset=offset)
    elif indent:
        yaml.indent(mapping=indent, sequence=max(indent, 2), offset=0)
    null = _NULL_OF_TEXT.search(text)
    word = null[1] if null is not None else "" if text else "null"
    yaml.Representer = _representer(word)
    return yaml


@functools.cache
def _representer(null: str) -> Any:
    """Return a function that writes null as this word."""
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        def represent_none(self, data: Any) -> Any:
            return self.represent_scalar("tag:yaml.org,2002:null", null)

        def represent_str(self, data: Any) -> Any:
            style = '"' if _OTHER_BREAK.search(data) else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Representer.add_representer(type(None), Representer.represent_none)
    Representer.add_representer(str, Representer.represent_str)
    return Representer


def _pyyaml() -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError as error:
        raise ImportError("YAML files need the package pyyaml: pip install 'diffsync-store[files]'") from error


class _Builder:
    """Makes values from the events of PyYAML's parser, which is libyaml's where that is there."""

    def __init__(self, text: str) -> None:
        self._yaml = _pyyaml()
        loader = getattr(self._yaml, "CSafeLoader", self._yaml.SafeLoader)
        self._next = loader(text).get_event
        self._anchors: dict[str, Any] = {}
        self._scalar = self._yaml.ScalarEvent
        self._mapping = self._yaml.MappingStartEvent
        self._sequence = self._yaml.SequenceStartEvent
        self._end = (self._yaml.MappingEndEvent, self._yaml.SequenceEndEvent)

    def documents(self) -> Iterator[Any]:
        """Yield the value of each document."""
        while True:
            event = self._next()
            if isinstance(event, self._yaml.StreamEndEvent):
                return
            if isinstance(event, self._yaml.DocumentStartEvent):
                self._anchors = {}
                yield self._value(self._next())

    def _value(self, event: Any) -> Any:
        kind = type(event)
        if kind is self._scalar:
            found = _plain(event.value) if event.implicit[0] else self._tagged(event)
        elif kind is self._mapping:
            return self._filled(event, {})
        elif kind is self._sequence:
            return self._listed(event, [])
        else:  # an alias
            if event.anchor not in self._anchors:
                raise self._error(f"there is no anchor {event.anchor!r}", event)
            return self._anchors[event.anchor]
        if event.anchor:
            self._anchors[event.anchor] = found
        return found

    def _listed(self, event: Any, found: list[Any]) -> list[Any]:
        if event.anchor:
            self._anchors[event.anchor] = found
        while not isinstance(item := self._next(), self._end):
            found.append(self._value(item))
        return found

    def _filled(self, event: Any, found: dict[Any, Any]) -> dict[Any, Any]:
        if event.anchor:
            self._anchors[event.anchor] = found
        merged: list[Any] = []
        while not isinstance(item := self._next(), self._end):
            key = self._value(item)
            value = self._value(self._next())
            if key == "<<" and item.implicit[0]:
                merged += value if isinstance(value, list) else [value]
                continue
            if isinstance(key, dict | list):
                raise self._error("a key is a list or a mapping", item)
            if key in found:
                raise self._error(f"the key {key!r} occurs twice", item)
            found[key] = value
        for other in merged:
            if not isinstance(other, dict):
                raise self._error("`<<` takes a mapping, or a list of them", event)
            for key, value in other.items():
                found.setdefault(key, value)
        return found

    def _tagged(self, event: Any) -> Any:
        if event.tag is None or event.tag in {"!", "tag:yaml.org,2002:str"}:
            return event.value
        if event.tag.startswith("tag:yaml.org,2002:"):
            return _plain(event.value)
        raise self._error(f"the tag {event.tag!r} is not known", event)

    def _error(self, problem: str, event: Any) -> Exception:
        error: Exception = self._yaml.constructor.ConstructorError(None, None, problem, event.start_mark)
        return error


def _plain(text: str) -> Any:
    """Return the value of a text without quotes."""
    if text[:1] not in _FIRST:
        return text
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return _WORDS.get(text, text)
