"""Ready adapters: systems that are read and written by a declared mapping, without own code."""

from diffsync_store.adapters.mapped import AdapterSettings, Answer, Change, MappedAdapter, MappedModel
from diffsync_store.adapters.registry import TYPE_NAMES, adapter_class

__all__ = [
    "TYPE_NAMES",
    "AdapterSettings",
    "Answer",
    "Change",
    "MappedAdapter",
    "MappedModel",
    "adapter_class",
]
