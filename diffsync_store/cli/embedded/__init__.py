"""The store of a project that names no Redis: a server that runs while a command uses it, with its data beside the YAML file."""

from diffsync_store.cli.embedded.store import FOLDER, embedded_store, why_ended

__all__ = ["FOLDER", "embedded_store", "why_ended"]
