"""Containers of the standard library besides `list` and `dict`: how JSON represents them."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from diffsync_store.values.errors import NotStorable

Part = Callable[[Any], Any]
"""Writes or reads a part of a container."""


@dataclass(frozen=True, slots=True)
class Container:
    """How containers of one type are written and read."""

    tag: str
    write: Callable[[Any, Part], Any]
    read: Callable[[Any, Part], Any]


def _of_items(tag: str, kind: Any) -> Container:
    return Container(
        tag, lambda value, part: [part(item) for item in value], lambda items, part: kind(map(part, items))
    )


def _of_set(tag: str, kind: Any) -> Container:
    def write(value: Any, part: Part) -> Any:
        return sorted((part(item) for item in value), key=to_json)

    return Container(tag, write, lambda items, part: kind(map(part, items)))


def _pairs(value: Mapping[Any, Any], part: Part) -> list[Any]:
    return [[part(key), part(item)] for key, item in value.items()]


def _read_pairs(pairs: Any, part: Part) -> list[tuple[Any, Any]]:
    return [(part(key), part(item)) for key, item in pairs]


def _of_pairs(tag: str, kind: Any) -> Container:
    return Container(tag, _pairs, lambda pairs, part: kind(_read_pairs(pairs, part)))


def _read_counter(pairs: Any, part: Part) -> Counter[Any]:
    return Counter(dict(_read_pairs(pairs, part)))


_FACTORIES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (bool, bytes, dict, float, frozenset, int, list, set, str, tuple, Counter, OrderedDict, deque)
}


def _written_defaultdict(value: defaultdict[Any, Any], part: Part) -> Any:
    factory: Any = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and _FACTORIES.get(name) is not factory:
        raise NotStorable("holds a defaultdict whose factory is not a built-in type")
    return [name, _pairs(value, part)]


def _read_defaultdict(content: Any, part: Part) -> defaultdict[Any, Any]:
    name, pairs = content
    return defaultdict(None if name is None else _FACTORIES[name], _read_pairs(pairs, part))


CONTAINERS: dict[type[Any], Container] = {
    tuple: _of_items("~tuple", tuple),
    set: _of_set("~set", set),
    frozenset: _of_set("~frozenset", frozenset),
    OrderedDict: _of_pairs("~ordered", OrderedDict),
    Counter: Container("~counter", _pairs, _read_counter),
    defaultdict: Container("~defaultdict", _written_defaultdict, _read_defaultdict),
    deque: Container(
        "~deque",
        lambda value, part: [value.maxlen, [part(item) for item in value]],
        lambda content, part: deque(map(part, content[1]), content[0]),
    ),
}

READ_CONTAINERS: dict[str, Callable[[Any, Part], Any]] = {
    container.tag: container.read for container in CONTAINERS.values()
} | {"~dict": lambda pairs, part: dict(_read_pairs(pairs, part))}
