"""The output of a run: artifacts, events, metrics, logs, progress."""
