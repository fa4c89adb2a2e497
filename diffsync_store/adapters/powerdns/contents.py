"""Contents of records in the form of the models and in PowerDNS's form."""

from __future__ import annotations

import re

from diffsync_store.adapters.powerdns.names import without_dot

_TEXTS = frozenset({"TXT", "SPF"})
_ENDS_WITH_HOST = frozenset({"NS", "CNAME", "PTR", "DNAME", "ALIAS", "MX", "SRV", "AFDB", "KX"})
"""Types whose content is a host, or ends with one after numbers."""
_LONGEST_PIECE = 255
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(\d{3}|.)", re.DOTALL)


class Contents:
    """Changes contents between two forms. Threads may share it.

    Args:
        plain_text: TXT contents have no quotes in the models.
        trailing_dots: hosts end with a dot in the models.
    """

    def __init__(self, *, plain_text: bool, trailing_dots: bool) -> None:
        self._plain_text = plain_text
        self._trailing_dots = trailing_dots

    def read(self, kind: str, content: str) -> str:
        """Convert a content from PowerDNS's form to that of the models."""
        if kind in _TEXTS:
            return unquoted(content) if self._plain_text else content
        if kind in _ENDS_WITH_HOST and not self._trailing_dots:
            return without_dot(content) if content.rpartition(" ")[2] != "." else content
        return content

    def write(self, kind: str, content: str) -> str:
        """Convert a content from the form of the models to PowerDNS's."""
        if kind in _TEXTS:
            return quoted(content) if self._plain_text else content
        if kind in _ENDS_WITH_HOST and not self._trailing_dots and not content.endswith("."):
            return f"{content}."
        return content


def quoted(text: str) -> str:
    """Return a text in quotes, in pieces of at most 255 bytes."""
    data = text.encode()
    pieces = [data[start : start + _LONGEST_PIECE] for start in range(0, len(data), _LONGEST_PIECE)] or [b""]
    return " ".join(f'"{"".join(map(_escaped, piece))}"' for piece in pieces)


def unquoted(content: str) -> str:
    """Return the text of a content in quotes."""
    data = b"".join(_unescaped(piece) for piece in _PIECE.findall(content))
    return data.decode(errors="backslashreplace")


def _escaped(byte: int) -> str:
    character = chr(byte)
    if character in {'"', "\\"}:
        return f"\\{character}"
    return character if 32 <= byte < 127 else f"\\{byte:03d}"


def _unescaped(piece: str) -> bytes:
    found, place = bytearray(), 0
    for match in _ESCAPE.finditer(piece):
        found += piece[place : match.start()].encode()
        code = match[1]
        found += bytes([int(code)]) if code.isdigit() and len(code) == 3 and int(code) < 256 else code.encode()
        place = match.end()
    return bytes(found + piece[place:].encode())
