"""The unique ids of children as text that needs less memory than a list."""

from __future__ import annotations

from collections.abc import Sequence

JoinedIds = str | tuple[str, ...]
"""Ids in one text; a tuple if one of them contains the separator."""

ChildIds = dict[str, dict[str, dict[str, JoinedIds]]]
"""The ids of listed children by child model, parent's model and parent's unique id."""

_SEPARATOR = "\0"


def join_ids(uids: Sequence[str]) -> JoinedIds:
    """Return ids, at least one, as one text."""
    joined = _SEPARATOR.join(uids)
    return joined if joined.count(_SEPARATOR) == len(uids) - 1 else tuple(uids)


def split_ids(joined: JoinedIds) -> dict[str, None]:
    """Return the ids in their order, each once."""
    return dict.fromkeys(joined.split(_SEPARATOR) if isinstance(joined, str) else joined)
