"""Pair names that mean the same thing: `device_types.csv` and `dcim/device-types`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

_ALIKE = 0.85
"""Similarity from which two names count as the same, as `difflib` measures it."""
_ADDED_ENDS = ("name", "id", "key", "slug")


def noun_of(name: str) -> str:
    """Return the singular noun of a table, an endpoint or a file: `device_type` for `dcim/device-types/`."""
    last = name.rstrip("/").rpartition("/")[2]
    return _singular(_words(last)) or "record"


def pair_names(source: Sequence[str], target: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of a source's and a target's collections; each one is in one pair at most."""
    return list(_pairs([(name, noun_of(name)) for name in source], [(name, noun_of(name)) for name in target]))


def pair_fields(source: Iterable[str], target: Iterable[str]) -> dict[str, str]:
    """Return a source's field for each target's field that has a counterpart: `site_name` for `site`."""
    left, right, found = list(source), list(target), {}
    for noun in (_words, _without_end):
        for here, there in list(_pairs([(name, noun(name)) for name in left], [(name, noun(name)) for name in right])):
            found[there] = here
            left.remove(here)
            right.remove(there)
    return found


def _pairs(source: Sequence[tuple[str, str]], target: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names by the nouns beside them, the surest first."""
    left, right = dict(source), dict(target)
    for is_same in (_equal, _same_tail, _similar):
        for name, noun in list(left.items()):
            match = next((other for other, other_noun in right.items() if is_same(noun, other_noun)), None)
            if match is not None:
                del left[name], right[match]
                yield name, match


def _equal(noun: str, other: str) -> bool:
    return noun.replace("_", "") == other.replace("_", "")


def _same_tail(noun: str, other: str) -> bool:
    """Return whether two names end with the same noun: a table of an application has its name before it, as `dcim_devicetype`."""
    return other.endswith(f"_{noun.replace('_', '')}") or noun.endswith(f"_{other.replace('_', '')}")


def _similar(noun: str, other: str) -> bool:
    return SequenceMatcher(None, noun, other).ratio() >= _ALIKE


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _split_capitals(name).lower()).strip("_")


def _without_end(name: str) -> str:
    words = _words(name)
    stem, _, end = words.rpartition("_")
    return stem if stem and end in _ADDED_ENDS else words


def _split_capitals(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)


def _singular(noun: str) -> str:
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    if noun.endswith(("sses", "xes", "uses", "ches")):
        return noun[:-2]
    return noun if noun.endswith("ss") else noun.removesuffix("s")
