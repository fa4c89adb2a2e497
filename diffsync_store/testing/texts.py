"""Texts that systems and adapters tend to change or to stumble over."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, str] = {
    "unicode": "Zürich 東京 Ωμέγα",
    "emoji": "👩‍🚀 rack 1",
    "combining": "Cafe\u0301",
    "right to left": "שלום",
    "quotes": 'it\'s "so" `here` «there»',
    "slashes": "ge-0/0/1\\2",
    "dots": "../up/./x.",
    "separators": "a,b;c|d:e=f#g",
    "url": "a?b=c&d=%20+e%2F",
    "code": "'; DROP TABLE x; -- ${HOME} {x} %s <b>$(id)</b>",
    "wildcards": "50% of * and _ [a-z]?",
    "double underscore": "a__b",
    "number": "007",
    "exponent": "1e5",
    "null": "null",
    "bool": "no",
    "date": "2024-01-01",
    "formula": "=1+1",
    "dash": "-x",
    "blank": "",
    "blanks around": "  x  ",
    "line breaks": "one\ntwo\tthree",
    "long": "",
}
"""By name; the long one is as long as the sample says."""
