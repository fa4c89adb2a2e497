"""Stores: where the objects of an adapter are kept, behind one contract."""

from diffsync_store.store.base import BaseStore

__all__ = ["BaseStore"]
