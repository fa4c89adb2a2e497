"""The Prefect project: load, diff, sync and reconcile as deployments of their own. It calls the library, no more."""
