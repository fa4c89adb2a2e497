"""FilesAdapter: CSV, JSON, JSON lines, YAML, Parquet, and inventories of Ansible."""

from diffsync_store.adapters.files.adapter import FilesAdapter
from diffsync_store.adapters.files.settings import FORMATS, FileRecords, FilesSettings

__all__ = ["FORMATS", "FileRecords", "FilesAdapter", "FilesSettings"]
