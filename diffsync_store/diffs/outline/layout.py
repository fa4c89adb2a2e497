"""How the fields of an outline are made and named."""

from __future__ import annotations

import struct
import zlib

BLOCK = 65_536
"""Elements of a block: each has fields of its own."""
_BUCKET = 512
"""Elements of a block for one bucket of its objects."""
ENTRY = struct.Struct("<IH")
"""An object in a bucket: the hash of its model and unique id, and its position in the block."""
DIGESTS = "digests"
"""The digests of the pages of elements, one after the other."""
TOTALS = "totals"
"""JSON: model, action, attribute, number of operations, and the pages that have one, as bits of a hexadecimal number."""


def depths_name(block: int) -> str:
    """Return the field with a byte for each element of a block: the number of objects above it."""
    return f"depths:{block}"


def bucket_name(block: int, bucket: int) -> str:
    """Return the field of a bucket."""
    return f"objects:{block}:{bucket}"


def bucket_count(elements: int, block: int) -> int:
    """Return the number of buckets of a block of a diff with this many elements."""
    return max(1, min(BLOCK, elements - block * BLOCK) // _BUCKET)


def hash_of(model: str, unique_id: str) -> int:
    """Return a hash of 32 bits. Two objects may share one, so a reader looks at the element too."""
    return zlib.crc32(f"{model}\0{unique_id}".encode("utf-8", "surrogatepass"))
