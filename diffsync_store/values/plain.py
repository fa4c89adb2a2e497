"""Plain values: those that JSON represents unchanged."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

PLAIN = frozenset((str, int, float, bool, type(None)))
"""Types that JSON represents unchanged, without their subclasses. A `str` must also be valid Unicode: see `is_plain`."""

_STR = {str}

_ALWAYS_PLAIN = PLAIN - _STR

MAX_DEPTH = 150
"""Maximum levels of nesting. The JSON parser accepts 200, and a tag uses a level too."""

_MAX_DECIMAL_BITS = 4000
"""Maximum bits of an integer that is written in decimal: Python parses at most 4,300 digits."""


def is_plain(value: Any, left: int = MAX_DEPTH) -> bool:
    """Whether JSON represents the value unchanged, with at most `left` levels of nesting."""
    kind = type(value)
    if kind is str:
        return value.isascii() or is_unicode(value)
    if kind in PLAIN:
        return True
    if left <= 0:
        return False
    if kind is list:
        kinds = set(map(type, value))
        if kinds == _STR:
            text = "".join(value)
            return text.isascii() or is_unicode(text)
        return kinds <= _ALWAYS_PLAIN or all(is_plain(item, left - 1) for item in value)
    return kind is dict and are_untagged(value) and all(is_plain(item, left - 1) for item in value.values())


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded as UTF-8. A lone surrogate, which `os.fsdecode` may return, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def are_untagged(value: Mapping[Any, Any]) -> bool:
    """Whether all keys of a mapping are plain strings that are not mistaken for tags."""
    return all(type(key) is str and key[:1] != "~" and (key.isascii() or is_unicode(key)) for key in value)


def packed_scalar(value: Any, kind: type) -> Any:
    """Return an integer, text or other scalar as JSON; only long integers and invalid Unicode are changed."""
    if kind is int and value.bit_length() > _MAX_DECIMAL_BITS:
        return {"~int": hex(value)}
    if kind is str and not value.isascii() and not is_unicode(value):
        return {"~text": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    return value


READ_SCALARS: dict[str, Callable[[Any], Any]] = {
    "~int": lambda text: int(text, 16),
    "~text": lambda text: base64.b64decode(text).decode("utf-8", "surrogatepass"),
}
"""By tag: reads the scalars that `packed_scalar` changes."""


def unpacked_scalar(data: Any) -> Any:
    """Return the scalar that `packed_scalar` has written."""
    if type(data) in PLAIN:
        return data
    [(tag, content)] = data.items()
    return READ_SCALARS[tag](content)
