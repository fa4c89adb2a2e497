"""Transforms: a closed set of functions that a field's mapping names, applied in the given order to what was read.

    strip  lower  upper  title  slug            text
    {split: ","}  {join: "-"}                   text to list, list to text
    {regex: {pattern: "…", replace: "…"}}       text; the pattern comes from the file of the project, never from records
    {round: 2}                                  numbers, and text that is one
    sort  unique  first  length                 lists
    {prefix: "eth"}  {suffix: "…"}              text

A transform leaves None as it is. Where it takes text, a number is the text that a person writes for it. A value of another kind
than it takes is an error that rejects the record.

A value is written back by the inverse of `split`, `join`, `prefix` and `suffix`; `regex`, `first` and `length` have none, so their
field is not written unless the mapping says where. All others are written as they are: read again, they do not change.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from diffsync_store.suggestion import did_you_mean

Transform = Callable[[Any], Any]


REGEX_SECONDS = 1.0
"""How long a pattern may take for one value: with some patterns, some texts take centuries."""


class CannotInvert(ValueError):
    """A value has no form from which a transform makes it."""


class InvalidTransform(ValueError):
    """A transform does not exist, or has an argument that it does not take."""


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")


def _on_text(function: Callable[[str], Any], name: str) -> Transform:
    def apply(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            value = str(value)  # YAML reads `name: 1` as a number
        if not isinstance(value, str):
            raise TypeError(f"`{name}` takes text, and the value is {type(value).__name__}.")
        return function(value)

    return apply


def _on_list(function: Callable[[Sequence[Any]], Any], name: str) -> Transform:
    def apply(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            raise TypeError(f"`{name}` takes a list, and the value is {type(value).__name__}.")
        return function(value)

    return apply


def _round(places: Any) -> Transform:
    if isinstance(places, bool) or not isinstance(places, int):
        raise InvalidTransform(f"`round` takes a whole number of decimal places, not {places!r}.")

    def apply(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, str):
            value = _number(value)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise TypeError(f"`round` takes a number, and the value is {type(value).__name__}.")
        return round(value, places)

    return apply


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"`round` takes a number, not {text!r}.") from None


def _regex(argument: Any) -> Transform:
    if not isinstance(argument, Mapping) or set(argument) - {"pattern", "replace"} or "pattern" not in argument:
        raise InvalidTransform("`regex` takes `pattern`, and optionally `replace`.")
    pattern = _pattern(str(argument["pattern"]))
    if "replace" not in argument:
        return _on_text(_in_time(lambda text: _found(pattern, text), pattern), "regex")
    replacement = str(argument["replace"])
    try:
        _pattern(f"(?:{pattern.pattern})|").sub(replacement, "")
    except Exception as error:
        raise InvalidTransform(f"`regex`: the replacement {replacement!r} cannot be used: {error}.") from error
    return _on_text(_in_time(lambda text: pattern.sub(replacement, text, timeout=REGEX_SECONDS), pattern), "regex")


def _pattern(text: str) -> Any:
    try:
        regex: Any = importlib.import_module("regex")
    except ImportError as error:
        raise InvalidTransform("`regex` needs the package regex: pip install 'diffsync-store[mapping]'") from error
    try:
        return regex.compile(text)
    except regex.error as error:
        raise InvalidTransform(f"`regex`: the pattern {text!r} cannot be read: {error}.") from error


def _found(pattern: Any, text: str) -> str | None:
    match = pattern.search(text, timeout=REGEX_SECONDS)
    return None if match is None else match[1 if pattern.groups else 0]


def _in_time(function: Callable[[str], Any], pattern: Any) -> Callable[[str], Any]:
    def apply(text: str) -> Any:
        try:
            return function(text)
        except TimeoutError:
            raise ValueError(
                f"`regex`: the pattern {pattern.pattern!r} takes more than {REGEX_SECONDS:g} s for a text of {len(text)} characters. "
                "Do not nest repetitions, as in `(a+)+`."
            ) from None

    return apply


def _with_text(name: str, argument: Any, make: Callable[[str], Transform]) -> Transform:
    if not isinstance(argument, str):
        raise InvalidTransform(f"`{name}` takes text, not {argument!r}.")
    return make(argument)


def _split(separator: str) -> Transform:
    if not separator:
        raise InvalidTransform("`split` takes a separator of at least one character.")
    return _on_text(lambda text: [part for part in map(str.strip, text.split(separator)) if part], "split")


def _joined(items: Iterable[Any], separator: str) -> str:
    return separator.join(str(item) for item in items if item is not None)


def _unique(items: Sequence[Any]) -> list[Any]:
    try:
        return list(dict.fromkeys(items))
    except TypeError:  # items that are lists or mappings
        return [item for place, item in enumerate(items) if item not in items[:place]]


_WITHOUT_ARGUMENT: Mapping[str, Transform] = {
    "strip": _on_text(str.strip, "strip"),
    "lower": _on_text(str.lower, "lower"),
    "upper": _on_text(str.upper, "upper"),
    "title": _on_text(str.title, "title"),
    "slug": _on_text(_slug, "slug"),
    "sort": _on_list(sorted, "sort"),
    "unique": _on_list(_unique, "unique"),
    "first": _on_list(lambda items: items[0] if items else None, "first"),
    "length": _on_list(len, "length"),
}
_WITH_ARGUMENT: Mapping[str, Callable[[Any], Transform]] = {
    "split": lambda argument: _with_text("split", argument, _split),
    "join": lambda argument: _with_text(
        "join", argument, lambda text: _on_list(lambda items: _joined(items, text), "join")
    ),
    "prefix": lambda argument: _with_text(
        "prefix", argument, lambda text: _on_text(lambda value: text + value, "prefix")
    ),
    "suffix": lambda argument: _with_text(
        "suffix", argument, lambda text: _on_text(lambda value: value + text, "suffix")
    ),
    "round": _round,
    "regex": _regex,
}

TRANSFORM_NAMES = (*_WITHOUT_ARGUMENT, *_WITH_ARGUMENT)

TRANSFORM_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": list(_WITHOUT_ARGUMENT)},
        {
            "type": "object",
            "properties": {name: {} for name in _WITH_ARGUMENT},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ]
}
"""The JSON Schema of a declared transform."""


def compile_transform(declared: Any) -> Transform:
    """Return the function of a transform: a name, or a mapping of one name to its argument.

    Raises:
        InvalidTransform: there is no such transform, or its argument does not fit.
    """
    name, argument, has_argument = declared, None, False
    if isinstance(declared, Mapping) and len(declared) == 1:
        [(name, argument)] = declared.items()
        has_argument = True
    found = (_WITH_ARGUMENT if has_argument else _WITHOUT_ARGUMENT).get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidTransform(_unknown(name, has_argument=has_argument))
    return found(argument) if has_argument else found


def compile_inverse(declared: Any) -> Transform | None:
    """Return the function that reverses a transform; None if it cannot be reversed."""
    name, argument = next(iter(declared.items())) if isinstance(declared, Mapping) else (declared, "")
    if name in _WITHOUT_INVERSE:
        return None
    make = _INVERSES.get(name)
    return _as_it_is if make is None else make(argument)


def _as_it_is(value: Any) -> Any:
    return value


def _join_again(separator: str) -> Transform:
    def apply(items: Any) -> Any:
        if items is None:
            return None
        texts = [str(item) for item in items]
        bad = next((text for text in texts if separator in text), None)
        if bad is not None:
            raise CannotInvert(
                f"{bad!r} contains {separator!r}, the separator at which the value is split when it is read."
            )
        return separator.join(texts)

    return apply


def _without(affix: str, *, is_prefix: bool) -> Transform:
    has, remove = (str.startswith, str.removeprefix) if is_prefix else (str.endswith, str.removesuffix)

    def apply(value: Any) -> Any:
        if value is None:
            return None
        text = str(value)
        if not has(text, affix):
            where = "begin" if is_prefix else "end"
            raise CannotInvert(f"{text!r} does not {where} with {affix!r}, which is added when the value is read.")
        return remove(text, affix)

    return apply


_WITHOUT_INVERSE = frozenset({"regex", "first", "length"})
_INVERSES: Mapping[str, Callable[[Any], Transform]] = {
    "split": _join_again,
    "join": lambda separator: lambda value: value if value is None else str(value).split(separator),
    "prefix": lambda affix: _without(affix, is_prefix=True),
    "suffix": lambda affix: _without(affix, is_prefix=False),
}


def _unknown(name: Any, *, has_argument: bool) -> str:
    if isinstance(name, str) and name in TRANSFORM_NAMES:
        return (
            f"`{name}` takes no argument: write `- {name}`."
            if has_argument
            else f"`{name}` needs an argument: write `- {name}: …`."
        )
    return (
        f"There is no transform {name!r}.{did_you_mean(name, TRANSFORM_NAMES)} Use one of {', '.join(TRANSFORM_NAMES)}."
    )
