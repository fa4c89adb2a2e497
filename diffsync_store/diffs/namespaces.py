"""Check that a saved diff and its stores are in one namespace."""

from __future__ import annotations

from diffsync_store.adapter import Adapter
from diffsync_store.exceptions import ObjectStoreException


def require_namespace(namespace: str, **sides: Adapter) -> None:
    """Refuse stores of another namespace than the diff's: loads there do not know which diffs need the store.

    Raises:
        ObjectStoreException: one of the stores in Redis is in another namespace.
    """
    spaces = {name: getattr(side.store, "namespace", None) for name, side in sides.items()}
    if all(space in {None, namespace} for space in spaces.values()):
        return
    places = [
        f"the {name}'s store {sides[name].store.store_id!r} is in {_describe(space)}"
        for name, space in spaces.items()
        if space is not None
    ]
    raise ObjectStoreException(
        f"A saved diff and its stores must be in one namespace, but the diff is in {_describe(namespace)}, "
        f"{' and '.join(places)}. Give RedisDiffs and each RedisStore the same `namespace`, and load the stores of other "
        "namespaces again."
    )


def _describe(namespace: str) -> str:
    return f"the namespace {namespace!r}" if namespace else "none"
