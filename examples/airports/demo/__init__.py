"""The worked example from start to end: `python -m airports.demo`."""
