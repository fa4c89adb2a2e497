"""Paths into records: where the value of a field is found, and where it is written.

    name                    a key of the record
    "Serial no."            a key with blanks or other characters, in quotes
    manufacturer.name       a key of a record inside it
    $parent.model           a field of the object that the record stands below
    $file.stem              what the adapter adds to its records: each adapter's page says what
    tags[].slug             anything else is a JMESPath expression: https://jmespath.org

A path that leads nowhere gives None, as in JMESPath. A path is data: nothing of it is evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

Record = Mapping[str, Any]
Getter = Callable[[Record, Any], Any]
"""Takes a record and the object above it, which is None at the top."""
Setter = Callable[[dict[str, Any], Any], None]

PARENT = "$parent."
_KEY = r'[^\W\d][\w-]*|"[^"\\]+"'
_PLAIN = re.compile(rf"(?:{_KEY})(?:\.(?:{_KEY}))*")
_KEYS = re.compile(_KEY)
_ADDED = re.compile(r"\$[a-z]+\.[A-Za-z_]\w*")


class InvalidPath(ValueError):
    """A path cannot be read."""


def is_plain(path: str) -> bool:
    """True for keys with dots between them: the paths that can be written too."""
    return bool(_PLAIN.fullmatch(path))


def compile_getter(path: str) -> Getter:
    """Return a function that reads the value at a path.

    Raises:
        InvalidPath: the path cannot be read, or the package `jmespath` is needed and missing.
    """
    if path.startswith(PARENT):
        return _of_parent(path.removeprefix(PARENT))
    if not is_plain(path) and not _ADDED.fullmatch(path):
        return _by_jmespath(path)
    first, *rest = path.split(".") if path.startswith("$") else keys_of(path)
    if not rest:
        return lambda record, _parent: record.get(first)
    if len(rest) == 1:
        return _of_two(first, rest[0])
    return _of_many(first, rest)


def compile_setter(path: str) -> Setter:
    """Return a function that puts a value at a plain path into a payload.

    Raises:
        InvalidPath: only plain paths can be written.
    """
    if not is_plain(path):
        raise InvalidPath(f"The path {path!r} can be read only. Give a plain path such as `status.value` as `write`.")
    *above, last = keys_of(path)

    def put(payload: dict[str, Any], value: Any) -> None:
        for key in above:
            payload = payload.setdefault(key, {})
        payload[last] = value

    return put


def keys_of(path: str) -> list[str]:
    """Return the keys of a plain path, without quotes."""
    return [key.strip('"') for key in _KEYS.findall(path)]


def first_keys(path: str) -> set[str]:
    """Return the keys of a record without which a path leads nowhere; not those of alternatives, as in `a || b`."""
    if path.startswith("$"):
        return set()
    return {keys_of(path)[0]} if is_plain(path) else set(_first_keys(_compiled(path).parsed))


_BEGINS_AT_THE_RECORD = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten", "pipe"}
)
"""Kinds of JMESPath's expressions of which only the first part reads the record itself."""


def _first_keys(expression: Mapping[str, Any]) -> Iterator[str]:
    kind, parts = expression["type"], expression["children"]
    if kind == "field":
        yield expression["value"]
    elif kind not in {"or_expression", "expref"}:
        for part in parts[:1] if kind in _BEGINS_AT_THE_RECORD else parts:
            yield from _first_keys(part)


def _of_two(first: str, second: str) -> Getter:
    def get(record: Record, _parent: Any) -> Any:
        inner = record.get(first)
        return inner.get(second) if isinstance(inner, Mapping) else None

    return get


def _of_many(first: str, rest: list[str]) -> Getter:
    def get(record: Record, _parent: Any) -> Any:
        value = record.get(first)
        for key in rest:
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value

    return get


def _of_parent(field: str) -> Getter:
    if not field.isidentifier() or field.startswith("_"):
        raise InvalidPath(f"{PARENT}{field}: name one field of the parent, such as `$parent.name`.")

    def get(_record: Record, parent: Any) -> Any:
        if parent is None:
            raise ValueError(f"`{PARENT}{field}` needs a parent, but the record has none.")
        return getattr(parent, field)

    return get


def _by_jmespath(path: str) -> Getter:
    expression = _compiled(path)
    return lambda record, _parent: expression.search(record)


@lru_cache(maxsize=1024)
def _compiled(path: str) -> Any:
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError as error:
        raise InvalidPath(
            f"The path {path!r} needs the package jmespath: pip install 'diffsync-store[mapping]'"
        ) from error
    try:
        return jmespath.compile(path)
    except JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise InvalidPath(
            f"The path {path!r} is neither plain, as `site.name`, nor JMESPath: {reason}. Write a key with blanks in double quotes, "
            "inside the quotes of YAML: '\"Serial no.\"'."
        ) from error
