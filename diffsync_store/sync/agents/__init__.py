"""Several agents that apply one diff together."""

from diffsync_store.sync.agents.agent_sync import AgentSync

__all__ = ["AgentSync"]
