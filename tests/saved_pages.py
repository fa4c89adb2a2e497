"""Change an element of a saved diff in Redis, as somebody who may write there could."""

from typing import Any

from diffsync_store.store.redis.diffs.pages import PAGE, pack, unpack


def write_element(client: Any, key: str, position: int, text: str) -> None:
    """Write an element in place of another.

    Args:
        client: a client of Redis.
        key: the key of the elements.
        position: the position of the element; -1 is the last of the last page.
        text: the element as JSON.
    """
    page, at = divmod(position, PAGE) if position >= 0 else (-1, position)
    texts = unpack(client.lindex(key, page))
    texts[at] = text.encode()
    client.lset(key, page, pack(texts))
