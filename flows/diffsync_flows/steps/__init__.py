"""The steps of a sync and of a reconcile."""
