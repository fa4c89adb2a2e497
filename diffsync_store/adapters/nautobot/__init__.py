"""The adapter of Nautobot 3: REST, and GraphQL for long lists."""

from diffsync_store.adapters.nautobot.adapter import NautobotAdapter
from diffsync_store.adapters.nautobot.settings import NautobotSettings

__all__ = ["NautobotAdapter", "NautobotSettings"]
