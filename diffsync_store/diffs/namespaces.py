"""A saved diff and its stores are in one namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffsync_store.exceptions import (
    ObjectStoreException,
)

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter


def require_namespace(namespace: str, **sides: Adapter) -> None:
    """Refuse stores in Redis of another namespace than the diff's: nothing there knows of the diff that needs them.

    Raises:
        ObjectStoreException: one of them is.
    """
    spaces = {name: getattr(side.store, "namespace", None) for name, side in sides.items()}
    if all(space in {None, namespace} for space in spaces.values()):
        return
    told = [
        f"the {name}'s store {sides[name].store.store_id!r} is in {_space(space)}"
        for name, space in spaces.items()
        if space is not None
    ]
    raise ObjectStoreException(
        f"A saved diff and its stores are in one namespace, but the diff is in {_space(namespace)}, {' and '.join(told)}. "
        "Give RedisDiffs and each RedisStore the same `namespace`, and load what is in another one again."
    )


def _space(namespace: str) -> str:
    return f"the namespace {namespace!r}" if namespace else "none"
