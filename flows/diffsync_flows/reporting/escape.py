"""Make text from data safe to show: names of records may contain anything."""

import re
from typing import Any

from diffsync_store.printable import printable

MARKDOWN = re.compile(r"([\\`*_\[\]()#!|~])")
LINK = re.compile(r":(?=//)|@|www(?=\.)", re.IGNORECASE)
"""Makes an address into a link, even after a backslash or as a character reference."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Line ends and other control characters."""


def one_line(value: Any, max_length: int = 200) -> str:
    """Return the text on one line of limited length, with invisible characters escaped; `""` for an empty text."""
    text = printable(CONTROL.sub(" ", str(value)))
    if not text.strip():
        return '""'
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


def escape_markdown(value: Any, max_length: int = 200) -> str:
    """Return the text like `one_line`, with everything escaped that Markdown or HTML would interpret."""
    text = one_line(value, max_length).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = MARKDOWN.sub(r"\\\1", text)
    return LINK.sub(r"\g<0><!-- -->", text)


def markdown_table(header: tuple[str, ...], rows: list[tuple[Any, ...]], max_length: int = 200) -> str:
    lines = [
        header,
        ("---",) * len(header),
        *(tuple(escape_markdown(cell, max_length) for cell in row) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
