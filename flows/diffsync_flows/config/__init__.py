"""The project file with the keys of Prefect."""

from diffsync_flows.config.check import check_file
from diffsync_flows.config.config import Config, environment, read_config

__all__ = ["Config", "check_file", "environment", "read_config"]
