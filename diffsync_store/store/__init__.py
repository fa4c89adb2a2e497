"""Stores hold the objects of an adapter. `BaseStore` is the interface of all stores."""

from diffsync_store.store.base import BaseStore

__all__ = ["BaseStore"]
