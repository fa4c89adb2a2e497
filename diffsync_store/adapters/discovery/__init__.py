"""Find out which collections of records a system has, so that a mapping can be drafted from them."""

from diffsync_store.adapters.discovery.collection import Collection, DiscoveredField, Discovery
from diffsync_store.adapters.discovery.systems import Address, UnknownSystem, discovery_of, recognize

__all__ = ["Address", "Collection", "DiscoveredField", "Discovery", "UnknownSystem", "discovery_of", "recognize"]
