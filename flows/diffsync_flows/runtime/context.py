"""The context of a flow run: the YAML file, read once, and one connection to Redis."""

from typing import TypeAlias

from diffsync_flows.config.config import Config
from diffsync_store import project

SyncContext: TypeAlias = project.SyncContext[Config]
