"""Suggestions for mistyped names."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ` Did you mean 'name'?` if a known name resembles the word, else an empty text."""
    close = get_close_matches(str(word), list(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""
