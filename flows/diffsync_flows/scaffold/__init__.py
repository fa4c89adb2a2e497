"""The files of a new project: `diffsync-flows init`."""

from diffsync_flows.scaffold.project_files import prefect_files, project_files, write_files

__all__ = ["prefect_files", "project_files", "write_files"]
