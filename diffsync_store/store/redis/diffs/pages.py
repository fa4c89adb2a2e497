"""The pages of a saved diff: many elements, compressed, as one entry of a list in Redis."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

PAGE = 500
"""Elements of a page: read in one round trip, with one digest in the checksum."""
_LEVEL = 1
"""The fastest compression: the elements of a page are much alike."""
_BETWEEN = b"\n"
"""JSON without indentation has no line break."""


def pages(elements: int) -> int:
    """Return the number of pages of this many elements."""
    return -(-elements // PAGE)


def pack(texts: Sequence[bytes]) -> bytes:
    """Return a page; `texts` are its elements as JSON."""
    return zlib.compress(_BETWEEN.join(texts), _LEVEL)


def unpack(page: bytes) -> list[bytes]:
    """Return the elements of a page.

    Raises:
        ValueError: it is not a page.
    """
    try:
        return zlib.decompress(page).split(_BETWEEN)
    except zlib.error as error:
        raise ValueError(f"A page cannot be read: {error}.") from error


def digest_of(texts: Sequence[bytes]) -> bytes:
    """Return the digest of a page of elements as JSON; lengths are part of it, so that no two different pages feed it the same bytes."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(b"%d:%b" % (len(text), text))
    return digest.digest()
