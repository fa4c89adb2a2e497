"""What a run shows: artifacts, events, metrics, logs, progress."""
