"""Text from data, fit to be shown: names of records may hold anything."""

import re
from typing import Any

from diffsync_store.printable import printable

MARKDOWN = re.compile(r"([\\`*_\[\]()#!|~])")
LINK = re.compile(r":(?=//)|@|www(?=\.)", re.IGNORECASE)
"""What makes an address into a link by itself, also after a backslash or as a character reference."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Line ends and the like: a space in what is one line."""


def one_line(value: Any, longest: int = 200) -> str:
    """One line of limited length, characters that nobody sees written out; an empty text is shown as one."""
    text = printable(CONTROL.sub(" ", str(value)))
    if not text.strip():
        return '""'
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def escape_markdown(value: Any, longest: int = 200) -> str:
    """The same, with nothing in it that Markdown or HTML would read as its own."""
    text = one_line(value, longest).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = MARKDOWN.sub(r"\\\1", text)
    return LINK.sub(r"\g<0><!-- -->", text)


def markdown_table(header: tuple[str, ...], rows: list[tuple[Any, ...]], longest: int = 200) -> str:
    lines = [header, ("---",) * len(header), *(tuple(escape_markdown(cell, longest) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
