"""Text from data, so that a person sees every character of it: what has no shape, or turns the text around, is written out.

Names of records may hold anything. A direction mark makes `exe.fdp` read as `pdf.exe`; a zero-width space makes two names
look alike.
"""

from __future__ import annotations

import re

_SHAPELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Characters that count as printable and have no shape: joiners, fillers, blanks, variation selectors."""


def is_printable(char: str) -> bool:
    """Whether a person sees a character, as a letter, a sign or a plain space."""
    return char.isprintable() and not _SHAPELESS.match(char)


def printable(text: str) -> str:
    r"""The text with each character that nobody sees as its escape, such as `\u202e`."""
    if text.isprintable() and not _SHAPELESS.search(text):
        return text
    return "".join(char if is_printable(char) else ascii(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """The same of a text of several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))
