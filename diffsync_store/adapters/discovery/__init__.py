"""Find out which collections of records a system has, so that a mapping can be drafted from them."""

from diffsync_store.adapters.discovery.collection import Collection, DiscoveredField, Discovery
from diffsync_store.adapters.discovery.recognition import Address, UnknownSystem, recognize
from diffsync_store.adapters.discovery.systems import discovery_of

__all__ = ["Address", "Collection", "DiscoveredField", "Discovery", "UnknownSystem", "discovery_of", "recognize"]
