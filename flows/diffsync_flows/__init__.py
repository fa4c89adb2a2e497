"""The Prefect flows load, diff, sync, undo and reconcile over the library `diffsync_store`, and the command that deploys them."""
