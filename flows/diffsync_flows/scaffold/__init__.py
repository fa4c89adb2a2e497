"""The files of a new project: `diffsync-flows init`."""

from diffsync_flows.scaffold.project_files import project_files, write_files

__all__ = ["project_files", "write_files"]
