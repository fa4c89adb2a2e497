"""Make every character of a text from data visible: escape control characters, invisible ones and direction marks.

Names of records may contain any character. A direction mark makes `exe.fdp` look like `pdf.exe`; a zero-width space makes two
different names look the same.
"""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Invisible characters that `str.isprintable` accepts: joiners, fillers, blanks, variation selectors."""


def is_printable(char: str) -> bool:
    """Whether a character is visible, or a space."""
    return char.isprintable() and not _INVISIBLE.match(char)


def printable(text: str) -> str:
    r"""Return the text with each invisible character as its escape, such as `\u202e`."""
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(char if is_printable(char) else ascii(char)[1:-1] for char in text)


def with_notes(error: BaseException, message: str = "") -> str:
    """Return the message of an error and its notes, as sentences.

    Args:
        error: the error.
        message: what to say in place of its message.
    """
    parts = [message or str(error), *getattr(error, "__notes__", ())]
    return " ".join([*(_sentence(part) for part in parts[:-1]), parts[-1]])


def system_error(error: OSError) -> str:
    """Say which file cannot be used, or that the output of the command cannot be written."""
    where = "The output cannot be written" if error.filename is None else str(error.filename)
    return f"{where}: {error.strerror or error}"


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?", ":")) else f"{text}."


def printable_lines(text: str) -> str:
    """Return the same for a text with several lines, which are kept."""
    return "\n".join(map(printable, text.split("\n")))
