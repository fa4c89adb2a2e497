"""The Prefect flows load, diff, sync and reconcile over the library `diffsync_store`, and the command that deploys them."""
