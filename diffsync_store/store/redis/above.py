"""How objects are read without those of their children that the reader does not need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic_core import to_json

from diffsync_store.model import DiffSyncModel
from diffsync_store.store.index.format import encode_uid, with_lengths
from diffsync_store.store.redis.keys import encode_uids


def encode_above(
    kind: type[DiffSyncModel], below: Mapping[str, Sequence[str]], uids: Sequence[str]
) -> list[str | bytes]:
    """Return the arguments of `FETCH_ABOVE` for some objects: the fields to shorten, then each object and its needed children.

    Args:
        kind: the class that the objects are read as.
        below: the needed children of each object.
        uids: the unique ids of the objects.
    """
    arguments: list[str | bytes] = [b"\0".join(map(to_json, _lists_of_children(kind)))]
    for encoded, uid in zip(encode_uids(uids), uids, strict=True):
        arguments += encoded, b"".join(with_lengths(list(map(encode_uid, below[uid]))))
    return arguments


def _lists_of_children(kind: type[DiffSyncModel]) -> set[str]:
    """Return the fields that only list children; one that is part of the name is needed as it is."""
    return {*kind._children.values()} - {*kind._shortname}
