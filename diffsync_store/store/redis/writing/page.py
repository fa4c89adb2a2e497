"""A page: the unique ids of one batch of adds, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from diffsync_store.store.index.format import with_lengths

_SEPARATOR = b"__"
"""Between the identifiers in a unique id."""


_HAS_GAPS = 1 << 63
"""In the first position: the ids do not follow each other, and their distances from that position come next."""


def pack_page(first: int, uids: Sequence[bytes], places: Sequence[int] | None = None) -> bytes:
    """Return a page; `places` are the distances of the ids from the first position if they do not follow each other.

    It is the position of the first id (8 bytes), then groups of ids with a common beginning, such as that of the parent: '>H' length
    of the beginning, the beginning, '>H' number of the ids; for each id '>H' length and the rest.
    """
    parts = [first.to_bytes(8, "big")]
    if places is not None:
        parts = [(_HAS_GAPS | first).to_bytes(8, "big"), len(places).to_bytes(4, "big")]
        parts += [place.to_bytes(2, "big") for place in places]
    for head, rests in _groups(uids):
        size = len(head)
        parts += (size.to_bytes(2, "big"), head, len(rests).to_bytes(2, "big"))
        parts += with_lengths(rests)
    return b"".join(parts)


def _groups(uids: Sequence[bytes]) -> list[tuple[bytes, list[bytes]]]:
    """Return the common beginnings of ids that follow each other, with the rests of the ids."""
    groups: list[tuple[bytes, list[bytes]]] = []
    head, size, rests = b"", 0, list[bytes]()
    for uid in uids:
        if not rests or not uid.startswith(head):
            at = uid.rfind(_SEPARATOR)
            head = uid[: at + len(_SEPARATOR)] if at >= 0 else b""
            size, rests = len(head), []
            groups.append((head, rests))
        rests.append(uid[size:])
    return groups
