"""Suggestions for mistyped names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(words: Iterable[str], known: Iterable[str]) -> str:
    """Return ` Did you mean 'name'?` for words that resemble a known name, else an empty string."""
    names = set(known)
    found = [close[0] for word in words if word not in names and (close := get_close_matches(word, names, 1))]
    return f" Did you mean {' and '.join(map(repr, found))}?" if found else ""
