"""Names that may have been meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def meant(words: Iterable[str], known: Iterable[str]) -> str:
    """What may have been meant by words that are not among those that are known; empty where nothing is like them."""
    names = set(known)
    found = [close[0] for word in words if word not in names and (close := get_close_matches(word, names, 1))]
    return f"; {' and '.join(map(repr, found))} may be meant" if found else ""
